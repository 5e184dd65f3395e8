"""Blanks, letter case, rarer words, missing figures and late knowledge: what a person would read over, reports do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports import stripe_rows as stripe
from payments_pipeline_tests.reports.ledger import Ledger, ago

ACCESS = ("activation_gaps", "unpaid_access", "wrong_tier", "amount_mismatches", "unmapped_statuses")


def test_blanks_around_words_mean_nothing(ledger: Ledger) -> None:
    user = ledger.user("Active ", " pro")
    ledger.payment(user, ledger.plan(), " Completed", currency="usd ", transaction_id=" pi_1 ")
    ledger.transaction("paid")
    ledger.read_in_full(stripe=True)
    silent = (*ACCESS, "unknown_payments", "out_of_sync_payments", "orphan_provider_payments")
    assert {name: ledger.rows(name) for name in silent} == {name: [] for name in silent}


@pytest.mark.parametrize("reference", ["pi_1 ", " ch_1"])
def test_a_payment_is_compared_by_its_reference_without_blanks(ledger: Ledger, reference: str) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending", transaction_id=reference, amount=Decimal(19))
    stripe.intent(ledger, "succeeded", charge_id="ch_1")
    ledger.transaction("paid")
    for name in ("activation_gaps", "out_of_sync_payments", "amount_mismatches"):
        assert [row["payment_id"] for row in ledger.rows(name)] == [payment], name


@pytest.mark.parametrize(
    ("word", "state"),
    [("successful", "paid"), ("settled", "paid"), ("declined", "failed"), ("voided", "canceled")],
)
def test_common_words_for_a_payment_are_known(ledger: Ledger, word: str, state: str) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), word)
    ledger.transaction(state)
    assert ledger.rows("unmapped_statuses") == []
    assert ledger.rows("out_of_sync_payments") == []


def test_a_chargeback_by_the_applications_own_word(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "charged_back", payment_method="paypal")
    assert len(ledger.rows("refunded_access")) == 1
    assert ledger.rows("unpaid_access") == []


def test_a_declined_payment_for_a_delivered_booking(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user(), status="completed")
    ledger.payment(user, None, "declined", booking_id=booking)
    assert [row["payment_status"] for row in ledger.rows("missing_payments")] == ["declined"]


@pytest.mark.parametrize(
    ("word", "error", "expected"),
    [
        ("Failed ", None, 1),
        ("failure", None, 1),
        ("declined", None, 1),
        ("expired", None, 1),
        ("cancelled", "account closed", 1),
        ("cancelled", None, 0),
        ("queued", None, 0),
    ],
)
def test_words_for_a_payout_that_did_not_arrive(ledger: Ledger, word: str, error: str | None, expected: int) -> None:
    paid_out(ledger, word, error=error)
    assert len(ledger.rows("failed_payouts")) == expected


def test_an_item_of_a_paid_batch_whose_receiver_is_not_registered(ledger: Ledger) -> None:
    paid_out(ledger, "completed", method="paypal", paypal_batch_id="B1", error="RECEIVER_UNREGISTERED")
    assert len(ledger.rows("failed_payouts")) == 1


def test_a_payout_without_a_booking_that_was_sent_again(ledger: Ledger) -> None:
    host = paid_out(ledger, "failed", error="bank")
    paid_out(ledger, "paid", host, ago(days=2), amount=17)
    assert len(ledger.rows("failed_payouts")) == 1
    paid_out(ledger, "paid", host, ago(days=2))
    assert ledger.rows("failed_payouts") == []


def paid_out(ledger: Ledger, status: str, host: int | None = None, at: Any = None, **columns: Any) -> int:
    host, at = host or ledger.user(), at or ago(days=3)
    values = {
        "payee_id": host, "amount": 16, "currency": "USD", "status": status, "created_at": at, "updated_at": at,
    }  # fmt: skip
    ledger.add("public.payouts", **values | columns)
    return host


@pytest.mark.parametrize(
    ("tier", "plan_price"),
    [("free", None), ("basic", 0)],
)
def test_what_is_given_to_everybody_needs_no_payment(ledger: Ledger, tier: str, plan_price: int | None) -> None:
    plan = None if plan_price is None else ledger.plan(tier, price=plan_price)
    ledger.user("active", tier, plan_id=plan)
    assert ledger.rows("unpaid_access") == []
    ledger.plan("pro", price=0)
    ledger.plan("pro", "year", price=200)
    ledger.user("active", "pro")
    assert len(ledger.rows("unpaid_access")) == 1


@pytest.mark.parametrize(
    "known",
    [{"tx_hash": "0xABC"}, {"tx_hash": " abc"}, {"transaction_id": "0XABC"}, {"transaction_id": "abc"}],
)
def test_a_hash_is_the_same_transaction_however_it_is_written(ledger: Ledger, known: dict[str, str]) -> None:
    columns = {"payment_method": "okx", "crypto_currency": "usdt", "crypto_amount": Decimal(20), "network": "ERC20"}
    ledger.read_in_full(okx=True)
    payment = ledger.payment(
        ledger.user(), ledger.plan(), "completed", ago(days=2), **{"transaction_id": None} | columns | known
    )
    ledger.deposit("paid", at=ago(days=2), raw_status="2", network="USDT-ERC20", link_method="none")
    refresh_deposit_matches(ledger.engine, AS_OF)
    for name in ("unmatched_deposits", "unknown_payments", "out_of_sync_payments"):
        assert ledger.rows(name) == [], name
    assert [row["payment_id"] for row in ledger.rows("activation_gaps")] == [payment]


@pytest.mark.parametrize("columns", [{"currency": "USDT"}, {"currency": "USD", "crypto_currency": "USDT"}])
def test_coins_that_came_short_of_a_price(ledger: Ledger, columns: dict[str, str]) -> None:
    ledger.payment(
        ledger.user(), ledger.plan(), "pending", ago(days=2), payment_method="okx", transaction_id=None,
        deposit_address="T1", expires_at=ago(hours=44), **columns,
    )  # fmt: skip
    ledger.deposit("paid", at=ago(days=2), raw_status="2", network="USDT-TRC20", amount=10, link_method="none")
    refresh_deposit_matches(ledger.engine, AS_OF)
    assert [row["received"] for row in ledger.rows("crypto_underpaid")] == [10]
    assert ledger.rows("activation_gaps") == []


def test_a_repeated_deposit_to_an_expired_payment_that_came_short(ledger: Ledger) -> None:
    gateway: dict[str, Any] = {"provider": "nowpayments", "account": "np", "received_currency": "USDTTRC20"}
    payment = ledger.payment(
        ledger.user(), ledger.plan(), "partially_paid", payment_method="nowpayments", transaction_id="1",
        crypto_currency="USDTTRC20", crypto_amount=20,
    )  # fmt: skip
    ref = str(payment)
    ledger.transaction("expired", provider_ref="1", expected_amount=20, amount_received=0, payment_ref=ref, **gateway)
    ledger.transaction("paid", provider_ref="2", parent_ref="1", expected_amount=5, amount_received=5, **gateway)
    assert [row["received"] for row in ledger.rows("crypto_underpaid")] == [5]


def test_coins_in_place_of_their_price_are_no_other_currency(ledger: Ledger) -> None:
    ledger.payment(
        ledger.user("active", "pro"), ledger.plan(), "completed", payment_method="nowpayments", currency="USDT"
    )
    ledger.transaction("paid", provider="nowpayments", expected_amount=20, received_currency="USDT")
    assert ledger.rows("amount_mismatches") == []


@pytest.mark.parametrize(
    ("dispute", "back", "flagged"),
    [
        ({"payment_intent_id": None, "charge_id": "ch_1"}, 0, True),
        ({}, 0, False),
        ({"amount": Decimal(15)}, 5, True),
    ],
)
def test_money_lost_in_a_dispute(ledger: Ledger, dispute: dict[str, Any], back: int, flagged: bool) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", ago(days=3))
    ledger.transaction("paid", ago(days=3), disputed=flagged, amount_refunded=back)
    stripe.intent(ledger, "succeeded", ago(days=3), charge_id="ch_1")
    assert ledger.rows("refunded_access") == []
    stripe.dispute(ledger, "lost", ago(days=1), **dispute)
    assert len(ledger.rows("refunded_access")) == 1


def test_a_part_lost_keeps_access(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", ago(days=3))
    ledger.transaction("paid", ago(days=3), disputed=True)
    stripe.dispute(ledger, "lost", ago(days=1), amount=Decimal(15))
    assert ledger.rows("refunded_access") == []


@pytest.mark.parametrize(("days", "provider"), [(2, "failed"), (20, None)])
def test_an_attempt_that_came_to_nothing_hides_no_refund(ledger: Ledger, days: int, provider: str | None) -> None:
    user, plan = ledger.user("active", "pro"), ledger.plan()
    ledger.payment(user, plan, "completed", ago(days=3))
    ledger.transaction("refunded", ago(days=3), amount_refunded=20)
    ledger.payment(user, plan, "processing", ago(days=days), transaction_id="pi_2")
    if provider is not None:
        ledger.transaction(provider, ago(days=days), provider_ref="pi_2")
    assert [row["provider_ref"] for row in ledger.rows("refunded_access")] == ["pi_1"]


def test_a_part_given_back_takes_no_access(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "refunded")
    ledger.transaction("paid", amount_refunded=5)
    (row,) = ledger.rows("refunded_access")
    assert (row["direction"], row["reason"]) == ("access taken", "only 5 of it went back, the access is gone")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"signature_valid": False}, "webhook refused: signature invalid"),
        ({"error_message": "boom"}, "webhook failed: boom"),
        ({"error_message": "boom", "created_at": AS_OF + timedelta(hours=1)}, "webhook never came"),
    ],
)
def test_a_webhook_that_names_the_object_alone(ledger: Ledger, columns: dict[str, Any], reason: str) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("paid")
    body = Jsonb({"id": "evt_1", "data": {"object": {"id": "pi_1"}}})
    ledger.webhook(None, "failed", webhook_data=body, **columns)
    assert [row["reason"] for row in ledger.rows("activation_gaps")] == [reason]


def test_another_event_that_went_well_excuses_no_failure(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("paid")
    ledger.webhook(payment, "failed", error_message="boom", webhook_type="payment_intent.succeeded")
    ledger.webhook(payment, "completed", webhook_type="charge.updated", created_at=ago(hours=22))
    assert [row["reason"] for row in ledger.rows("activation_gaps")] == ["webhook failed: boom"]
    ledger.webhook(payment, "completed", webhook_type="payment_intent.succeeded", created_at=ago(hours=21))
    assert [row["reason"] for row in ledger.rows("activation_gaps")] == ["processed and lost"]


@pytest.mark.parametrize(("days", "expected"), [(90, 0), (89, 1)])
def test_a_quarter_may_be_counted_as_ninety_days(ledger: Ledger, days: int, expected: int) -> None:
    user = ledger.user("active", "pro", subscription_renewal_date=ago(days=10 - days))
    ledger.payment(user, ledger.plan("pro", "quarter", 50), "completed", ago(days=10))
    ledger.transaction("paid", ago(days=10))
    assert len(ledger.rows("renewal_gaps")) == expected


def test_cancelled_and_nobody_wrote_down_when(ledger: Ledger) -> None:
    user, plan = ledger.user("canceled", "pro"), ledger.plan()
    ledger.payment(user, plan, "completed", ago(days=10))
    assert ledger.rows("activation_gaps") == []
    ledger.payment(user, plan, "completed", ago(days=50), transaction_id="pi_0")
    assert [row["repairable"] for row in ledger.rows("activation_gaps")] == [False]


def test_cancelled_between_paying_and_its_confirmation(ledger: Ledger) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "completed", ago(days=5), confirmed_at=ago(days=1))
    ledger.transaction("paid", ago(days=5))
    assert len(ledger.rows("activation_gaps")) == 1
    ledger.event(user, "canceled", ago(days=3), "canceled", "free")
    assert ledger.rows("activation_gaps") == []


def test_what_was_confirmed_or_cancelled_later_was_not_known_then(ledger: Ledger) -> None:
    user = ledger.user("canceled", "free", subscription_updated_at=ago(hours=1))
    ledger.payment(user, ledger.plan(), "completed", ago(days=5), confirmed_at=ago(hours=2))
    ledger.transaction("paid", ago(days=5))
    assert ledger.rows("activation_gaps") == []
    assert len(ledger.rows("activation_gaps", as_of=ago(hours=3))) == 1


@pytest.mark.parametrize(("actor", "expected"), [("admin:kim", 0), ("application", 1)])
def test_a_person_who_gave_another_tier_meant_it(ledger: Ledger, actor: str, expected: int) -> None:
    user = ledger.user("active", "elite")
    ledger.payment(user, ledger.plan(), "completed", ago(days=10))
    ledger.plan("elite", price=50)
    columns = {"event_type": "upgraded", "new_status": "active", "new_tier": "elite", "actor": actor}
    ledger.add("public.subscription_events", user_id=user, created_at=ago(days=2), **columns)
    assert len(ledger.rows("wrong_tier")) == expected


@pytest.mark.parametrize(("price", "days", "expected"), [(None, 5, 0), (50, 5, 0), (5, 5, 1), (50, -1, 1)])
def test_a_trial_of_more_than_was_bought(ledger: Ledger, price: int | None, days: int, expected: int) -> None:
    user = ledger.user("trialing", "elite", trial_ends_at=ago(days=-days))
    ledger.payment(user, ledger.plan(), "completed", ago(days=10))
    if price is not None:
        ledger.plan("elite", price=price)
    assert len(ledger.rows("wrong_tier")) == expected

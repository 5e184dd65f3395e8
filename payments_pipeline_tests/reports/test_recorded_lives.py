"""What real records look like beside the plain case: renewals that name only the customer, tries and second tries,
webhooks about a checkout, months of thirty days; and looks at the past, which know nothing of what came later."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports import stripe_rows as stripe
from payments_pipeline_tests.reports.bank import Bank
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

THEN = ago(days=3)


def renewal(ledger: Ledger, user: int, number: int = 1, days: float = 1, **columns: Any) -> None:
    """Twenty dollars taken from a known customer for an invoice; the object names nothing else."""
    taken: Row = {
        "provider_ref": f"pi_{number}", "link_method": "customer", "user_ref": str(user), "customer_ref": "cus_1",
        "amount_received": 20, "received_currency": "USD",
    }  # fmt: skip
    ledger.transaction("paid", ago(days=days), **taken | columns)


@pytest.mark.parametrize("reference", ["in_1", "sub_1", "cs_live_1", None])
def test_a_renewal_that_names_only_the_customer_has_its_row(ledger: Ledger, reference: str | None) -> None:
    user = ledger.user("active", "pro", stripe_customer_id="cus_1")
    plan = ledger.plan()
    for number, days in enumerate((32, 1)):
        ledger.payment(user, plan, "completed", ago(days=days), transaction_id=reference)
        renewal(ledger, user, number, days + 0.01)
    assert ledger.rows("orphan_provider_payments") == []


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"status": "pending"}, {}),
        ({"amount": Decimal(35)}, {}),
        ({"at": ago(days=9)}, {}),
        ({"transaction_id": "pi_9"}, {}),
        ({}, {"link_method": "none"}),
    ],
)
def test_money_of_a_customer_without_such_a_row_is_told(ledger: Ledger, row: Row, columns: Row) -> None:
    user = ledger.user("active", "pro", stripe_customer_id="cus_1")
    ledger.payment(user, ledger.plan(), **{"status": "completed", "transaction_id": "in_1", **row})
    renewal(ledger, user, **columns)
    assert len(ledger.rows("orphan_provider_payments")) == 1


def test_of_three_charges_for_one_renewal_two_are_too_many(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", stripe_customer_id="cus_1")
    ledger.payment(user, ledger.plan(), "completed", transaction_id="in_1")
    for number in range(3):
        renewal(ledger, user, number, 1 - number / 100)
    assert {row["provider_ref"] for row in ledger.rows("orphan_provider_payments")} == {"pi_1", "pi_2"}


@pytest.mark.parametrize("kind", ["cs", "ch"])
def test_a_webhook_about_the_checkout_or_the_charge_tells_why_access_was_lost(ledger: Ledger, kind: str) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("paid")
    stripe.intent(ledger, "succeeded", charge_id="ch_1")
    ledger.add(
        "recon.stripe_checkout_sessions", account="acct_1", livemode=True, object_id="cs_1", payment_state="complete",
        payment_intent_id="pi_1", created_at=ago(days=1), read_at=AS_OF, digest=1,
    )  # fmt: skip
    ledger.webhook(None, "failed", error_message="boom", webhook_data=Jsonb({"data": {"object": {"id": f"{kind}_1"}}}))
    (gap,) = ledger.rows("activation_gaps")
    assert gap["reason"] == "webhook failed: boom"
    (told,) = ledger.rows("failed_webhooks")
    assert (told["payment_id"], told["amount"]) == (gap["payment_id"], 20)


@pytest.mark.parametrize(
    ("columns", "gaps"),
    [
        ({"subscription_status": "past_due", "subscription_renewal_date": ago(hours=12)}, 0),
        ({"subscription_renewal_date": ago(hours=12)}, 0),
        ({"subscription_status": "expired"}, 0),
        ({"subscription_status": "past_due"}, 1),
        ({"subscription_renewal_date": ago(days=4)}, 1),
    ],
)
def test_the_last_day_of_a_month_of_thirty_days_is_no_gap(ledger: Ledger, columns: Row, gaps: int) -> None:
    user = ledger.user(columns.pop("subscription_status", "inactive"), **columns)
    ledger.payment(user, ledger.plan(), "completed", ago(days=30.5))
    assert len(ledger.rows("activation_gaps")) == gaps


def test_past_due_although_the_renewal_was_paid_is_a_gap(ledger: Ledger) -> None:
    user = ledger.user("past_due", "pro", subscription_updated_at=ago(days=8), subscription_renewal_date=ago(days=8))
    ledger.payment(user, ledger.plan(), "completed", ago(days=5))
    assert len(ledger.rows("activation_gaps")) == 1


@pytest.mark.parametrize(("since", "gaps"), [(2, 0), (20, 1)])
def test_a_subscription_paused_after_the_payment_is_no_gap(ledger: Ledger, since: int, gaps: int) -> None:
    user = ledger.user("paused", "pro", subscription_updated_at=ago(days=since))
    ledger.payment(user, ledger.plan(), "completed", ago(days=10))
    assert len(ledger.rows("activation_gaps")) == gaps


@pytest.mark.parametrize("report", ["refunds", "canceled_payments"])
def test_an_event_of_a_payment_known_by_its_checkout_says_what_the_application_knows(
    ledger: Ledger, report: str
) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "refunded", transaction_id="cs_1")
    made: Row = {"payment_ref": str(payment), "link_method": "checkout"}
    ledger.transaction("canceled" if report == "canceled_payments" else "refunded", **made)
    ledger.transaction("refunded", provider_ref="re_1", kind="refund", parent_ref="pi_1", **made)
    (row,) = ledger.rows(report)
    assert row["reason"].endswith(", the application says refunded")


# Tries of one payer


def tries(ledger: Ledger, first: str, second: str, *, of_another: bool = False) -> None:
    """Two payments hold the hash of one deposit of 20 USDT."""
    user, plan = ledger.user(), ledger.plan()
    row: Row = {
        "payment_method": "okx", "transaction_id": None, "tx_hash": "0xabc", "crypto_currency": "USDT",
        "crypto_amount": Decimal(20), "deposit_address": "T1",
    }  # fmt: skip
    ledger.payment(user, plan, first, ago(hours=40), **row)
    ledger.payment(ledger.user() if of_another else user, plan, second, ago(hours=39.5), **row)
    ledger.deposit("paid", at=ago(hours=39), raw_status="2", network="USDT-TRC20", link_method="ambiguous")
    refresh_deposit_matches(ledger.engine, AS_OF)


@pytest.mark.parametrize("given_up", ["failed", "expired", "canceled"])
def test_the_deposit_of_a_second_try_is_not_in_doubt(ledger: Ledger, given_up: str) -> None:
    tries(ledger, given_up, "pending")
    assert ledger.rows("ambiguous_deposits") == []
    (gap,) = ledger.rows("activation_gaps")
    assert (gap["payment_id"], gap["repairable"]) == (2, True)
    assert [row["payment_id"] for row in ledger.rows("out_of_sync_payments")] == [2]


@pytest.mark.parametrize(("first", "of_another"), [("failed", True), ("pending", False)])
def test_a_deposit_that_two_could_mean_stays_in_doubt(ledger: Ledger, first: str, of_another: bool) -> None:
    tries(ledger, first, "pending", of_another=of_another)
    assert len(ledger.rows("ambiguous_deposits")) == 1
    assert ledger.rows("activation_gaps") == []


# Looks at the past


def test_what_went_back_later_was_missing_then(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "refunded", ago(days=5), confirmed_at=ago(days=5))
    ledger.transaction("refunded", ago(days=5), state_changed_at=ago(days=1), amount_refunded=20)
    assert ledger.rows("activation_gaps") == []
    assert len(ledger.rows("activation_gaps", as_of=THEN)) == 1


def test_a_tier_that_went_back_later_was_bought_then(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan("elite"), "refunded", ago(days=5), confirmed_at=ago(days=5))
    ledger.transaction("refunded", ago(days=5), state_changed_at=ago(days=1), amount_refunded=20)
    assert ledger.rows("wrong_tier") == []
    assert len(ledger.rows("wrong_tier", as_of=THEN)) == 1


def test_a_second_payment_that_went_back_later_was_one_too_many_then(ledger: Ledger) -> None:
    user, plan = ledger.user("active", "pro"), ledger.plan()
    for number in (1, 2):
        ledger.payment(user, plan, "completed", ago(days=6 - number / 10), transaction_id=f"pi_{number}")
        back: Row = {"state_changed_at": ago(days=1), "amount_refunded": 20} if number == 2 else {}
        ledger.transaction("refunded" if back else "paid", ago(days=6), provider_ref=f"pi_{number}", **back)
    assert ledger.rows("duplicate_payments") == []
    assert len(ledger.rows("duplicate_payments", as_of=THEN)) == 1


def test_a_bank_payout_that_failed_later_had_arrived_then(ledger: Ledger) -> None:
    bank = Bank(ledger)
    bank.payout(status="failed", failure_balance_transaction_id="txn_back", created_at=ago(days=6))
    bank.income("txn_back", type="payout_failure", source_id="po_1", created_at=ago(days=1))
    assert ledger.rows("failed_payouts", as_of=THEN) == []
    assert len(ledger.rows("failed_payouts")) == 1


def test_what_the_provider_lost_later_was_there_then(ledger: Ledger) -> None:
    ledger.read_in_full(stripe=True)
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", ago(days=6))
    ledger.transaction("paid", ago(days=6), vanished_at=ago(days=1))
    assert ledger.rows("unknown_payments", as_of=THEN) == []
    assert len(ledger.rows("unknown_payments")) == 1


def crypto(ledger: Ledger, status: str, came: list[float]) -> None:
    """20 USDT asked for five days ago at its own address, and deposits of so many days ago."""
    ledger.payment(
        ledger.user(), ledger.plan(), status, ago(days=5), payment_method="okx", transaction_id=None,
        crypto_amount=Decimal(20), crypto_currency="USDT", deposit_address="T1", network="TRC20",
        expires_at=ago(days=4.9),
    )  # fmt: skip
    for number, days in enumerate(came):
        ledger.deposit(
            "paid", at=ago(days=days), provider_ref=f"dep_{number}", tx_hash=f"0x{number}", raw_status="2",
            network="USDT-TRC20", link_method="none",
        )  # fmt: skip
    refresh_deposit_matches(ledger.engine, AS_OF)


def test_a_second_deposit_that_came_later_was_not_too_much_then(ledger: Ledger) -> None:
    crypto(ledger, "completed", [4.95, 1])
    assert ledger.rows("crypto_overpaid", as_of=THEN) == []
    assert [row["received"] for row in ledger.rows("crypto_overpaid")] == [40]


def test_a_payment_that_was_paid_late_had_run_out_unpaid_before(ledger: Ledger) -> None:
    crypto(ledger, "expired", [1])
    assert ledger.rows("expired_crypto_payments") == []
    assert len(ledger.rows("expired_crypto_payments", as_of=THEN)) == 1


# What both sides say, and what follows


def gateway(ledger: Ledger, app: str, came: str, repeated: str | None = None) -> None:
    """20 USDT asked for at the gateway, which calls it partially paid, and what came again later."""
    ledger.payment(
        ledger.user(), ledger.plan(), app, payment_method="nowpayments", transaction_id="500",
        crypto_amount=Decimal(20), crypto_currency="USDTTRC20",
    )  # fmt: skip
    said: Row = {
        "provider": "nowpayments", "account": "np", "provider_ref": "500", "raw_status": "partially_paid",
        "expected_amount": 20, "amount_received": Decimal(came), "received_currency": "USDTTRC20", "payment_ref": "1",
    }  # fmt: skip
    ledger.transaction("partially_paid", **said)
    if repeated:
        more: Row = {"provider_ref": "501", "parent_ref": "500", "amount_received": Decimal(repeated)}
        ledger.transaction("paid", **said | more | {"raw_status": "finished"})


@pytest.mark.parametrize(
    ("came", "repeated", "gaps"), [("19.7", None, 1), ("19.5", None, 0), ("10", "10", 1), ("10", "5", 0)]
)
def test_all_that_both_sides_call_a_part_was_paid(ledger: Ledger, came: str, repeated: str | None, gaps: int) -> None:
    gateway(ledger, "partially_paid", came, repeated)
    assert len(ledger.rows("activation_gaps")) == gaps
    assert len(ledger.rows("crypto_underpaid")) == 1 - gaps


def test_a_deposit_pays_for_a_coin_under_its_other_name(ledger: Ledger) -> None:
    ledger.payment(
        ledger.user(), ledger.plan(), "pending", ago(hours=10), payment_method="okx", transaction_id=None,
        crypto_amount=Decimal(20), crypto_currency="usdttrc20", deposit_address="T1", network="USDT-TRC20",
    )  # fmt: skip
    ledger.deposit("paid", at=ago(hours=9), raw_status="2", network="USDT-TRC20", link_method="none")
    refresh_deposit_matches(ledger.engine, AS_OF)
    assert len(ledger.rows("activation_gaps")) == 1


@pytest.mark.parametrize(("status", "expected"), [("won", 1), ("lost", 0)])
@pytest.mark.parametrize("names", [{}, {"payment_intent_id": None, "charge_id": "ch_1"}], ids=["payment", "charge"])
def test_access_that_was_taken_for_a_dispute_that_was_won_is_told(
    ledger: Ledger, names: Row, status: str, expected: int
) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "refunded", ago(days=3), confirmed_at=ago(days=3))
    ledger.transaction("paid", ago(days=3), disputed=True)
    stripe.dispute(ledger, status, ago(days=2), **names)
    stripe.intent(ledger, "succeeded", charge_id="ch_1")
    assert [row["direction"] for row in ledger.rows("refunded_access")] == ["access taken"] * expected


@pytest.mark.parametrize(("amount", "gaps"), [("27.31", 0), ("50", 1)])
def test_the_difference_to_a_better_plan_extends_nothing(ledger: Ledger, amount: str, gaps: int) -> None:
    user = ledger.user("active", "elite", subscription_renewal_date=ago(days=-21))
    ledger.payment(user, ledger.plan(), "completed", ago(days=10))
    ledger.payment(user, ledger.plan("elite", price=50), "completed", ago(days=2), amount=Decimal(amount))
    assert len(ledger.rows("renewal_gaps")) == gaps


@pytest.mark.parametrize(("tier", "price"), [("pro", 200), ("elite", 400)])
def test_a_year_with_a_coupon_bought_during_a_month_is_a_year(ledger: Ledger, tier: str, price: int) -> None:
    user = ledger.user("active", tier, subscription_renewal_date=ago(days=-21))
    ledger.payment(user, ledger.plan(), "completed", ago(days=10))
    ledger.payment(
        user, ledger.plan(tier, "year", price), "completed", ago(days=2), transaction_id="pi_2", amount=Decimal(160)
    )
    assert len(ledger.rows("renewal_gaps")) == 1

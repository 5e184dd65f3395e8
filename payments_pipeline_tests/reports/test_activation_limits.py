"""Where a gap is a person's matter or none at all: bought twice, paid in the wrong coin, returned, disputed, barred."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def gaps(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("activation_gaps", **kwargs)


def the_gap(ledger: Ledger) -> Row:
    (gap,) = gaps(ledger)
    return gap


def verdict(ledger: Ledger) -> tuple[str, bool, str]:
    gap = the_gap(ledger)
    return gap["expected_tier"], gap["repairable"], gap["reason"]


def test_a_year_that_runs_is_missed_behind_a_newer_month_that_lapsed(ledger: Ledger) -> None:
    user = ledger.user()
    year = ledger.payment(user, ledger.plan("premium", "year"), "succeeded", ago(days=80), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=45))
    gap = the_gap(ledger)
    assert (gap["payment_id"], gap["expected_tier"], gap["repairable"]) == (year, "premium", True)


def test_a_user_still_on_the_tier_of_a_newer_payment_that_lapsed_is_fine(ledger: Ledger) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("premium", "year"), "succeeded", ago(days=80), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=45))
    assert gaps(ledger) == []


OKX: Row = {"payment_method": "okx", "crypto_currency": "USDT", "crypto_amount": Decimal(20), "deposit_address": "T1"}
BY_ID: Row = OKX | {"transaction_id": "dep_1"}
BY_HASH: Row = OKX | {"transaction_id": None, "tx_hash": "0xabc"}


@pytest.mark.parametrize("status", ["pending", "finished"])
@pytest.mark.parametrize("known", [BY_ID, BY_HASH], ids=["id", "hash"])
@pytest.mark.parametrize("came", [{"currency": "SHIB"}, {"amount": Decimal(10)}], ids=["another coin", "half of it"])
def test_another_coin_or_half_of_it_buys_nothing(ledger: Ledger, status: str, known: Row, came: Row) -> None:
    ledger.payment(ledger.user(), ledger.plan(), status, **known)
    ledger.deposit("paid", **came)
    assert gaps(ledger) == []


def test_of_two_coins_in_one_transaction_the_right_one_pays(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending", **BY_HASH)
    ledger.deposit("paid", currency="SHIB")
    ledger.deposit("paid", provider_ref="dep_2")
    assert the_gap(ledger)["repairable"] is True


def test_deposit_of_no_named_coin_is_for_a_person(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending", **BY_ID | {"crypto_currency": None})
    ledger.deposit("paid", currency="SHIB")
    assert the_gap(ledger)["repairable"] is False


def test_gateway_that_names_the_coin_with_its_network_is_compared_by_its_own_sum(ledger: Ledger) -> None:
    crypto: Row = {"payment_method": "nowpayments", "crypto_currency": "USDT", "crypto_amount": 20}
    ledger.payment(ledger.user(), ledger.plan(), "finished", transaction_id="500", **crypto)
    gateway: Row = {"provider": "nowpayments", "received_currency": "USDTTRC20", "expected_amount": 20}
    ledger.transaction("partially_paid", provider_ref="500", amount_received=Decimal("19.9"), **gateway)
    assert len(gaps(ledger)) == 1


@pytest.mark.parametrize(("status", "expected"), [("confirmed", 1), ("finished", 0), ("pending", 0)])
def test_gateways_confirmed_that_the_application_took_over_counts_as_paid(
    ledger: Ledger, status: str, expected: int
) -> None:
    ledger.payment(ledger.user(), ledger.plan(), status, payment_method="nowpayments")
    ledger.transaction("processing", provider="nowpayments", raw_status="confirmed")
    assert len(gaps(ledger)) == expected


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("known", [{"transaction_id": "pi_1"}, {"transaction_id": None, "tx_hash": "0xabc"}])
def test_one_payment_that_two_users_claim_activates_neither(ledger: Ledger, known: Row, is_read: bool) -> None:
    plan = ledger.plan()
    for _ in range(2):
        ledger.payment(ledger.user(), plan, "finished", **known)
    if is_read:
        ledger.transaction("paid", tx_hash="0xabc")
    found = gaps(ledger)
    assert [gap["repairable"] for gap in found] == [False, False]
    assert {gap["reason"] for gap in found} == {"payment may be another user's: a person must decide"}


def test_two_outputs_of_one_transaction_are_two_payments(ledger: Ledger) -> None:
    plan = ledger.plan()
    for number in (1, 2):
        ledger.payment(ledger.user(), plan, "pending", **BY_HASH | {"deposit_address": f"T{number}"})
        ledger.deposit("paid", provider_ref=f"dep_{number}", deposit_address=f"T{number}")
    assert [gap["repairable"] for gap in gaps(ledger)] == [True, True]


@pytest.mark.parametrize(
    ("refund", "expected"),
    [({}, 0), ({"amount": Decimal(5)}, 1), ({"state": "failed"}, 1), ({"parent_ref": "pi_9"}, 1)],
)
def test_refund_of_a_payment_that_was_never_read_speaks_against_it(ledger: Ledger, refund: Row, expected: int) -> None:
    ledger.payment(ledger.user(), ledger.plan("pro", "year"), "succeeded", ago(days=200))
    told: Row = {"state": "refunded", "provider_ref": "re_1", "kind": "refund", "parent_ref": "pi_1"}
    ledger.transaction(**told | refund)
    assert len(gaps(ledger)) == expected


def test_disputed_payment_is_reported_and_left_to_a_person(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "succeeded")
    ledger.transaction("paid", disputed=True)
    assert verdict(ledger) == ("pro", False, "payment is disputed: a person must decide")


WORDS = ["suspended", "banned", "blocked", "deleted", "closed", "locked"]


@pytest.mark.parametrize("word", WORDS)
def test_barred_user_is_left_alone(ledger: Ledger, word: str) -> None:
    plan = ledger.plan()
    told = ledger.user(word)
    ledger.payment(told, plan, "succeeded", ago(days=8), transaction_id="pi_1")
    ledger.event(told, "status_changed", ago(days=3), word, "free")
    untold = ledger.user(word.upper())
    ledger.payment(untold, plan, "succeeded", ago(days=8), transaction_id="pi_2")
    gap = the_gap(ledger)
    assert (gap["user_id"], gap["repairable"]) == (untold, False)
    assert gap["reason"] == f"user is {word}: a person must decide"


@pytest.mark.parametrize("method", ["Stripe", " STRIPE "])
def test_provider_in_capitals_is_the_same_provider(ledger: Ledger, method: str) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending", payment_method=method)
    ledger.transaction("paid")
    ledger.webhook(payment, "processing", payment_method=method)
    gap = the_gap(ledger)
    assert (gap["provider"], gap["reason"], gap["paid_at"] < AS_OF) == ("stripe", "webhook stuck", True)

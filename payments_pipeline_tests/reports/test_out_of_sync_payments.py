"""Failure catalogue, lines S1, S2, C and E7: two sides in different states, and where they only seem to be."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

STATES = [
    "pending", "processing", "authorized", "paid", "partially_paid", "failed", "canceled", "expired", "refunded",
    "frozen", "unknown",
]  # fmt: skip
CLASSES = [
    {"pending", "processing"}, {"authorized"}, {"paid"}, {"partially_paid"}, {"refunded"},
    {"failed", "canceled", "expired"},
]  # fmt: skip
# The application has no word for frozen.
APP_WORDS = {state: state for state in STATES if state != "frozen"} | {"unknown": "weird"}


def drifts(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("out_of_sync_payments", **kwargs)


def the_drift(ledger: Ledger) -> Row:
    (drift,) = drifts(ledger)
    return drift


def test_every_pair_of_states_is_judged_by_its_class(ledger: Ledger) -> None:
    expected = set()
    for app, word in APP_WORDS.items():
        for provider in STATES:
            ref = f"{app}/{provider}"
            ledger.payment(None, None, word, transaction_id=ref, amount=20)
            ledger.transaction(provider, provider_ref=ref)
            same = any({app, provider} <= members for members in CLASSES)
            abandoned = app in {"failed", "canceled", "expired"} and provider == "pending"
            if not same and not abandoned and "unknown" not in {app, provider}:
                expected.add(ref)
    ledger.run("out_of_sync_payments")
    with ledger.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT provider_ref FROM reports.out_of_sync_payments").scalars().all()
    assert set(found) == expected


def test_application_counts_a_hold_as_money(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, None, "succeeded")
    ledger.transaction("authorized", raw_status="requires_capture")
    drift = the_drift(ledger)
    assert (drift["payment_id"], drift["user_id"], drift["username"]) == (payment, user, "kim")
    assert (drift["app_state"], drift["provider_state"], drift["severity"]) == ("paid", "authorized", "HIGH")
    assert (drift["amount"], drift["currency"]) == (Decimal("20.00"), "USD")
    assert drift["reason"] == "application says succeeded, provider says requires_capture (authorized)"


@pytest.mark.parametrize(("seconds", "expected"), [(200, 0), (400, 1)])
def test_webhook_in_flight_is_given_time(ledger: Ledger, seconds: int, expected: int) -> None:
    ledger.payment(None, None, "pending", ago(days=1))
    ledger.transaction("paid", ago(seconds=seconds))
    assert len(drifts(ledger)) == expected


def test_a_row_that_a_poller_touches_all_the_time_is_reported_all_the_same(ledger: Ledger) -> None:
    ledger.payment(None, None, "pending", ago(days=1), updated_at=ago(seconds=1))
    ledger.transaction("paid", ago(hours=1))
    assert len(drifts(ledger)) == 1


def test_there_is_no_grace_where_the_application_claims_more_than_the_provider(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(seconds=10))
    ledger.transaction("authorized", ago(seconds=10))
    assert len(drifts(ledger)) == 1


def test_second_try_on_one_intent_that_just_worked_is_given_time(ledger: Ledger) -> None:
    ledger.payment(None, None, "failed", ago(hours=1))
    ledger.transaction("paid", ago(seconds=30))
    assert drifts(ledger) == []
    assert len(drifts(ledger, as_of=AS_OF + timedelta(minutes=10))) == 1


def test_partial_refund_is_no_difference_and_a_full_one_is(ledger: Ledger) -> None:
    ledger.payment(None, None, "partially_refunded", transaction_id="pi_1")
    ledger.transaction("paid", amount_refunded=5)
    ledger.payment(None, None, "succeeded", transaction_id="pi_2")
    ledger.transaction("refunded", provider_ref="pi_2", amount_refunded=20)
    assert the_drift(ledger)["provider_ref"] == "pi_2"


def test_another_figure_is_another_reports_matter(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", amount=18, currency="EUR")
    ledger.transaction("paid")
    assert drifts(ledger) == []


def test_provider_in_capitals_is_the_same_provider(ledger: Ledger) -> None:
    ledger.payment(None, None, "SUCCEEDED", payment_method=" Stripe")
    ledger.transaction("canceled")
    assert the_drift(ledger)["app_status"] == "succeeded"


def test_the_captured_part_is_what_is_at_risk(ledger: Ledger) -> None:
    ledger.payment(None, None, "authorized")
    ledger.transaction("paid", amount_received=8, received_currency="USD")
    assert the_drift(ledger)["amount"] == 8


def test_what_was_made_after_the_moment_of_judgement_is_not_judged(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=1))
    ledger.transaction("authorized", ago(days=1))
    assert drifts(ledger, as_of=ago(days=2)) == []


def test_one_side_alone_is_another_reports_matter(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", transaction_id="pi_1")
    ledger.transaction("paid", provider_ref="pi_2")
    ledger.transaction("refunded", provider_ref="pi_1", kind="refund")
    assert drifts(ledger) == []


def test_of_several_attempts_on_one_object_the_newest_row_is_the_applications_word(ledger: Ledger) -> None:
    ledger.payment(None, None, "failed", ago(days=2))
    ledger.payment(None, None, "succeeded", ago(days=1))
    ledger.transaction("paid")
    assert drifts(ledger) == []


@pytest.mark.parametrize(
    ("app", "provider", "expected"),
    [("pending", "paid", 1), ("completed", "paid", 0), ("completed", "frozen", 1), ("pending", "processing", 0)],
)
@pytest.mark.parametrize("known_as", ["id", "hash", "hash as id"])
def test_deposits_compare_states_only(ledger: Ledger, app: str, provider: str, expected: int, known_as: str) -> None:
    names: dict[str, Row] = {
        "id": {"transaction_id": "dep_1", "tx_hash": "0xabc"},
        "hash": {"transaction_id": None, "tx_hash": "0xabc"},
        "hash as id": {"transaction_id": "0xabc"},
    }
    payment = ledger.payment(None, None, app, payment_method="okx", crypto_amount=20, **names[known_as])
    ledger.deposit(provider, amount=Decimal("19.9"))
    found = drifts(ledger)
    assert len(found) == expected
    assert [(drift["provider_ref"], drift["payment_id"]) for drift in found] == [("dep_1", payment)] * expected


def test_one_transaction_with_outputs_to_two_addresses_is_told_apart(ledger: Ledger) -> None:
    okx: Row = {"payment_method": "okx", "transaction_id": None, "tx_hash": "0xabc"}
    ledger.payment(None, None, "completed", deposit_address="T1", **okx)
    ledger.payment(None, None, "pending", deposit_address="T2", **okx)
    ledger.deposit("paid")
    ledger.deposit("processing", provider_ref="dep_2", deposit_address="T2")
    assert drifts(ledger) == []


def test_short_deposit_that_the_application_knows_to_be_short_is_fine(ledger: Ledger) -> None:
    ledger.payment(
        None, None, "partially_paid", payment_method="okx", transaction_id="dep_1", crypto_amount=20,
    )  # fmt: skip
    ledger.deposit("paid", amount=10)
    assert drifts(ledger) == []


GATEWAY: Row = {"provider": "nowpayments", "received_currency": "USDT"}
ORDER: Row = {
    "payment_method": "nowpayments", "transaction_id": "500", "crypto_currency": "usdt", "crypto_amount": 20,
}  # fmt: skip


@pytest.mark.parametrize(("arrived", "expected"), [("19.7", 0), ("19.5", 1)])
def test_short_within_two_percent_counts_as_paid(ledger: Ledger, arrived: str, expected: int) -> None:
    ledger.payment(None, None, "finished", **ORDER)
    ledger.transaction("partially_paid", provider_ref="500", amount_received=Decimal(arrived), **GATEWAY)
    assert len(drifts(ledger)) == expected


@pytest.mark.parametrize(("second", "expected"), [(8, 0), (2, 1)])
def test_repeated_deposits_are_added_up(ledger: Ledger, second: int, expected: int) -> None:
    ledger.payment(None, None, "finished", **ORDER)
    ledger.transaction("partially_paid", provider_ref="500", amount_received=12, **GATEWAY)
    ledger.transaction("paid", provider_ref="501", parent_ref="500", amount_received=second, **GATEWAY)
    assert len(drifts(ledger)) == expected


def test_full_sum_in_the_wrong_asset_is_reported(ledger: Ledger) -> None:
    ledger.payment(None, None, "finished", **ORDER)
    ledger.transaction(
        "partially_paid", provider_ref="500", raw_status="wrong_asset_confirmed", amount_received=20, **GATEWAY
    )
    assert len(drifts(ledger)) == 1


def test_gateway_that_names_the_coin_with_its_network_is_compared_by_its_own_sum(ledger: Ledger) -> None:
    ledger.payment(None, None, "finished", **ORDER)
    gateway = GATEWAY | {"received_currency": "USDTTRC20", "expected_amount": 20, "provider_ref": "500"}
    ledger.transaction("partially_paid", amount_received=Decimal("19.9"), **gateway)
    assert drifts(ledger) == []


def test_of_two_coins_in_one_transaction_the_right_one_is_compared(ledger: Ledger) -> None:
    asked: Row = {"payment_method": "okx", "crypto_amount": 20, "crypto_currency": "USDT"}
    ledger.payment(None, None, "finished", transaction_id=None, tx_hash="0xabc", **asked)
    ledger.deposit("paid", currency="SHIB")
    ledger.deposit("paid", provider_ref="dep_2")
    assert drifts(ledger) == []


@pytest.mark.parametrize(("raw", "expected"), [("confirmed", 0), ("CONFIRMED", 0), ("sending", 1)])
def test_the_providers_own_word_is_agreement(ledger: Ledger, raw: str, expected: int) -> None:
    ledger.payment(None, None, "confirmed", payment_method="nowpayments")
    ledger.transaction("processing", provider="nowpayments", raw_status=raw)
    assert len(drifts(ledger)) == expected


def test_the_same_word_after_a_full_refund_is_no_agreement(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded")
    ledger.transaction("refunded", raw_status="succeeded", amount_refunded=20)
    assert len(drifts(ledger)) == 1


def test_payment_whose_id_the_application_never_stored_is_compared_by_its_metadata(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "pending", transaction_id=None)
    ledger.transaction("paid", payment_ref=str(payment), link_method="metadata")
    drift = the_drift(ledger)
    assert (drift["provider_ref"], drift["payment_id"]) == ("pi_1", payment)


@pytest.mark.parametrize("came", [{"amount": 10}, {"currency": "SHIB"}, {"currency": "SHIB", "amount": 10}])
@pytest.mark.parametrize("app", ["finished", "pending"])
@pytest.mark.parametrize("known", [{"transaction_id": "dep_1"}, {"transaction_id": None, "tx_hash": "0xabc"}])
def test_short_deposit_or_another_coin_proves_no_payment_and_is_told_by_the_crypto_reports(
    ledger: Ledger, came: Row, app: str, known: Row
) -> None:
    ledger.payment(None, None, app, payment_method="okx", crypto_amount=20, crypto_currency="usdt", **known)
    ledger.deposit("paid", **came)
    assert drifts(ledger) == []


def test_deposit_that_is_not_final_is_no_money_whatever_came(ledger: Ledger) -> None:
    ledger.payment(None, None, "finished", payment_method="okx", transaction_id="dep_1", crypto_amount=20)
    ledger.deposit("processing", amount=10)
    assert len(drifts(ledger)) == 1


@pytest.mark.parametrize(("app", "provider"), [("weird", "paid"), ("succeeded", "unknown"), ("weird", "unknown")])
def test_what_nobody_understands_is_no_disagreement(ledger: Ledger, app: str, provider: str) -> None:
    ledger.payment(None, None, app)
    ledger.transaction(provider)
    assert drifts(ledger) == []

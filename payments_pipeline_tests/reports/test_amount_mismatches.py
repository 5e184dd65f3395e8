"""Failure catalogue, lines S3, S4, S12 and H6: sums that differ, and sums that only seem to."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.stripe_rows import fee, intent


def mismatches(ledger: Ledger) -> list[Row]:
    return ledger.rows("amount_mismatches")


def the_mismatch(ledger: Ledger) -> Row:
    (row,) = mismatches(ledger)
    return row


def test_amount_and_currency_differ(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, None, "succeeded", amount=Decimal("18.00"), currency="eur")
    ledger.transaction("paid")
    row = the_mismatch(ledger)
    assert (row["difference"], row["severity"]) == ("amount, currency", "HIGH")
    assert (row["payment_id"], row["user_id"], row["username"]) == (payment, user, "kim")
    assert (row["app_amount"], row["provider_amount"], row["amount"], row["currency"]) == (18, 20, 20, "USD")
    assert row["reason"] == "application says 18.00 EUR, provider says 20.00 USD: another currency"


def test_at_risk_is_by_how_much_they_differ(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", amount=Decimal("18.00"))
    ledger.transaction("paid")
    row = the_mismatch(ledger)
    assert (row["difference"], row["amount"], row["currency"]) == ("amount", 2, "USD")


def test_equal_figures_in_other_digits_and_case_are_equal(ledger: Ledger) -> None:
    ledger.payment(None, None, "SUCCEEDED", amount=Decimal("20"), currency="usd", payment_method=" Stripe")
    ledger.transaction("paid", amount=Decimal("20.000"))
    assert mismatches(ledger) == []


@pytest.mark.parametrize(
    ("currency", "amount", "right", "wrong"),
    [("JPY", "3000", "3000", "30.00"), ("KWD", "6.120", "6.12", "61.20"), ("UGX", "74000", "74000", "7400000")],
)
def test_currencies_without_or_with_three_decimals(
    ledger: Ledger, currency: str, amount: str, right: str, wrong: str
) -> None:
    for number, booked in enumerate([right, wrong]):
        ref = f"pi_{number}"
        ledger.payment(None, None, "succeeded", transaction_id=ref, amount=Decimal(booked), currency=currency)
        ledger.transaction("paid", provider_ref=ref, amount=Decimal(amount), currency=currency)
    row = the_mismatch(ledger)
    assert row["provider_ref"] == "pi_1"
    assert "power of ten" in row["reason"]


@pytest.mark.parametrize(("booked", "expected"), [(8, 0), (20, 1), (7, 1)])
@pytest.mark.parametrize("state", ["paid", "refunded"])
def test_the_captured_part_is_the_providers_amount(ledger: Ledger, booked: int, expected: int, state: str) -> None:
    ledger.payment(None, None, "captured", amount=booked)
    ledger.transaction(state, amount_received=8, received_currency="USD")
    found = mismatches(ledger)
    assert [row["provider_amount"] for row in found] == [8] * expected
    assert all(("a part was captured" in row["reason"]) == (booked == 20) for row in found)


def test_of_a_hold_the_whole_counts_until_something_is_captured(ledger: Ledger) -> None:
    ledger.payment(None, None, "authorized")
    ledger.transaction("authorized", amount_received=0, received_currency="USD")
    assert mismatches(ledger) == []


def test_net_is_a_mismatch_and_says_so_and_gross_is_none(ledger: Ledger) -> None:
    intent(ledger, "succeeded", charge_id="ch_1")
    fee(ledger, "19.12")
    ledger.payment(None, None, "succeeded", amount=Decimal("19.12"))
    ledger.transaction("paid", amount_received=20)
    assert the_mismatch(ledger)["reason"].endswith("the application holds what the fee left of it")
    ledger.payment(None, None, "succeeded", amount=Decimal("20.00"))
    assert mismatches(ledger) == []


def test_settlement_in_another_currency_explains_nothing(ledger: Ledger) -> None:
    intent(ledger, "succeeded", charge_id="ch_1")
    fee(ledger, "19.12", currency="eur")
    ledger.payment(None, None, "succeeded", amount=Decimal("19.12"))
    ledger.transaction("paid")
    assert the_mismatch(ledger)["reason"].endswith("20.00 USD")


@pytest.mark.parametrize(
    ("status", "booked", "expected"),
    [("succeeded", 20, 0), ("partially_refunded", 20, 0), ("partially_refunded", 15, 0), ("succeeded", 15, 1),
     ("partially_refunded", 14, 1)],
)  # fmt: skip
def test_partial_refund_changes_no_sum_unless_the_application_says_so(
    ledger: Ledger, status: str, booked: int, expected: int
) -> None:
    ledger.payment(None, None, status, amount=booked)
    ledger.transaction("paid", amount_refunded=5)
    assert len(mismatches(ledger)) == expected


@pytest.mark.parametrize(("app", "provider", "expected"), [
    ("expired", "pending", 0), ("failed", "canceled", 0), ("pending", "pending", 1), ("failed", "paid", 1),
])  # fmt: skip
def test_attempts_that_both_sides_gave_up_harm_nobody(ledger: Ledger, app: str, provider: str, expected: int) -> None:
    ledger.payment(None, None, app, amount=18)
    ledger.transaction(provider)
    assert len(mismatches(ledger)) == expected


@pytest.mark.parametrize(("second", "expected"), [(12, 0), (11, 1)])
def test_rows_that_add_up_to_one_payment_agree_with_it(ledger: Ledger, second: int, expected: int) -> None:
    ledger.payment(None, None, "succeeded", ago(days=2), amount=8)
    ledger.payment(None, None, "succeeded", amount=second)
    ledger.payment(None, None, "failed", ago(days=3), amount=20)
    ledger.transaction("paid")
    assert len(mismatches(ledger)) == expected


def test_of_several_attempts_on_one_object_the_newest_row_is_the_applications_word(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=2), amount=8)
    ledger.payment(None, None, "succeeded", ago(days=1))
    ledger.transaction("paid")
    assert mismatches(ledger) == []


@pytest.mark.parametrize(("seconds", "expected"), [(200, 0), (400, 1)])
def test_capture_whose_webhook_is_in_flight_is_given_time(ledger: Ledger, seconds: int, expected: int) -> None:
    ledger.payment(None, None, "authorized", ago(days=1))
    ledger.transaction(
        "paid", ago(days=1), state_changed_at=ago(seconds=seconds), amount_received=8, received_currency="USD"
    )
    assert len(mismatches(ledger)) == expected


def test_coins_that_were_received_are_not_taken_for_the_price(ledger: Ledger) -> None:
    ledger.payment(None, None, "finished", payment_method="nowpayments")
    ledger.transaction("paid", provider="nowpayments", amount_received=Decimal("0.001"), received_currency="BTC")
    assert mismatches(ledger) == []


def test_deposits_and_refunds_are_other_reports_matter(ledger: Ledger) -> None:
    ledger.payment(None, None, "completed", payment_method="okx", transaction_id="dep_1", amount=18)
    ledger.deposit("paid")
    ledger.payment(None, None, "refunded", amount=20)
    ledger.transaction("refunded", kind="refund", amount=5)
    assert mismatches(ledger) == []


def test_status_that_nobody_knows_hides_no_difference(ledger: Ledger) -> None:
    ledger.payment(None, None, "weird", amount=18)
    ledger.transaction("unknown", raw_status="quantum_settled")
    assert the_mismatch(ledger)["amount"] == 2


def test_payment_whose_id_the_application_never_stored_is_compared_by_its_metadata(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "succeeded", transaction_id=None, amount=18)
    ledger.transaction("paid", payment_ref=str(payment), link_method="metadata")
    assert the_mismatch(ledger)["payment_id"] == payment


def test_what_was_made_after_the_moment_of_judgement_is_not_judged(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", amount=18)
    ledger.transaction("paid")
    assert ledger.rows("amount_mismatches", as_of=AS_OF - timedelta(days=2)) == []

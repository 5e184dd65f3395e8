"""Failure catalogue, E10: paid twice for one period or one booking; renewals and second bookings are look-alikes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def found(ledger: Ledger) -> list[Row]:
    return ledger.rows("duplicate_payments")


def twice(
    ledger: Ledger, days_apart: float, period: str = "month", *, second: str = "succeeded", **user: object
) -> int:
    plan = ledger.plan("pro", period)
    number = ledger.user("active", "pro", **user)
    ledger.payment(number, plan, "succeeded", ago(days=20), transaction_id="pi_0")
    return ledger.payment(number, plan, second, ago(days=20 - days_apart))


def test_the_second_of_two_in_a_minute_is_owed_back(ledger: Ledger) -> None:
    second = twice(ledger, 0.001)
    (row,) = found(ledger)
    assert (row["payment_id"], row["severity"], row["amount"]) == (second, "HIGH", 20)
    assert (row["provider_ref"], row["first_provider_ref"], row["plan"]) == ("pi_1", "pi_0", "pro month")


@pytest.mark.parametrize(
    ("period", "days", "expected"),
    [("month", 15, 1), ("month", 16, 0), ("month", 19, 0), ("week", 3, 1), ("week", 4, 0), ("lifetime", 19, 1)],
)
def test_renewals_come_in_the_second_half_of_the_period(
    ledger: Ledger, period: str, days: float, expected: int
) -> None:
    twice(ledger, days, period)
    assert len(found(ledger)) == expected


@pytest.mark.parametrize(("renewal_in_days", "expected"), [(10, 1), (14, 1), (38, 0), (42, 0)])
def test_two_months_bought_ahead_and_given_are_fine(ledger: Ledger, renewal_in_days: int, expected: int) -> None:
    """Paid 20 and 16 days ago: two months end in some 40 days, the second alone in 14."""
    twice(ledger, 4, subscription_renewal_date=ago(days=-renewal_in_days))
    assert len(found(ledger)) == expected


def test_paid_at_the_provider_is_paid_whatever_the_application_says(ledger: Ledger) -> None:
    second = twice(ledger, 1, second="pending")
    assert found(ledger) == []
    ledger.transaction("paid", ago(days=19))
    assert [row["payment_id"] for row in found(ledger)] == [second]


@pytest.mark.parametrize("second", ["refunded", "failed", "pending", "canceled"])
def test_only_what_is_paid_counts(ledger: Ledger, second: str) -> None:
    twice(ledger, 1, second=second)
    assert found(ledger) == []


def test_refunded_at_the_provider_is_settled(ledger: Ledger) -> None:
    twice(ledger, 1)
    ledger.transaction("refunded", ago(days=19))
    assert found(ledger) == []


def test_another_plan_is_another_purchase(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=20), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=19))
    assert found(ledger) == []


def test_three_times_is_two_too_many(ledger: Ledger) -> None:
    plan, user = ledger.plan(), ledger.user("active", "pro")
    paid = [ledger.payment(user, plan, "succeeded", ago(days=9, minutes=n), transaction_id=f"pi_{n}") for n in range(3)]
    assert {row["payment_id"] for row in found(ledger)} == {paid[0], paid[1]}


def test_long_settled_history_is_left_alone(ledger: Ledger) -> None:
    plan, user = ledger.plan(), ledger.user()
    for number in range(2):
        ledger.payment(user, plan, "succeeded", ago(days=300, hours=number), transaction_id=f"pi_{number}")
    assert found(ledger) == []


def test_staff_may_pay_as_often_as_they_like(ledger: Ledger) -> None:
    twice(ledger, 1, is_internal=True)
    assert found(ledger) == []


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [(("20", "20"), 1), (("8", "12"), 0), (("8", "12.01"), 0), (("8", "16"), 1), (("10", "10", "10"), 1)],
)
def test_booking_paid_for_more_than_its_price(ledger: Ledger, amounts: tuple[str, ...], expected: int) -> None:
    """Its price is 20: a deposit and the rest are no duplicates, nor are a few cents."""
    user = ledger.user()
    booking = ledger.booking(user, ledger.user())
    for number, amount in enumerate(amounts):
        ledger.payment(
            user, None, "captured", ago(days=3, hours=-number), booking_id=booking, amount=Decimal(amount),
            transaction_id=f"pi_{number}", confirmed_at=ago(days=3, hours=-number),
        )  # fmt: skip
    rows = found(ledger)
    assert len(rows) == expected
    assert all(row["booking_id"] == booking for row in rows)


def test_two_bookings_are_two_payments(ledger: Ledger) -> None:
    user, host = ledger.user(), ledger.user()
    for number in range(2):
        ledger.payment(
            user, None, "captured", booking_id=ledger.booking(user, host), transaction_id=f"pi_{number}"
        )  # fmt: skip
    assert found(ledger) == []


def test_hold_that_was_replaced_is_not_paid(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user())
    ledger.payment(user, None, "authorized", booking_id=booking, transaction_id="pi_0")
    ledger.payment(user, None, "captured", booking_id=booking)
    assert found(ledger) == []

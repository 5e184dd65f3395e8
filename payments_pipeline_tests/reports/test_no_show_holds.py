"""Failure catalogue, line H4: the window is over, nobody came, the hold is still open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def held(ledger: Ledger, *, ended: datetime, state: str = "authorized", **booking: Any) -> int:
    """A hold for a booking that ended then; returns the payment."""
    user = ledger.user()
    made = ledger.booking(user, user, starts_at=ended - timedelta(hours=1), ends_at=ended, **booking)
    ledger.transaction(state, ago(days=2), capture_before=AS_OF + timedelta(days=5))
    return ledger.payment(user, None, "authorized", ago(days=2), booking_id=made)


def rows(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("no_show_holds", **kwargs)


def test_nobody_came_and_the_hold_is_open(ledger: Ledger) -> None:
    payment = held(ledger, ended=ago(hours=5))
    (row,) = rows(ledger)
    assert (row["payment_id"], row["provider_ref"], row["username"]) == (payment, "pi_1", "kim")
    assert (row["severity"], row["recommendation"], row["amount"]) == ("MEDIUM", "release", 20)
    assert (row["needs_person"], row["actual_start"]) == (False, None)
    assert row["reason"] == "over, nobody joined, and the hold is still open"
    assert ledger.rows("stuck_authorizations") == []


@pytest.mark.parametrize(("minutes", "expected"), [(59, 0), (61, 1)])
def test_an_hour_is_left_to_write_down_that_it_took_place(ledger: Ledger, minutes: int, expected: int) -> None:
    held(ledger, ended=ago(minutes=minutes))
    assert len(rows(ledger)) == expected
    assert len(rows(ledger, overrides={"grace_minutes": 30})) == 1


@pytest.mark.parametrize(
    ("booking", "expected"),
    [
        ({"actual_start": ago(hours=6)}, []),
        ({"actual_start": ago(hours=6), "status": "completed"}, []),
        ({"status": "completed"}, []),
        ({"status": "no_show"}, ["no-show, and the hold is still open"]),
        ({"status": "canceled"}, ["cancelled, its time is over, and the hold is still open"]),
        ({"cancelled_by": "customer"}, ["cancelled, its time is over, and the hold is still open"]),
    ],
)
def test_what_the_booking_says_decides(ledger: Ledger, booking: dict[str, Any], expected: list[str]) -> None:
    held(ledger, ended=ago(hours=5), **booking)
    assert [row["reason"] for row in rows(ledger)] == expected


def test_a_recorded_start_of_a_no_show_leaves_the_release_to_a_person(ledger: Ledger) -> None:
    held(ledger, ended=ago(hours=5), status="no_show", actual_start=ago(hours=6))
    (row,) = rows(ledger)
    assert row["reason"] == "called a no-show, but somebody joined, and the hold is still open"
    assert (row["recommendation"], row["needs_person"], row["actual_start"]) == ("decide", True, ago(hours=6))


@pytest.mark.parametrize("state", ["paid", "canceled", "pending"])
def test_no_open_hold_no_row(ledger: Ledger, state: str) -> None:
    held(ledger, ended=ago(hours=5), state=state)
    assert rows(ledger) == []


def test_two_attempts_on_one_hold_give_one_row(ledger: Ledger) -> None:
    payment = held(ledger, ended=ago(hours=5))
    user = ledger.user()
    booking = ledger.booking(user, user)
    ledger.payment(user, None, "failed", ago(days=3), booking_id=booking)
    assert [row["payment_id"] for row in rows(ledger)] == [payment]


def test_holds_made_after_the_moment_that_is_asked_for_are_not_judged(ledger: Ledger) -> None:
    held(ledger, ended=ago(days=4))
    assert rows(ledger, as_of=ago(days=3)) == []


def test_an_old_no_show_is_told_by_both_reports(ledger: Ledger) -> None:
    held(ledger, ended=ago(hours=30))
    ledger.add("public.bookings", customer_id=1, provider_id=1, starts_at=AS_OF, ends_at=AS_OF, price=1, currency="USD")
    (stuck,) = ledger.rows("stuck_authorizations", overrides={"lead_hours": 24 * 6})
    assert (stuck["recommendation"], len(rows(ledger))) == ("release", 1)

"""Failure catalogue, line H: holds that run out, and holds that have time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def holds(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("stuck_authorizations", **kwargs)


def test_hold_near_its_deadline(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, user)
    payment = ledger.payment(user, None, "authorized", ago(days=6), booking_id=booking)
    ledger.transaction("authorized", ago(days=6), capture_before=AS_OF + timedelta(hours=30, minutes=30))
    (hold,) = holds(ledger)
    assert (hold["payment_id"], hold["booking_id"], hold["username"]) == (payment, booking, "kim")
    assert (hold["severity"], hold["reason"]) == ("HIGH", "deadline near")
    assert (hold["hours_left"], hold["age_days"], hold["user_id"]) == (Decimal("30.5"), 6, str(user))


def test_hold_whose_deadline_passed_is_grave(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=7, hours=3), capture_before=ago(hours=27))
    (hold,) = holds(ledger)
    assert (hold["severity"], hold["reason"], hold["hours_left"]) == ("HIGH", "deadline passed", -27)


@pytest.mark.parametrize(("days", "expected"), [(7.1, ["MEDIUM"]), (6.9, [])])
def test_hold_without_a_deadline_is_old_after_seven_days(ledger: Ledger, days: float, expected: list[str]) -> None:
    ledger.transaction("authorized", ago(days=days))
    assert [hold["severity"] for hold in holds(ledger)] == expected


def test_extended_hold_on_day_nine_is_fine(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=9), capture_before=AS_OF + timedelta(days=21))
    assert holds(ledger) == []


def test_lead_and_age_can_be_set(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=3), capture_before=AS_OF + timedelta(hours=50))
    ledger.transaction("authorized", ago(days=3), provider_ref="pi_2")
    assert len(holds(ledger, overrides={"lead_hours": 51, "max_age_days": 2})) == 2
    assert holds(ledger) == []


@pytest.mark.parametrize("state", ["paid", "canceled", "pending", "refunded"])
def test_what_is_no_longer_held_is_fine_whatever_the_application_believes(ledger: Ledger, state: str) -> None:
    ledger.payment(None, None, "authorized", ago(days=20))
    ledger.transaction(state, ago(days=20))
    assert holds(ledger) == []


def test_hold_that_only_the_application_knows_is_old_after_seven_days(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "requires_capture", ago(days=8))
    ledger.payment(None, None, "requires_capture", ago(days=6), transaction_id="pi_2")
    (hold,) = holds(ledger)
    assert (hold["payment_id"], hold["severity"]) == (payment, "MEDIUM")
    assert hold["reason"] == "old, and known to the application only"


def test_two_attempts_on_one_hold_give_one_row(ledger: Ledger) -> None:
    ledger.payment(None, None, "failed", ago(days=9))
    newest = ledger.payment(None, None, "authorized", ago(days=8))
    ledger.transaction("authorized", ago(days=8))
    assert [hold["payment_id"] for hold in holds(ledger)] == [newest]


def test_age_of_a_hold_counts_from_the_authorization_not_from_the_intent(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=10), state_changed_at=ago(days=1))
    ledger.transaction("authorized", ago(days=10), state_changed_at=ago(days=8), provider_ref="pi_2")
    (hold,) = holds(ledger)
    assert (hold["provider_ref"], hold["age_days"], hold["created_at"]) == ("pi_2", 8, ago(days=8))


@pytest.mark.parametrize(
    ("booking", "expected"),
    [
        ({"actual_start": ago(hours=24), "status": "completed"}, "capture"),
        ({"actual_start": ago(hours=24)}, "capture"),
        ({"status": "completed"}, "capture"),
        ({}, "release"),
        ({"status": "no_show"}, "release"),
        ({"status": "no_show", "actual_start": ago(hours=24)}, "decide"),
        ({"status": "cancelled"}, "release"),
        ({"cancelled_by": "customer"}, "release"),
        ({"ends_at": ago(minutes=59)}, "wait"),
        ({"ends_at": ago(minutes=61)}, "release"),
        ({"starts_at": AS_OF + timedelta(hours=3), "ends_at": AS_OF + timedelta(hours=4)}, "wait"),
        (None, "release"),
    ],
)
def test_the_booking_says_what_to_do_with_the_hold(
    ledger: Ledger, booking: dict[str, Any] | None, expected: str
) -> None:
    user = ledger.user()
    made = None if booking is None else ledger.booking(user, user, **booking)
    ledger.payment(user, None, "authorized", ago(days=6), booking_id=made)
    ledger.transaction("authorized", ago(days=6), capture_before=AS_OF + timedelta(hours=30))
    assert [hold["recommendation"] for hold in holds(ledger)] == [expected]


@pytest.mark.parametrize(
    ("app", "ended", "booking", "expected"),
    [
        ("authorized", ago(days=4), {"actual_start": ago(days=4, hours=1)}, ["capture"]),
        ("pending", ago(days=4), {"status": "completed"}, ["capture"]),
        ("captured", ago(days=4), {"status": "completed"}, []),
        ("authorized", ago(days=2), {"status": "completed"}, []),
        ("authorized", ago(days=4), {}, []),
        ("authorized", ago(days=4), {"actual_start": ago(days=4, hours=1), "cancelled_by": "host"}, []),
    ],
)
def test_what_was_delivered_days_ago_and_never_captured_was_forgotten(
    ledger: Ledger, app: str, ended: datetime, booking: dict[str, Any], expected: list[str]
) -> None:
    user = ledger.user()
    made = ledger.booking(user, user, starts_at=ended - timedelta(hours=1), ends_at=ended, **booking)
    ledger.payment(user, None, app, ago(days=5), booking_id=made)
    ledger.transaction("authorized", ago(days=5), capture_before=AS_OF + timedelta(days=25))
    found = holds(ledger)
    assert [hold["recommendation"] for hold in found] == expected
    assert all((hold["severity"], hold["reason"][:9]) == ("MEDIUM", "delivered") for hold in found)


def test_hold_for_a_plan_waits_and_one_that_nobody_knows_is_released(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "authorized", ago(days=8))
    ledger.transaction("authorized", ago(days=8))
    ledger.transaction("authorized", ago(days=8), provider_ref="pi_2")
    assert {hold["provider_ref"]: hold["recommendation"] for hold in holds(ledger)} == {
        "pi_1": "wait",
        "pi_2": "release",
    }


def test_holds_made_after_the_moment_that_is_asked_for_are_not_judged(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=2), capture_before=AS_OF + timedelta(hours=30))
    assert len(holds(ledger)) == 1
    assert holds(ledger, as_of=ago(days=3)) == []

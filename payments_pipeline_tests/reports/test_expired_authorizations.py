"""Failure catalogue, line H3: the hold ran out, and the money is missed."""

from __future__ import annotations

from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

DELIVERED: dict[str, Any] = {"status": "completed", "actual_start": ago(hours=24)}


def intent(ledger: Ledger, ref: str = "pi_1", **columns: Any) -> None:
    """A hold that Stripe let go an hour ago, in both forms."""
    values: dict[str, Any] = {
        "account": "acct_1", "livemode": True, "object_id": ref, "status": "canceled", "currency": "usd",
        "cancellation_reason": "automatic", "amount": 20, "amount_received": 0, "amount_capturable": 0,
        "capture_method": "manual", "created_at": ago(days=7), "canceled_at": ago(hours=1), "charge_id": "ch_1",
        "charge_status": "succeeded", "charge_captured": False, "read_at": AS_OF, "digest": 1,
    }  # fmt: skip
    ledger.add("recon.stripe_payment_intents", **values | columns)
    ledger.transaction("canceled", ago(days=7), provider_ref=ref)


def lapsed(ledger: Ledger, app: str = "canceled", booking: dict[str, Any] | None = None, **columns: Any) -> int:
    """Such a hold for a booking; returns the booking."""
    user = ledger.user()
    made = ledger.booking(user, user, **(booking or {}))
    intent(ledger, **columns)
    ledger.payment(user, None, app, ago(days=7), booking_id=made)
    return made


def rows(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("expired_authorizations", **kwargs)


def test_delivered_and_run_out(ledger: Ledger) -> None:
    booking = lapsed(ledger, booking=DELIVERED)
    (row,) = rows(ledger)
    assert (row["provider_ref"], row["booking_id"], row["username"]) == ("pi_1", booking, "kim")
    assert (row["severity"], row["amount"], row["currency"]) == ("HIGH", 20, "USD")
    assert (row["expired_at"], row["reason"]) == (ago(hours=1), "delivered, and never captured")
    assert ledger.rows("missing_payments") == []


@pytest.mark.parametrize(
    ("app", "booking", "reason"),
    [
        ("authorized", {}, "the application believes the money is still held"),
        ("succeeded", {}, "the application counts the money as paid"),
        ("succeeded", DELIVERED, "delivered, and the application still counts the money"),
        ("canceled", {}, None),
        ("expired", {"status": "scheduled"}, None),
        ("authorized", {"status": "no_show"}, None),
        ("authorized", {"status": "cancelled"}, None),
        ("authorized", {"cancelled_by": "customer"}, None),
        ("canceled", DELIVERED | {"status": "no_show"}, None),
    ],
)
def test_lost_is_only_what_was_delivered_or_is_counted_on(
    ledger: Ledger, app: str, booking: dict[str, Any], reason: str | None
) -> None:
    lapsed(ledger, app, booking)
    assert [row["reason"] for row in rows(ledger)] == ([reason] if reason else [])


@pytest.mark.parametrize(
    "columns",
    [
        {"cancellation_reason": "requested_by_customer"},
        {"cancellation_reason": "abandoned"},
        {"cancellation_reason": None},
        {"capture_method": "automatic"},
        {"charge_id": None, "charge_status": None},
        {"charge_status": "failed"},
        {"vanished_at": AS_OF},
    ],
)
def test_given_up_on_purpose_or_never_held_is_not_run_out(ledger: Ledger, columns: dict[str, Any]) -> None:
    lapsed(ledger, "authorized", **columns)
    assert rows(ledger) == []


def test_stripe_calls_it_expired_too(ledger: Ledger) -> None:
    lapsed(ledger, booking=DELIVERED, cancellation_reason="expired")
    assert len(rows(ledger)) == 1


@pytest.mark.parametrize(
    ("app", "provider", "expected"),
    [
        ("succeeded", "paid", 0), ("authorized", "authorized", 0), ("pending", "paid", 0), ("succeeded", None, 0),
        ("failed", "failed", 1), ("succeeded", "canceled", 1),
    ],
)  # fmt: skip
def test_another_payment_for_the_booking_makes_up_for_it(
    ledger: Ledger, app: str, provider: str | None, expected: int
) -> None:
    booking = lapsed(ledger, booking=DELIVERED)
    ledger.payment(1, None, app, ago(hours=1), booking_id=booking, transaction_id="pi_2")
    if provider:
        ledger.transaction(provider, ago(hours=1), provider_ref="pi_2")
    assert len(rows(ledger)) == expected


def test_a_hold_that_ran_out_nobody_says_when(ledger: Ledger) -> None:
    lapsed(ledger, "authorized", canceled_at=None, read_at=ago(hours=3))
    (row,) = rows(ledger)
    assert (row["provider_ref"], row["expired_at"]) == ("pi_1", ago(hours=3))
    assert rows(ledger, as_of=ago(hours=4)) == []


def test_a_hold_that_runs_out_later_is_not_foretold(ledger: Ledger) -> None:
    lapsed(ledger, "authorized")
    assert rows(ledger, as_of=ago(hours=2)) == []

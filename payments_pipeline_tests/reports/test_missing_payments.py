"""Failure catalogue, line P1: a service took place and nobody paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.test_expired_authorizations import intent


def delivered(ledger: Ledger, user: int | None = None, **columns: Any) -> int:
    user = user or ledger.user()
    return ledger.booking(user, user, **{"actual_start": ago(hours=24), "status": "completed", **columns})


def rows(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("missing_payments", **kwargs)


def test_delivered_and_never_paid(ledger: Ledger) -> None:
    booking = delivered(ledger)
    (row,) = rows(ledger)
    assert (row["booking_id"], row["severity"], row["username"]) == (booking, "CRITICAL", "kim")
    assert (row["amount"], row["currency"], row["provider_ref"]) == (20, "USD", None)
    assert row["reason"] == "delivered, and no payment was ever made for it"


def test_attempts_that_failed_are_named(ledger: Ledger) -> None:
    booking = delivered(ledger)
    ledger.payment(1, None, "failed", ago(hours=26), booking_id=booking)
    newest = ledger.payment(1, None, "canceled", ago(hours=25), booking_id=booking, transaction_id="pi_2")
    ledger.transaction("canceled", provider_ref="pi_2")
    (row,) = rows(ledger)
    assert (row["payment_id"], row["provider_ref"], row["payment_status"]) == (newest, "pi_2", "canceled")
    assert row["reason"] == "delivered, and no attempt to pay for it succeeded"


@pytest.mark.parametrize(
    "columns",
    [
        {"price": 0},
        {"actual_start": None, "status": "scheduled"},
        {"status": "no_show"},
        {"status": "Cancelled"},
        {"cancelled_by": "provider"},
        {"ends_at": ago(minutes=59)},
        {"ends_at": AS_OF + timedelta(hours=1)},
    ],
)
def test_not_delivered_or_free_is_no_debt(ledger: Ledger, columns: dict[str, Any]) -> None:
    delivered(ledger, **columns)
    assert rows(ledger) == []


def test_the_grace_ends_after_an_hour(ledger: Ledger) -> None:
    delivered(ledger, ends_at=ago(minutes=61))
    assert len(rows(ledger)) == 1


def test_staff_books_for_nothing(ledger: Ledger) -> None:
    delivered(ledger, ledger.user(is_internal=True))
    assert rows(ledger) == []


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        *((word, 0) for word in ("succeeded", "authorized", "processing", "refunded", "partially_paid", "odd_word")),
        *((word, 1) for word in ("pending", "failed", "canceled", "expired")),
    ],
)
def test_what_the_application_says_of_the_payment(ledger: Ledger, app: str, expected: int) -> None:
    ledger.payment(None, None, app, booking_id=delivered(ledger))
    assert len(rows(ledger)) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        *((state, 0) for state in ("paid", "authorized", "processing", "refunded", "frozen", "unknown")),
        *((state, 1) for state in ("pending", "failed", "canceled", "expired")),
    ],
)
def test_the_provider_may_know_better(ledger: Ledger, state: str, expected: int) -> None:
    ledger.payment(None, None, "pending", booking_id=delivered(ledger))
    ledger.transaction(state)
    assert len(rows(ledger)) == expected


def test_money_that_names_the_payment_in_its_metadata_counts(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "pending", booking_id=delivered(ledger), transaction_id=None)
    ledger.transaction("paid", payment_ref=str(payment), link_method="metadata")
    assert rows(ledger) == []


def test_a_deposit_that_is_known_by_its_hash_counts(ledger: Ledger) -> None:
    booking = delivered(ledger)
    ledger.payment(
        None, None, "pending", booking_id=booking, payment_method="okx", transaction_id=None, tx_hash="0xabc"
    )
    ledger.deposit("paid")
    assert rows(ledger) == []


@pytest.mark.parametrize(("cause", "expected"), [("automatic", 0), ("requested_by_customer", 1)])
def test_a_hold_that_ran_out_is_the_matter_of_another_report(ledger: Ledger, cause: str, expected: int) -> None:
    ledger.payment(None, None, "canceled", booking_id=delivered(ledger))
    intent(ledger, cancellation_reason=cause)
    assert len(rows(ledger)) == expected

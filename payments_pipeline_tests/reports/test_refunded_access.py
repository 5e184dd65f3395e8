"""Failure catalogue, E7 and E8: the money went back and the access stayed, or the access went and the money stayed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def found(ledger: Ledger) -> list[Row]:
    return ledger.rows("refunded_access")


def subscriber(ledger: Ledger, status: str = "succeeded", user: str = "active", **payment: object) -> int:
    number = ledger.user(user, "pro")
    ledger.payment(number, ledger.plan(), status, ago(days=5), **payment)
    return number


def failed_refund(ledger: Ledger, state: str = "failed") -> None:
    ledger.transaction(state, ago(days=3), provider_ref="re_1", kind="refund", parent_ref="pi_1")


def test_refunded_at_the_provider_and_still_active(ledger: Ledger) -> None:
    user = subscriber(ledger)
    ledger.transaction("refunded", ago(days=4), amount_refunded=Decimal(20))
    (row,) = found(ledger)
    assert (row["user_id"], row["severity"], row["direction"]) == (user, "HIGH", "access kept")
    assert (row["reason"], row["returned_at"]) == (
        "the payment was refunded and the user still has access",
        ago(days=4),
    )
    assert ledger.rows("unpaid_access") == ledger.rows("wrong_tier") == []


@pytest.mark.parametrize("provider", [None, "refunded", "pending"])
def test_refunded_in_the_application_and_still_active(ledger: Ledger, provider: str | None) -> None:
    subscriber(ledger, "refunded")
    if provider is not None:
        ledger.transaction(provider)
    assert len(found(ledger)) == 1


@pytest.mark.parametrize(
    ("status", "amount", "expected"),
    [("lost", "20", 1), ("lost", "5", 0), ("won", "20", 0), ("needs_response", "20", 0), ("warning_closed", "20", 0)],
)
def test_only_a_lost_dispute_takes_the_money(ledger: Ledger, status: str, amount: str, expected: int) -> None:
    subscriber(ledger)
    ledger.transaction("paid", disputed=True)
    ledger.dispute("pi_1", status, amount)
    rows = found(ledger)
    assert len(rows) == expected
    assert all(row["reason"] == "the payment was lost in a dispute and the user still has access" for row in rows)


def test_a_part_given_back_keeps_access(ledger: Ledger) -> None:
    subscriber(ledger)
    ledger.transaction("paid", amount_refunded=Decimal(19))
    assert found(ledger) == []


def test_refund_whose_payment_was_never_read(ledger: Ledger) -> None:
    subscriber(ledger)
    ledger.transaction("refunded", provider_ref="re_1", kind="refund", parent_ref="pi_1")
    assert len(found(ledger)) == 1


def test_refunded_seconds_ago_is_being_processed(ledger: Ledger) -> None:
    subscriber(ledger)
    ledger.transaction("refunded", ago(seconds=100))
    assert found(ledger) == []


def test_over_anyway(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan("pro", "day"), "refunded", ago(days=5))
    assert found(ledger) == []


@pytest.mark.parametrize("other", ["succeeded", "processing"])
def test_another_payment_gives_access(ledger: Ledger, other: str) -> None:
    user = subscriber(ledger, "refunded")
    ledger.payment(user, ledger.plan("pro", "year"), other, ago(days=6), transaction_id="pi_2")
    assert found(ledger) == []


@pytest.mark.parametrize(
    "columns",
    [{"is_internal": True}, {"access_override_until": ago(days=-1)}, {"trial_ends_at": ago(days=-1)}],
    ids=["internal", "override", "trial"],
)
def test_access_for_another_reason(ledger: Ledger, columns: Row) -> None:
    ledger.payment(ledger.user("active", "pro", **columns), ledger.plan(), "refunded", ago(days=5))
    assert found(ledger) == []


@pytest.mark.parametrize("app", ["refunded", "succeeded"])
@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_refund_that_failed_took_the_access(ledger: Ledger, app: str, state: str) -> None:
    user = subscriber(ledger, app, user="inactive")
    ledger.event(user, "refunded", ago(days=4), "inactive", "free")
    ledger.transaction("paid")
    failed_refund(ledger, state)
    (row,) = found(ledger)
    assert (row["user_id"], row["direction"], row["returned_at"]) == (user, "access taken", None)
    assert row["reason"] == "the refund failed at stripe: the money is still here, the access is gone"
    assert ledger.rows("activation_gaps") == []


def test_refund_that_was_repeated_with_success(ledger: Ledger) -> None:
    subscriber(ledger, "refunded", user="inactive")
    ledger.transaction("refunded")
    failed_refund(ledger)
    assert found(ledger) == []


def test_failed_refund_and_access_still_there(ledger: Ledger) -> None:
    subscriber(ledger)
    ledger.transaction("paid")
    failed_refund(ledger)
    assert found(ledger) == []


def test_cancelled_for_another_reason(ledger: Ledger) -> None:
    user = subscriber(ledger, user="canceled")
    ledger.event(user, "canceled", ago(days=2), "canceled", "free")
    ledger.transaction("paid")
    failed_refund(ledger)
    assert found(ledger) == []

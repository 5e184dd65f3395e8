"""Failure catalogue, E6: paid again, and the end of access did not move."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def found(ledger: Ledger) -> list[Row]:
    return ledger.rows("renewal_gaps")


def renewed(ledger: Ledger, renewal: timedelta, **columns: object) -> int:
    """Pro by the month, paid 35 and again 5 days ago; the application ends access so long after the second payment."""
    end = ago(days=5) + renewal
    user = ledger.user("active", "pro", **{"subscription_renewal_date": end, **columns})
    plan = ledger.plan()
    ledger.payment(user, plan, "succeeded", ago(days=35), transaction_id="pi_0")
    ledger.payment(user, plan, "succeeded", ago(days=5))
    return user


def test_renewal_that_moved_nothing(ledger: Ledger) -> None:
    user = renewed(ledger, timedelta(days=-1))
    (row,) = found(ledger)
    assert (row["user_id"], row["severity"], row["days_short"]) == (user, "HIGH", 32)
    assert row["reason"] == "the date of renewal is older than the payment: it was never extended"
    assert row["runs_until"] == ago(days=5) + timedelta(days=31)
    assert (row["provider_ref"], row["amount"], row["currency"]) == ("pi_1", 20, "USD")


@pytest.mark.parametrize(("days", "expected"), [(29.5, 1), (30, 0), (31, 0), (60, 0)])
def test_a_month_of_thirty_days_and_more_is_fine(ledger: Ledger, days: float, expected: int) -> None:
    """October has 31; 60 is an application that adds one period to the next."""
    renewed(ledger, timedelta(days=days))
    assert len(found(ledger)) == expected


def test_the_due_date_speaks_where_no_renewal_date_is_kept(ledger: Ledger) -> None:
    renewed(ledger, timedelta(0), subscription_renewal_date=None, payment_due_date=ago(days=-2))
    assert len(found(ledger)) == 1


def test_an_application_that_keeps_no_dates_is_not_judged(ledger: Ledger) -> None:
    renewed(ledger, timedelta(0), subscription_renewal_date=None)
    assert found(ledger) == []


def test_lifetime_that_the_application_wants_to_end(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", subscription_renewal_date=ago(days=-20))
    ledger.payment(user, ledger.plan("pro", "lifetime"), "succeeded", ago(days=400))
    (row,) = found(ledger)
    assert (row["runs_until"], row["days_short"]) == (None, None)
    assert row["reason"] == "paid for life, but the application ends it"


def test_a_year_that_runs_behind_a_newer_month_of_the_same_tier(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", subscription_renewal_date=ago(days=-25))
    year = ledger.payment(user, ledger.plan("pro", "year"), "succeeded", ago(days=80), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("pro", "month"), "succeeded", ago(days=5))
    assert [row["payment_id"] for row in found(ledger)] == [year]


def test_access_that_is_gone_already_is_a_gap_instead(ledger: Ledger) -> None:
    user = ledger.user("expired", "pro", subscription_renewal_date=ago(days=4))
    ledger.payment(user, ledger.plan(), "succeeded", ago(days=5))
    assert found(ledger) == []
    assert len(ledger.rows("activation_gaps")) == 1


def test_another_tier_is_told_elsewhere(ledger: Ledger) -> None:
    user = ledger.user("active", "basic", subscription_renewal_date=ago(days=-1))
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=29), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    assert found(ledger) == []


def test_cancelled_since_the_payment_is_the_users_wish(ledger: Ledger) -> None:
    user = renewed(ledger, timedelta(days=1))
    ledger.event(user, "canceled", ago(days=1), "active", "free")
    assert found(ledger) == []


def test_refunded_renewal_owes_no_extension(ledger: Ledger) -> None:
    renewed(ledger, timedelta(days=-4))
    ledger.transaction("refunded", ago(days=4))
    assert found(ledger) == []


def test_staff_and_overrides_are_left_alone(ledger: Ledger) -> None:
    renewed(ledger, timedelta(0), is_internal=True)
    assert found(ledger) == []


def test_paid_seconds_ago_is_being_processed(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", subscription_renewal_date=ago(days=-1))
    ledger.payment(user, ledger.plan(), "succeeded", ago(seconds=60))
    assert found(ledger) == []


def test_paid_again_within_days_is_a_duplicate_instead(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", subscription_renewal_date=ago(days=-20))
    plan = ledger.plan()
    ledger.payment(user, plan, "succeeded", ago(days=11), transaction_id="pi_0")
    ledger.payment(user, plan, "succeeded", ago(days=5))
    assert found(ledger) == []
    assert len(ledger.rows("duplicate_payments")) == 1

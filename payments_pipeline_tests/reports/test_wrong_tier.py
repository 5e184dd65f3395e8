"""Failure catalogue, E5 and E12: access on another tier than the newest payment bought, and what only looks so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def found(ledger: Ledger) -> list[Row]:
    return ledger.rows("wrong_tier")


def the_row(ledger: Ledger) -> Row:
    (row,) = found(ledger)
    return row


def verdict(ledger: Ledger) -> tuple[str, bool, str]:
    row = the_row(ledger)
    return row["expected_tier"], row["repairable"], row["reason"]


def test_upgrade_that_was_paid_but_not_given(ledger: Ledger) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("basic", price=9), "succeeded", ago(days=20), transaction_id="pi_0")
    newest = ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=2))
    row = the_row(ledger)
    assert (row["payment_id"], row["severity"], row["repairable"]) == (newest, "HIGH", True)
    assert row["reason"] == "has basic, the newest payment bought pro"
    assert ledger.rows("activation_gaps") == []


def test_who_has_no_access_at_all_is_a_gap_instead(ledger: Ledger) -> None:
    ledger.payment(ledger.user("inactive", "basic"), ledger.plan("pro"), "succeeded")
    assert found(ledger) == []


def test_an_older_payment_never_takes_a_newer_plan_away(ledger: Ledger) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("pro", "year", 200), "succeeded", ago(days=20), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(seconds=30))
    assert found(ledger) == []


@pytest.mark.parametrize(("event", "status", "tier"), [("plan_changed", "active", "basic"), ("changed", None, None)])
def test_a_change_of_plan_since_the_payment_is_the_users_wish(
    ledger: Ledger, event: str, status: str | None, tier: str | None
) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    ledger.add("public.subscription_events", user_id=user, event_type=event, new_status=status, new_tier=tier,
               created_at=ago(days=1))  # fmt: skip
    assert found(ledger) == []


@pytest.mark.parametrize(
    "columns", [{"is_internal": True}, {"access_override_until": ago(days=-1)}], ids=["internal", "override"]
)
def test_staff_and_overrides_are_left_alone(ledger: Ledger, columns: Row) -> None:
    ledger.payment(ledger.user("active", "premium", **columns), ledger.plan("pro"), "succeeded")
    assert found(ledger) == []


def test_an_override_that_is_over_excuses_nothing(ledger: Ledger) -> None:
    user = ledger.user("active", "premium", access_override_until=ago(days=1))
    ledger.payment(user, ledger.plan("pro"), "succeeded")
    assert the_row(ledger)["user_id"] == user


def test_plan_that_nobody_knows_is_for_a_person(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), 99, "succeeded")
    row = the_row(ledger)
    assert (row["severity"], row["repairable"], row["expected_tier"]) == ("MEDIUM", False, None)
    assert row["reason"] == "unknown plan: a person must decide"


@pytest.mark.parametrize(("days", "expected"), [(29, 1), (32, 0)])
def test_only_while_the_period_runs(ledger: Ledger, days: int, expected: int) -> None:
    ledger.payment(ledger.user("active", "basic"), ledger.plan("pro"), "succeeded", ago(days=days))
    assert len(found(ledger)) == expected


def test_tier_of_a_payment_that_was_given_back_is_said_once(ledger: Ledger) -> None:
    user = ledger.user("active", "premium")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=20), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("premium"), "succeeded", ago(days=5))
    ledger.transaction("refunded", ago(days=4), amount_refunded=Decimal(20))
    assert found(ledger) == []
    assert [row["user_id"] for row in ledger.rows("refunded_access")] == [user]


def test_nothing_of_the_future_counts(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "basic"), ledger.plan("pro"), "succeeded", ago(days=-1))
    assert found(ledger) == []
    assert len(ledger.rows("wrong_tier", as_of=ago(days=-2) + timedelta())) == 1


OTHER_TIME = "wrong tier, but other paid time still runs: a person must decide"


@pytest.mark.parametrize("period", ["lifetime", "year", "quarter"])
def test_a_month_on_a_smaller_plan_never_cuts_what_was_paid_before(ledger: Ledger, period: str) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan("pro", period, 200), "succeeded", ago(days=80), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("basic", "month", 10), "succeeded", ago(days=5))
    assert verdict(ledger) == ("basic", False, OTHER_TIME)


def test_a_later_renewal_on_another_tier_is_never_cut_without_a_person(ledger: Ledger) -> None:
    user = ledger.user("active", "premium", subscription_renewal_date=ago(days=-200))
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=3))
    assert verdict(ledger) == ("basic", False, OTHER_TIME)


def test_an_upgrade_that_ends_before_the_year_it_replaces_is_for_a_person(ledger: Ledger) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("basic", "year", 100), "succeeded", ago(days=80), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("pro", "month", 20), "succeeded", ago(days=5))
    assert verdict(ledger) == ("pro", False, OTHER_TIME)

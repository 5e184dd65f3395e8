"""Failure catalogue, E9 and E11: let in, and no payment behind it; trials, staff and paid time are look-alikes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def found(ledger: Ledger, **overrides: object) -> list[Row]:
    return ledger.rows("unpaid_access", overrides=overrides)


def test_active_without_any_payment(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", plan_id=ledger.plan(price=30))
    (row,) = found(ledger)
    assert (row["user_id"], row["severity"], row["amount"], row["currency"]) == (user, "MEDIUM", 30, "USD")
    assert row["reason"] == "no payment for a plan was ever made"


@pytest.mark.parametrize(
    "columns",
    [
        {"is_internal": True},
        {"access_override_until": ago(days=-1)},
        {"trial_ends_at": ago(days=-1)},
        {"subscription_status": "trialing"},
        {"subscription_status": "inactive"},
        {"subscription_updated_at": ago(seconds=60)},
    ],
    ids=["internal", "override", "trial", "trial without end", "no access", "just now"],
)
def test_what_explains_access(ledger: Ledger, columns: Row) -> None:
    ledger.user(**{"status": "active", "tier": "pro"} | columns)
    assert found(ledger) == []


@pytest.mark.parametrize(
    "columns", [{"access_override_until": ago(days=1)}, {"trial_ends_at": ago(days=1)}], ids=["override", "trial"]
)
def test_what_explained_it_until_yesterday(ledger: Ledger, columns: Row) -> None:
    ledger.user("active", "pro", **columns)
    assert len(found(ledger)) == 1


def test_trial_that_is_over_is_named(ledger: Ledger) -> None:
    ledger.user("trialing", "pro", trial_ends_at=ago(days=1))
    assert found(ledger)[0]["reason"] == "the trial is over, and no payment for a plan was ever made"


@pytest.mark.parametrize(("days", "expected"), [(10, 0), (33, 0), (35, 1)])
def test_three_days_after_the_period_for_the_renewal_to_come_in(ledger: Ledger, days: int, expected: int) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "succeeded", ago(days=days))
    assert len(found(ledger)) == expected
    assert len(found(ledger, grace_days=30)) == 0


def test_over_and_paid_until_when(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan("pro", "week"), "succeeded", ago(days=20))
    (row,) = found(ledger)
    assert (row["reason"], row["paid_until"]) == ("the last paid period is over", ago(days=13))


def test_lifetime_is_never_over(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan("pro", "lifetime"), "succeeded", ago(days=4000))
    assert found(ledger) == []


@pytest.mark.parametrize(("renewal", "expected"), [(None, 0), (ago(days=-3), 0), (ago(days=8), 1)])
def test_two_months_paid_early_are_two_months_unless_the_application_says_otherwise(
    ledger: Ledger, renewal: datetime | None, expected: int
) -> None:
    user, plan = ledger.user("active", "pro", subscription_renewal_date=renewal), ledger.plan()
    ledger.payment(user, plan, "succeeded", ago(days=57), transaction_id="pi_0")
    ledger.payment(user, plan, "succeeded", ago(days=40))
    assert len(found(ledger)) == expected


def test_cancelled_and_paid_until_the_end(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan(), "succeeded", ago(days=10))
    ledger.event(user, "canceled", ago(days=2), "active", "pro")
    assert found(ledger) == []


@pytest.mark.parametrize(
    ("app", "provider", "days", "expected"),
    [
        ("pending", "pending", 1, 1),
        ("pending", "failed", 1, 1),
        ("failed", "canceled", 1, 1),
        ("pending", "processing", 1, 0),
        ("pending", "processing", 20, 1),
        ("pending", "authorized", 1, 0),
        ("processing", None, 1, 0),
        ("processing", "canceled", 1, 1),
        ("pending", None, 1, 1),
        ("pending", "paid", 1, 0),
        ("succeeded", "canceled", 1, 0),
        ("refunded", "paid", 1, 0),
    ],
)
def test_unpaid_checkout_explains_access_only_while_money_is_under_way(
    ledger: Ledger, app: str, provider: str | None, days: int, expected: int
) -> None:
    """The last two: the sides disagree, which out_of_sync_payments says."""
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), app, ago(days=days))
    if provider is not None:
        ledger.transaction(provider, ago(days=days))
    assert len(found(ledger)) == expected


def test_the_payment_that_never_became_paid_is_shown(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user("active", "pro"), ledger.plan(), "pending")
    ledger.transaction("canceled")
    (row,) = found(ledger)
    assert (row["payment_id"], row["provider_ref"], row["amount"]) == (payment, "pi_1", 20)
    assert row["reason"] == "the payment never became paid: it is pending here and canceled at stripe"


def test_a_paid_booking_is_no_subscription(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, None, "succeeded", booking_id=ledger.booking(user, ledger.user()))
    assert [row["user_id"] for row in found(ledger)] == [user]


def test_returned_money_is_said_elsewhere_while_its_period_runs(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "refunded", ago(days=10))
    assert found(ledger) == []
    assert len(ledger.rows("refunded_access")) == 1


def test_returned_money_of_an_old_period_is_said_here(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "refunded", ago(days=40))
    assert found(ledger)[0]["reason"] == "the last payment was returned, and its period is over"
    assert ledger.rows("refunded_access") == []


def test_unknown_plan_that_was_paid_explains(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), 99, "succeeded", ago(days=40))
    assert found(ledger) == []


GATEWAY: Row = {"provider": "nowpayments", "raw_status": "partially_paid", "received_currency": "USDT"}


def short_by_both(ledger: Ledger, user: int | None, plan: int, came: str, ref: str = "500") -> int:
    """An order of 20 at the gateway, of which so much came; both sides call it partially paid."""
    payment = ledger.payment(user, plan, "partially_paid", payment_method="nowpayments", transaction_id=ref)
    sums = {"expected_amount": Decimal(20), "amount_received": Decimal(came)}
    ledger.transaction("partially_paid", provider_ref=ref, **GATEWAY | sums)
    return payment


@pytest.mark.parametrize(("came", "expected"), [("19.8", 0), ("10", 1)])
def test_short_by_the_word_of_both_explains_access_within_the_tolerance(
    ledger: Ledger, came: str, expected: int
) -> None:
    user, plan = ledger.user("active", "pro"), ledger.plan()
    ledger.payment(user, plan, "refunded", ago(days=9), transaction_id="pi_0")
    short_by_both(ledger, user, plan, came)
    assert len(ledger.rows("refunded_access")) == expected
    other = ledger.user("active", "pro")
    short_by_both(ledger, other, plan, came, "501")
    assert [row["user_id"] for row in found(ledger)] == [other] * expected


@pytest.mark.parametrize(("came", "expected"), [("19.8", 0), ("10", 1)])
def test_short_row_that_names_nobody_is_held_to_the_same_tolerance(ledger: Ledger, came: str, expected: int) -> None:
    user = ledger.user("active", "pro")
    payment = short_by_both(ledger, None, ledger.plan(), came)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE recon.provider_transactions SET user_ref = %s, payment_ref = %s", (str(user), str(payment))
        )
    assert len(found(ledger)) == expected

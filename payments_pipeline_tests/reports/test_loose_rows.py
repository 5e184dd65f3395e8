"""Rows as some applications write them, and looks into the past: neither may hide an anomaly or invent one."""

from __future__ import annotations

from datetime import datetime

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, ago


def test_an_empty_transaction_hash_is_nobodys_shared_deposit(ledger: Ledger) -> None:
    plan = ledger.plan()
    for number in (1, 2):
        ledger.payment(ledger.user(), plan, "pending", transaction_id=f"pi_{number}", tx_hash="")
        ledger.transaction("paid", provider_ref=f"pi_{number}")
    assert len(ledger.rows("activation_gaps")) == 2


def test_an_empty_reference_is_no_reference(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending", transaction_id="")
    ledger.transaction("paid", payment_ref=str(payment), link_method="metadata")
    ledger.coverage("stripe", "payment_intents")
    assert len(ledger.rows("activation_gaps")) == 1
    assert ledger.rows("unknown_payments") == []


def test_a_hold_of_another_product_is_not_ours_to_capture(ledger: Ledger) -> None:
    ledger.transaction("authorized", ago(days=9), link_method="foreign")
    assert ledger.rows("stuck_authorizations") == []


def test_two_rows_about_one_object_are_not_paid_twice(ledger: Ledger) -> None:
    user, plan = ledger.user(), ledger.plan()
    ledger.payment(user, plan, "completed", ago(days=2))
    ledger.payment(user, plan, "completed", ago(days=2))
    ledger.transaction("paid", ago(days=2))
    assert ledger.rows("duplicate_payments") == []


def test_what_happened_after_the_moment_looked_at_is_not_known_then(ledger: Ledger) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "completed", ago(days=5))
    ledger.transaction("paid", ago(days=5))
    ledger.event(user, "canceled", ago(days=1), "canceled", "pro")
    assert ledger.rows("activation_gaps") == []
    assert len(ledger.rows("activation_gaps", as_of=ago(days=2))) == 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({}, 1), ({"updated": ago(days=9)}, 1), ({"updated": ago(days=1)}, 0), ({"event": ago(days=1)}, 0)],
    ids=["nothing", "long ago", "since", "event"],
)
@pytest.mark.parametrize("report", ["activation_gaps", "wrong_tier", "renewal_gaps"])
def test_what_a_user_had_before_a_later_refund_took_it_is_not_known(
    ledger: Ledger, report: str, changed: dict[str, datetime], expected: int
) -> None:
    """Paid five days ago and given back a day ago; looked at two days ago."""
    status, tier = {"activation_gaps": ("inactive", "free"), "wrong_tier": ("active", "basic")}.get(
        report, ("active", "pro")
    )
    columns = {"subscription_updated_at": changed.get("updated"), "subscription_renewal_date": ago(hours=12)}
    user = ledger.user(status, tier, **columns)
    ledger.payment(user, ledger.plan(), "refunded", ago(days=5), confirmed_at=ago(days=5))
    ledger.transaction("refunded", ago(days=5), state_changed_at=ago(days=1), amount_refunded=20)
    if "event" in changed:
        ledger.event(user, "refunded", changed["event"], status, tier)
    assert ledger.rows(report) == []
    assert len(ledger.rows(report, as_of=ago(days=2))) == expected


def test_a_refund_stamped_by_a_clock_ahead_of_ours_is_no_gap(ledger: Ledger) -> None:
    ledger.payment(
        ledger.user(subscription_updated_at=ago(seconds=30)), ledger.plan(), "refunded", ago(days=5),
        confirmed_at=ago(days=5),
    )  # fmt: skip
    ledger.transaction("refunded", ago(days=5), state_changed_at=ago(minutes=-5), amount_refunded=20)
    assert ledger.rows("activation_gaps") == []


@pytest.mark.parametrize("word", ["terminated", "deactivated", "customer.subscription.deleted", "paused"])
def test_a_subscription_that_was_ended_in_other_words_is_ended(ledger: Ledger, word: str) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "completed", ago(days=5))
    ledger.transaction("paid", ago(days=5))
    ledger.event(user, word, ago(days=1), "free", "free")
    assert ledger.rows("activation_gaps") == []

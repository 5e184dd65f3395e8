"""Rows as some applications write them, and looks into the past: neither may hide an anomaly or invent one."""

from __future__ import annotations

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


@pytest.mark.parametrize("word", ["terminated", "deactivated", "customer.subscription.deleted", "paused"])
def test_a_subscription_that_was_ended_in_other_words_is_ended(ledger: Ledger, word: str) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "completed", ago(days=5))
    ledger.transaction("paid", ago(days=5))
    ledger.event(user, word, ago(days=1), "free", "free")
    assert ledger.rows("activation_gaps") == []

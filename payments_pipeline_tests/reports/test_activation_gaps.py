"""Failure catalogue, line E: who paid and does not have it, and who only looks so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def gaps(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("activation_gaps", **kwargs)


def the_gap(ledger: Ledger) -> Row:
    (gap,) = gaps(ledger)
    return gap


@pytest.mark.parametrize("status", ["completed", "confirmed", "finished", "paid", "succeeded", "Succeeded"])
def test_application_says_paid_but_user_is_inactive_and_no_provider_was_read(ledger: Ledger, status: str) -> None:
    user = ledger.user()
    payment = ledger.payment(user, ledger.plan(), status)
    gap = the_gap(ledger)
    assert (gap["user_id"], gap["payment_id"], gap["expected_tier"]) == (user, payment, "pro")
    assert (gap["severity"], gap["reason"], gap["repairable"]) == ("CRITICAL", "webhook never came", True)
    assert (gap["amount"], gap["currency"], gap["plan"]) == (Decimal("20.00"), "USD", "pro month")
    assert gap["seconds_since_payment"] == 86_400


def test_payer_whose_webhook_was_lost_becomes_a_gap(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending", ago(days=2))
    ledger.transaction("paid", ago(hours=5))
    gap = the_gap(ledger)
    assert gap["paid_at"] == ago(hours=5)
    assert gap["payment_status"] == "pending"
    assert gap["repairable"] is True


@pytest.mark.parametrize("state", ["pending", "processing", "authorized", "failed", "canceled", "refunded", "frozen"])
def test_provider_that_has_no_money_contradicts_the_application(ledger: Ledger, state: str) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "succeeded")
    ledger.transaction(state)
    assert gaps(ledger) == []


def test_active_user_on_the_tier_that_was_bought_is_fine(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "PRO"), ledger.plan("pro"), "succeeded")
    assert gaps(ledger) == []


def test_unpaid_checkout_is_fine(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("processing")
    assert gaps(ledger) == []


@pytest.mark.parametrize("tier", ["basic", "pro"])
def test_user_with_access_is_never_a_gap_whatever_the_tier(ledger: Ledger, tier: str) -> None:
    ledger.payment(ledger.user("active", tier), ledger.plan("pro"), "succeeded")
    assert gaps(ledger) == []


def test_access_that_went_with_a_refund_that_failed_is_another_reports_matter(ledger: Ledger) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "succeeded")
    ledger.transaction("paid")
    ledger.transaction("failed", provider_ref="re_1", kind="refund", parent_ref="pi_1", amount=Decimal(20))
    assert gaps(ledger) == []


def test_money_lost_in_a_dispute_buys_nothing_and_a_won_dispute_leaves_it(ledger: Ledger) -> None:
    plan = ledger.plan()
    for ref, status in (("pi_1", "lost"), ("pi_2", "won")):
        ledger.payment(ledger.user(), plan, "succeeded", transaction_id=ref)
        ledger.transaction("paid", provider_ref=ref, disputed=True)
        ledger.dispute(ref, status)
    assert (the_gap(ledger)["provider_ref"], the_gap(ledger)["repairable"]) == ("pi_2", True)


def test_only_the_newest_payment_counts(ledger: Ledger) -> None:
    user = ledger.user("active", "basic")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=20), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=2))
    assert gaps(ledger) == []


def test_renewal_after_expiry_that_did_nothing_is_a_gap(ledger: Ledger) -> None:
    user, plan = ledger.user("expired", "free", subscription_updated_at=ago(days=3)), ledger.plan()
    ledger.payment(user, plan, "succeeded", ago(days=33), transaction_id="pi_0")
    ledger.event(user, "expired", ago(days=3), "expired", "free")
    renewal = ledger.payment(user, plan, "succeeded", ago(days=2))
    assert the_gap(ledger)["payment_id"] == renewal


@pytest.mark.parametrize(("expired_days_ago", "expected"), [(4, 1), (0.1, 0)])
def test_renewal_paid_early_that_expired_with_the_old_date_is_a_gap(
    ledger: Ledger, expired_days_ago: float, expected: int
) -> None:
    """The second: thirty days after the payment, in an application that counts months so."""
    user, plan = ledger.user("expired", "free", subscription_updated_at=ago(days=expired_days_ago)), ledger.plan()
    paid_at = ago(days=7) if expected else ago(days=30.1)
    ledger.payment(user, plan, "succeeded", paid_at)
    ledger.event(user, "expired", ago(days=expired_days_ago), "expired", "free")
    assert len(gaps(ledger)) == expected


@pytest.mark.parametrize(
    ("status", "event", "tier"),
    [("canceled", "canceled", "free"), ("active", "plan_changed", "basic"), ("inactive", "refunded", "free")],
)
def test_what_the_user_did_since_the_payment_counts(ledger: Ledger, status: str, event: str, tier: str) -> None:
    user = ledger.user(status, tier)
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    ledger.event(user, "activated", ago(days=5) + timedelta(seconds=5), "active", "pro")
    ledger.event(user, event, ago(days=1), status, tier)
    assert gaps(ledger) == []


def test_plan_change_that_the_payment_itself_made_does_not_excuse_its_loss(ledger: Ledger) -> None:
    user = ledger.user("inactive", "free")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    ledger.event(user, "plan_changed", ago(days=4), "active", "pro")
    assert len(gaps(ledger)) == 1


def test_cancellation_that_was_taken_back_does_not_excuse(ledger: Ledger) -> None:
    user = ledger.user("inactive", "free")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    ledger.event(user, "canceled", ago(days=4), "canceled", "free")
    ledger.event(user, "activated", ago(days=3), "active", "pro")
    assert len(gaps(ledger)) == 1


@pytest.mark.parametrize(("changed_days_ago", "expected"), [(1, 0), (10, 1)])
def test_cancelled_status_counts_only_when_set_after_the_payment(
    ledger: Ledger, changed_days_ago: int, expected: int
) -> None:
    user = ledger.user("canceled", "free", subscription_updated_at=ago(days=changed_days_ago))
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(days=5))
    assert len(gaps(ledger)) == expected


def test_refunded_on_either_side_is_fine(ledger: Ledger) -> None:
    plan = ledger.plan()
    ledger.payment(ledger.user(), plan, "refunded", transaction_id="pi_1")
    ledger.transaction("paid")
    ledger.payment(ledger.user(), plan, "succeeded", transaction_id="pi_2")
    ledger.transaction("refunded", provider_ref="pi_2")
    ledger.payment(ledger.user(), plan, "succeeded", transaction_id="pi_3")
    ledger.transaction("paid", provider_ref="pi_3", amount_refunded=Decimal(20))
    assert gaps(ledger) == []


def test_partial_refund_still_gives_access(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "partially_refunded", confirmed_at=ago(days=1))
    ledger.transaction("paid", amount_refunded=Decimal(5))
    assert len(gaps(ledger)) == 1


@pytest.mark.parametrize(
    ("period", "running", "over"),
    [("day", 0.9, 1.1), ("week", 6, 8), ("month", 29, 32), ("quarter", 88, 93), ("year", 360, 367)],
)
def test_a_payment_counts_while_its_period_runs(ledger: Ledger, period: str, running: float, over: float) -> None:
    plan = ledger.plan("pro", period)
    late = ledger.payment(ledger.user(), plan, "succeeded", ago(days=running), transaction_id="pi_1")
    ledger.payment(ledger.user(), plan, "succeeded", ago(days=over), transaction_id="pi_2")
    assert the_gap(ledger)["payment_id"] == late


def test_lifetime_never_lapses(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan("pro", "lifetime"), "succeeded", ago(days=4000))
    assert len(gaps(ledger)) == 1


def test_paid_seconds_ago_is_not_yet_a_gap_and_the_grace_can_be_set(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "succeeded", ago(seconds=90))
    assert gaps(ledger) == []
    assert len(gaps(ledger, overrides={"grace_seconds": 60})) == 1
    assert len(gaps(ledger, as_of=AS_OF + timedelta(seconds=31))) == 1


def test_a_second_payment_in_despair_does_not_hide_the_gap_for_two_minutes(ledger: Ledger) -> None:
    user, plan = ledger.user(), ledger.plan()
    first = ledger.payment(user, plan, "succeeded", ago(hours=2), transaction_id="pi_0")
    ledger.payment(user, plan, "succeeded", ago(seconds=20))
    assert the_gap(ledger)["payment_id"] == first


def test_an_upgrade_that_was_given_at_once_is_fine_while_its_payment_is_young(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan("basic"), "succeeded", ago(days=9), transaction_id="pi_0")
    ledger.payment(user, ledger.plan("pro"), "succeeded", ago(seconds=20))
    assert gaps(ledger) == []


def test_trial_internal_and_admin_override_are_fine(ledger: Ledger) -> None:
    plan = ledger.plan("pro")
    ledger.payment(ledger.user(is_internal=True), plan, "succeeded", transaction_id="pi_1")
    override = ledger.user("active", "vip", access_override_until=AS_OF + timedelta(days=1))
    ledger.payment(override, plan, "succeeded", transaction_id="pi_2")
    ledger.user("trialing", "pro", trial_ends_at=AS_OF + timedelta(days=3))
    assert gaps(ledger) == []


def test_an_override_that_ran_out_no_longer_excuses(ledger: Ledger) -> None:
    ledger.payment(ledger.user(access_override_until=ago(days=1)), ledger.plan(), "succeeded")
    assert len(gaps(ledger)) == 1


def test_bookings_are_no_subscriptions(ledger: Ledger) -> None:
    user, plan = ledger.user(), ledger.plan()
    ledger.payment(user, plan, "succeeded", transaction_id="pi_1", booking_id=ledger.booking(user, user))
    ledger.payment(user, None, "succeeded", transaction_id="pi_2", booking_id=ledger.booking(user, user))
    assert gaps(ledger) == []


def test_payment_for_nothing_that_we_know_is_for_a_person_for_a_month(ledger: Ledger) -> None:
    user = ledger.user()
    ledger.payment(user, None, "succeeded", ago(days=32), transaction_id="pi_old")
    assert gaps(ledger) == []
    ledger.payment(user, None, "succeeded")
    gap = the_gap(ledger)
    assert (gap["expected_tier"], gap["repairable"]) == (None, False)
    assert gap["reason"] == "no plan is written on the payment: a person must decide"


def test_unknown_plan_is_for_a_person_never_a_default_tier(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), 9001, "succeeded")
    gap = the_gap(ledger)
    assert (gap["expected_tier"], gap["repairable"], gap["severity"]) == (None, False, "CRITICAL")


def test_ambiguous_link_is_believed_only_where_the_application_says_so_itself(ledger: Ledger) -> None:
    plan = ledger.plan()
    ledger.payment(ledger.user(), plan, "pending", transaction_id="pi_1")
    ledger.transaction("paid", provider_ref="pi_1", link_method="ambiguous")
    own = ledger.payment(ledger.user(), plan, "succeeded", transaction_id="pi_2")
    ledger.transaction("paid", provider_ref="pi_2", link_method="ambiguous")
    assert the_gap(ledger)["payment_id"] == own


def test_one_provider_object_never_pays_for_two_people(ledger: Ledger) -> None:
    plan = ledger.plan()
    ledger.payment(ledger.user(), plan, "pending")
    ledger.payment(ledger.user(), plan, "pending")
    ledger.transaction("paid")
    assert gaps(ledger) == []


def test_provider_object_that_names_the_payment_is_found_without_a_stored_reference(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending", transaction_id=None)
    ledger.transaction("paid", payment_ref=str(payment), link_method="metadata")
    assert the_gap(ledger)["payment_id"] == payment


def test_less_money_than_the_price_is_not_repaired_without_a_person(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("paid", amount_received=Decimal(5))
    assert the_gap(ledger)["repairable"] is False


@pytest.mark.parametrize(
    ("webhook", "reason"),
    [
        ({"status": "failed", "error_message": "deadlock detected"}, "webhook failed: deadlock detected"),
        ({"status": "failed", "signature_valid": False}, "webhook refused: signature invalid"),
        ({"status": "processing"}, "webhook stuck"),
        ({"status": "received"}, "webhook stuck"),
        ({"status": "completed"}, "processed and lost"),
    ],
)
def test_the_reason_is_read_from_the_webhook_inbox(ledger: Ledger, webhook: Row, reason: str) -> None:
    user = ledger.user()
    payment = ledger.payment(user, ledger.plan(), "succeeded")
    ledger.webhook(payment, "failed", error_message="an earlier try", created_at=ago(hours=23, minutes=30))
    ledger.webhook(payment, **webhook)
    assert the_gap(ledger)["reason"] == reason


def test_a_webhook_that_names_only_the_user_gives_the_reason_too(ledger: Ledger) -> None:
    user = ledger.user()
    ledger.payment(user, ledger.plan(), "succeeded")
    ledger.webhook(None, "failed", user_id=user, error_message="no such payment")
    ledger.webhook(None, "completed", user_id=user, created_at=ago(days=40))
    assert the_gap(ledger)["reason"] == "webhook failed: no such payment"


CRYPTO: Row = {"payment_method": "okx", "transaction_id": None, "tx_hash": "0xabc", "crypto_currency": "USDT"}


@pytest.mark.parametrize(("arrived", "expected"), [("20", 1), ("19.7", 1), ("19.5", 0)])
def test_deposit_known_by_its_hash_pays_when_it_is_not_short(ledger: Ledger, arrived: str, expected: int) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending", crypto_amount=Decimal(20), **CRYPTO)
    ledger.deposit("paid", amount=Decimal(arrived))
    assert len(gaps(ledger)) == expected


def test_deposit_that_is_not_final_or_frozen_pays_nothing(ledger: Ledger) -> None:
    plan = ledger.plan()
    ledger.payment(ledger.user(), plan, "completed", crypto_amount=Decimal(20), **CRYPTO)
    ledger.deposit("frozen")
    assert gaps(ledger) == []


def test_one_deposit_never_settles_two_payments(ledger: Ledger) -> None:
    plan = ledger.plan()
    for _ in range(2):
        ledger.payment(ledger.user(), plan, "pending", crypto_amount=Decimal(20), **CRYPTO)
    ledger.deposit("paid")
    assert gaps(ledger) == []


def test_payment_in_two_deposits_that_the_application_took_as_paid_is_judged(ledger: Ledger) -> None:
    ledger.payment(
        ledger.user(), ledger.plan(), "finished", payment_method="nowpayments", transaction_id="500",
        crypto_currency="USDT", crypto_amount=Decimal(20),
    )  # fmt: skip
    gateway: Row = {"provider": "nowpayments", "received_currency": "USDT"}
    ledger.transaction("partially_paid", provider_ref="500", amount_received=Decimal(12), **gateway)
    assert gaps(ledger) == []
    ledger.transaction("paid", provider_ref="501", parent_ref="500", amount_received=Decimal(8), **gateway)
    assert len(gaps(ledger)) == 1

"""Rows brought to the provider's state, money given back, plans given by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from payments_pipeline.remediation.actions import propose_target
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller
from payments_pipeline_tests.remediation.town import PLANS


@pytest.fixture(autouse=True)
def no_approvals(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0")


def by_hand(teller: Teller, kind: str, actor: str = "kim", **target: str) -> ActionView:
    return propose_target(teller.engine, kind, target, actor=actor, as_of=AS_OF, reason="asked for", desk=teller.desk)


def paid(teller: Teller) -> str:
    """A hold that was captured at both sides."""
    intent = teller.hold(booking="completed", status="completed")
    teller.life.capture(intent, at=AS_OF)
    return intent


def test_row_follows_what_stripe_says_now_not_what_was_last_read(teller: Teller) -> None:
    intent = teller.hold(status="pending")
    teller.life.cancel(intent, at=AS_OF)
    view = by_hand(teller, "sync_payment_status", provider="stripe", provider_ref=intent)
    assert view.action_id is not None, view.reason
    assert [(one["before"], one["after"]) for one in view.effects] == [("pending", "canceled")]
    assert teller.apply(view.action_id).state == "verified"
    assert teller.in_application(intent) == ("cancelled", Decimal(80), "scheduled", None)
    again = by_hand(teller, "sync_payment_status", provider="stripe", provider_ref=intent)
    assert (again.action_id, again.reason) == (None, "Both sides say canceled already.")


def test_row_that_follows_says_when_the_provider_was_paid_not_when_it_was_mended(teller: Teller) -> None:
    intent, paid_at = teller.hold(status="pending"), AS_OF - timedelta(days=1)
    teller.life.capture(intent, at=paid_at)
    teller.town.run(
        "UPDATE recon.provider_transactions SET paid_at = :at WHERE provider_ref = :intent", at=paid_at, intent=intent
    )
    view = by_hand(teller, "sync_payment_status", provider="stripe", provider_ref=intent)
    assert view.action_id is not None, view.reason
    assert teller.apply(view.action_id).state == "verified"
    query = "SELECT confirmed_at FROM public.payment_transactions WHERE transaction_id = :intent"
    assert teller.town.row(query, intent=intent)["confirmed_at"] == paid_at


def test_row_is_left_alone_where_the_providers_word_is_not_clear(teller: Teller) -> None:
    def refused(intent: str) -> str:
        view = by_hand(teller, "sync_payment_status", provider="stripe", provider_ref=intent)
        assert view.action_id is None
        return str(view.reason)

    claimed = teller.hold(status="refunded")
    teller.life.capture(claimed, at=AS_OF)
    assert "was the money given back?" in refused(claimed)
    part = teller.hold(status="pending")
    teller.life.capture(part, at=AS_OF, amount=100)
    assert "Asked 80 USD, taken 1.00 USD" in refused(part)
    odd = teller.hold(status="teleported")
    assert "not known" in refused(odd)
    disputed = teller.hold(status="pending")
    charge = teller.life.capture(disputed, at=AS_OF)["latest_charge"]
    teller.life.open_dispute(charge, at=AS_OF)
    assert "disputes" in refused(disputed)


def test_webhook_that_comes_between_plan_and_sync_is_not_overwritten(teller: Teller) -> None:
    intent = teller.hold(status="pending")
    teller.life.cancel(intent, at=AS_OF)
    view = by_hand(teller, "sync_payment_status", provider="stripe", provider_ref=intent)
    assert view.action_id is not None
    teller.town.run("UPDATE public.payment_transactions SET status = 'cancelled' WHERE transaction_id = :i", i=intent)
    assert teller.apply(view.action_id).reason == "Both sides say canceled already."


def test_all_or_a_part_is_given_back_and_the_row_follows_once_all_is(teller: Teller) -> None:
    intent = paid(teller)
    part = by_hand(teller, "refund_payment", provider_ref=intent, refund_amount="30")
    assert part.action_id is not None, part.reason
    assert teller.apply(part.action_id).state == "verified"
    assert teller.in_application(intent)[0] == "completed"
    rest = by_hand(teller, "refund_payment", provider_ref=intent)
    assert rest.action_id is not None
    assert teller.apply(rest.action_id).state == "verified"
    assert teller.in_application(intent)[0] == "refunded"
    assert teller.moves(intent) == [("refund", 3000), ("refund", 5000)]
    assert "must look" in str(by_hand(teller, "refund_payment", provider_ref=intent).reason)


def test_refund_whose_answer_is_lost_is_found_by_its_mark_and_not_made_again(teller: Teller) -> None:
    for step in ("claimed", "called", "written"):
        intent = paid(teller)
        view = by_hand(teller, "refund_payment", provider_ref=intent, refund_amount="10")
        assert view.action_id is not None
        teller.killed(view.action_id, step)
        teller.lease_over()
        assert teller.apply(view.action_id).state == "verified"
        assert teller.moves(intent) == [("refund", 1000)]


def test_refund_after_a_stored_500_is_made_once_or_left_to_a_person(teller: Teller) -> None:
    for applied, end in ((True, "verified"), (False, "failed")):
        intent = paid(teller)
        view = by_hand(teller, "refund_payment", provider_ref=intent, refund_amount="10")
        assert view.action_id is not None
        teller.sandbox.faults.server_error("stripe", "/v1/refunds", method="POST", applied=applied, stored=True)
        assert teller.apply(view.action_id).state == ("verified" if applied else "applying")
        teller.lease_over()
        assert teller.apply(view.action_id).state == end
        assert teller.moves(intent) == ([("refund", 1000)] if applied else [])


def test_two_people_who_ask_for_the_same_refund_make_one(teller: Teller) -> None:
    intent = paid(teller)
    views = [
        by_hand(teller, "refund_payment", actor=who, provider_ref=intent, refund_amount="10") for who in ("ann", "bob")
    ]
    states = [teller.apply(view.action_id).state for view in views if view.action_id is not None]
    assert states == ["verified", "rejected"]
    assert teller.moves(intent) == [("refund", 1000)]


def test_plan_given_by_hand_runs_for_one_period_and_says_why(teller: Teller) -> None:
    user = teller.town.user()
    view = by_hand(teller, "activate_by_hand", user_id=str(user), plan_id=str(PLANS["month"]))
    assert view.action_id is not None, view.reason
    assert teller.apply(view.action_id, actor="kim").state == "verified"
    row = teller.town.look(user)
    assert (row["subscription_status"], row["subscription_tier"]) == ("active", "pro")
    assert row["subscription_renewal_date"].isoformat() == "2026-12-01T12:00:00+00:00"
    event = teller.town.row("SELECT * FROM public.subscription_events")
    assert (event["actor"], "asked for" in event["reason"]) == ("kim", True)
    for user_id, plan_id, reason in ((str(user), "3", "already"), ("999", "3", "not exist"), (str(user), "9", "known")):
        refused = by_hand(teller, "activate_by_hand", user_id=user_id, plan_id=plan_id)
        assert refused.action_id is None
        assert reason in str(refused.reason)


def crypto(teller: Teller, status: str = "pending", hours: int = 3) -> str:
    """A crypto payment that ran out so many hours ago."""
    return str(
        teller.town.run(
            "INSERT INTO public.payment_transactions (user_id, payment_method, transaction_id, status, amount,"
            " currency, created_at, expires_at) VALUES (:user, 'nowpayments', 'np-' || :user, :status, 20, 'usd',"
            " :at, :at) RETURNING id",
            user=teller.town.user(), status=status, at=AS_OF - timedelta(hours=hours),
        )
    )  # fmt: skip


def test_payment_nobody_paid_is_closed_unless_something_came(teller: Teller) -> None:
    payment = crypto(teller)
    view = by_hand(teller, "expire_payment", payment_id=payment)
    assert view.action_id is not None, view.reason
    assert teller.apply(view.action_id).state == "verified"
    assert teller.town.run("SELECT status FROM public.payment_transactions WHERE id = :p", p=int(payment)) == "expired"
    assert "closed already" in str(by_hand(teller, "expire_payment", payment_id=payment).reason)
    assert "only just" in str(by_hand(teller, "expire_payment", payment_id=crypto(teller, hours=0)).reason)
    late = crypto(teller)
    teller.town.run(
        "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state, raw_status,"
        " amount, currency, payment_ref, provider_created_at, state_changed_at, read_at) VALUES ('nowpayments', 'n',"
        " '77', 'payment', FALSE, 'partially_paid', 'partially_paid', 20, 'USD', :p, now(), now(), now())",
        p=late,
    )
    assert "Something came for it: partially_paid" in str(by_hand(teller, "expire_payment", payment_id=late).reason)


def test_access_is_taken_only_where_no_money_stands_behind_it(teller: Teller) -> None:
    free, payer = teller.town.user("active", "pro"), teller.town.user("active", "pro")
    payment = teller.town.payment(payer)
    view = by_hand(teller, "revoke_access", user_id=str(free))
    assert view.action_id is not None, view.reason
    kept = by_hand(teller, "revoke_access", user_id=str(payer))
    assert (kept.action_id, f"Payment {payment} is paid and runs" in str(kept.reason)) == (None, True)
    assert teller.apply(view.action_id, actor="kim").state == "verified"
    assert teller.town.look(free)["subscription_status"] == "inactive"
    event = teller.town.row("SELECT * FROM public.subscription_events")
    assert (event["event_type"], event["actor"]) == ("revoked", "kim")
    assert "no access" in str(by_hand(teller, "revoke_access", user_id=str(free)).reason)


def test_payer_who_pays_between_plan_and_revocation_keeps_access(teller: Teller) -> None:
    user = teller.town.user("active", "pro")
    view = by_hand(teller, "revoke_access", user_id=str(user))
    assert view.action_id is not None
    teller.town.payment(user)
    assert "is paid and runs" in str(teller.apply(view.action_id).reason)
    assert teller.town.look(user)["subscription_status"] == "active"


def test_findings_are_closed_and_snoozed_by_name(teller: Teller) -> None:
    finding = str(teller.town.gap()[2])
    snooze = by_hand(teller, "snooze_finding", finding_id=finding, until="2026-11-05T00:00:00")
    assert snooze.action_id is not None, snooze.reason
    assert teller.apply(snooze.action_id, actor="kim").state == "verified"
    assert teller.town.run("SELECT status FROM recon.findings") == "snoozed"
    over = by_hand(teller, "snooze_finding", finding_id=finding, until="2026-10-05")
    assert "has passed" in str(over.reason)
    closed = by_hand(teller, "resolve_finding", finding_id=finding)
    assert closed.action_id is not None
    assert teller.apply(closed.action_id, actor="kim").state == "verified"
    assert teller.town.run("SELECT resolved_by FROM recon.findings") == "kim"
    assert "resolved already" in str(by_hand(teller, "resolve_finding", finding_id=finding).reason)

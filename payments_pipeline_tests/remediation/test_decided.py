"""What people decided holds against the machine, and what Stripe says now against what was read before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from payments_pipeline import triage
from payments_pipeline.findings import refresh
from payments_pipeline.remediation import oversight
from payments_pipeline.remediation.actions import apply, propose, propose_target
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline.remediation.policy import BY_ITSELF
from payments_pipeline.remediation.rounds import RepairSummary, apply_due, repair
from payments_pipeline.reports import load_reports, materialise
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller
from payments_pipeline_tests.remediation.test_jobs import instance, one, run
from payments_pipeline_tests.remediation.town import PLANS
from payments_pipeline_tests.reports.ledger import Ledger

__all__ = ["instance"]


def policy_acts(teller: Teller, finding: int | None = None, seconds: int = 5) -> RepairSummary:
    """A round that nobody asked for."""
    return repair(
        teller.engine, as_of=AS_OF + timedelta(seconds=seconds), actor=BY_ITSELF, dry_run=False, desk=teller.desk,
        findings=None if finding is None else [finding],
    )  # fmt: skip


def given_by_hand(teller: Teller, user: int, plan: int, *, dry_run: bool = False) -> ActionView:
    return propose_target(
        teller.engine, "activate_by_hand", {"user_id": str(user), "plan_id": str(plan)}, actor="anna", as_of=AS_OF,
        reason="goodwill", dry_run=dry_run,
    )  # fmt: skip


def test_what_a_person_rejected_is_not_proposed_again_by_itself_and_can_be_by_people(teller: Teller) -> None:
    intent = teller.hold(booking="no_show")
    finding = teller.finding(intent, "release_authorization", report="no_show_holds")
    (view,) = propose(teller.engine, actor=BY_ITSELF, as_of=AS_OF, findings=[finding], desk=teller.desk)
    assert view.action_id is not None
    oversight.reject(teller.engine, view.action_id, actor="ann", as_of=AS_OF, reason="the guest is on the phone")

    assert policy_acts(teller).verified == policy_acts(teller, finding).verified == 0
    assert teller.at_stripe(intent)[0] == "requires_capture"
    (again,) = propose(teller.engine, actor="ann", as_of=AS_OF, findings=[finding], desk=teller.desk)
    assert again.state == "proposed"


def test_a_no_show_that_somebody_joined_is_released_only_after_a_person_agreed(teller: Teller) -> None:
    """The application says both: policy lets no-shows go by itself, but not against what else is on record."""
    intent = teller.hold(booking="no_show", started=True)
    finding = teller.finding(intent, "release_authorization", report="no_show_holds")
    (view,) = policy_acts(teller, finding).actions
    assert view.action_id is not None
    assert (view.state, "somebody joined" in str(view.reason)) == ("proposed", True)
    assert "A person must agree" in str(teller.apply(view.action_id, actor="ann").reason)
    assert teller.at_stripe(intent)[0] == "requires_capture"

    assert oversight.approve(teller.engine, view.action_id, actor="ann", as_of=AS_OF).state == "approved"
    assert teller.apply(view.action_id, actor=BY_ITSELF).state == "verified"
    assert teller.at_stripe(intent)[0] == "canceled"


def test_what_a_machine_rejected_is_tried_again(teller: Teller) -> None:
    user, _, finding = teller.town.gap()
    (view,) = propose(teller.engine, actor=BY_ITSELF, as_of=AS_OF, findings=[finding])
    assert view.action_id is not None
    teller.town.run("UPDATE public.users SET subscription_status = 'suspended' WHERE id = :user", user=user)
    assert apply(teller.engine, view.action_id, actor=BY_ITSELF, as_of=AS_OF, dry_run=False).state == "rejected"
    teller.town.run("UPDATE public.users SET subscription_status = 'inactive' WHERE id = :user", user=user)
    assert policy_acts(teller, finding).verified == 1


def test_a_finding_that_somebody_closed_is_not_repaired_though_it_was_approved(teller: Teller) -> None:
    intent, action = teller.proposed("capture_payment", started=True)
    oversight.approve(teller.engine, action, actor="ann", as_of=AS_OF)
    finding = teller.town.run("SELECT finding_id FROM recon.actions")
    triage.resolve(teller.engine, finding, actor="boss", reason="do not charge", at=AS_OF)

    (done,) = apply_due(teller.engine, as_of=AS_OF, actor=BY_ITSELF, desk=teller.desk).actions

    assert (done.state, teller.moves(intent)) == ("rejected", [])
    assert "is over: person" in (done.reason or "")


def test_a_snoozed_finding_waits_whatever_was_approved_and_its_person_may_go_on(teller: Teller) -> None:
    oversight.change_policy(
        teller.engine, "activate_subscription", actor="boss", as_of=AS_OF, changes={"approvals": 1}
    )  # fmt: skip
    user, _, finding = teller.town.gap()
    (view,) = propose(teller.engine, actor=BY_ITSELF, as_of=AS_OF, findings=[finding])
    assert view.action_id is not None
    oversight.approve(teller.engine, view.action_id, actor="ann", as_of=AS_OF)
    until = AS_OF + timedelta(days=2)
    triage.snooze(teller.engine, finding, actor="bob", reason="ask first", at=AS_OF, until=until)

    (held,) = apply_due(teller.engine, as_of=AS_OF, actor=BY_ITSELF).actions
    assert (held.state, teller.town.look(user)["subscription_status"]) == ("approved", "inactive")
    assert apply(teller.engine, view.action_id, actor="bob", as_of=AS_OF, dry_run=False).state == "verified"


@pytest.mark.parametrize(
    ("kind", "field", "part", "moved"),
    [("capture_payment", "capture_amount", "30.50", 3050), ("refund_payment", "refund_amount", "5.00", 500)],
)
def test_a_part_named_beside_a_finding_is_what_moves_with_the_reason_named(
    teller: Teller, instance: dg.DagsterInstance, kind: str, field: str, part: str, moved: int
) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = :kind", kind=kind)
    intent = teller.hold(started=True, status="completed" if kind == "refund_payment" else "authorized")
    if kind == "refund_payment":
        teller.life.capture(intent, at=AS_OF - timedelta(hours=1))
    finding = teller.finding(intent, kind, report="duplicate_payments")
    config: dict[str, Any] = {field: part, "reason": "half an hour was given", "actor": "kim", "dry_run": False}

    result = run(teller, instance, kind, one(kind, finding_id=finding, **config))

    made = teller.town.run("SELECT json_build_array(finding_id, amount::text, reason) FROM recon.actions")
    assert made[:2] == [finding, part]
    assert "half an hour" in made[2]
    assert result.success
    assert [amount for what, amount in teller.moves(intent) if what != "capture" or kind == "capture_payment"] == [
        moved
    ]


def test_another_object_than_the_findings_is_refused(teller: Teller, instance: dg.DagsterInstance) -> None:
    finding = teller.finding(teller.hold(started=True), "capture_payment")
    config = one("capture_payment", finding_id=finding, provider_ref="pi_of_somebody_else", actor="kim")
    assert not run(teller, instance, "capture_payment", config).success


def paid_at_stripe(teller: Teller) -> tuple[int, str, int]:
    """A user whose payment was read as paid, and who has no access: user, intent, finding."""
    made = AS_OF - timedelta(hours=1)
    intent = str(teller.life.create_intent(at=made, amount=1999)["id"])
    teller.life.succeed(intent, at=made)
    user = teller.town.user()
    payment = teller.town.payment(user, ref=intent)
    teller.town.run(
        "UPDATE recon.provider_transactions SET account = :account WHERE provider_ref = :ref",
        account=teller.sandbox.state.stripe.account_id, ref=intent,
    )  # fmt: skip
    return user, intent, teller.town.finding(user, payment)


def test_money_given_back_since_it_was_read_buys_no_access(teller: Teller) -> None:
    user, intent, finding = paid_at_stripe(teller)
    teller.life.refund(
        teller.sandbox.state.stripe.payment_intents[intent]["latest_charge"], at=AS_OF - timedelta(minutes=5)
    )
    (told,) = policy_acts(teller, finding).actions
    assert "given back now" in (told.reason or "")
    assert teller.town.look(user)["subscription_status"] == "inactive"


def test_access_is_given_where_stripe_still_shows_the_money(teller: Teller) -> None:
    user, _, finding = paid_at_stripe(teller)
    assert policy_acts(teller, finding).verified == 1
    assert teller.town.look(user)["subscription_status"] == "active"


def test_access_is_not_taken_from_somebody_who_has_just_paid(teller: Teller) -> None:
    user = teller.town.user("active", "pro")
    wanted = {"user_id": str(user)}
    view = propose_target(
        teller.engine, "revoke_access", wanted, actor="kim", as_of=AS_OF, reason="never paid", desk=teller.desk
    )
    assert view.action_id is not None
    oversight.approve(teller.engine, view.action_id, actor="ann", as_of=AS_OF)
    intent = str(teller.life.create_intent(at=AS_OF, amount=1999)["id"])
    teller.life.succeed(intent, at=AS_OF)
    teller.town.run(
        "INSERT INTO public.payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount, "
        "currency, created_at) VALUES (:user, :plan, 'stripe', :ref, 'pending', 19.99, 'usd', :at)",
        user=user, plan=PLANS["month"], ref=intent, at=AS_OF,
    )  # fmt: skip
    result = teller.apply(view.action_id)
    assert (result.state, teller.town.look(user)["subscription_status"]) == ("rejected", "active")
    assert "paid now" in (result.reason or "")


def test_a_plan_given_by_hand_is_left_alone_by_the_reports_and_cuts_nothing_short(teller: Teller) -> None:
    paid, renewal = AS_OF - timedelta(days=30), AS_OF + timedelta(days=335)
    teller.town.run(
        "INSERT INTO public.plans (id, name, tier, period, price, currency) "
        "VALUES (11, 'Basic year', 'basic', 'year', 50, 'usd')"
    )
    user = teller.town.user("active", "basic", plan_id=11)
    teller.town.run(
        "INSERT INTO public.payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount, "
        "currency, created_at, confirmed_at) VALUES (:user, 11, 'stripe', 'pi_b', 'completed', 50, 'usd', :at, :at)",
        user=user, at=paid,
    )  # fmt: skip
    teller.town.run(
        "UPDATE public.users SET subscription_renewal_date = :to, payment_due_date = :to WHERE id = :user",
        to=renewal, user=user,
    )  # fmt: skip
    shown = {line["field"]: line for line in given_by_hand(teller, user, PLANS["month"], dry_run=True).effects}
    assert shown["subscription_renewal_date"]["before"] is not None
    view = given_by_hand(teller, user, PLANS["month"])
    assert view.action_id is not None
    assert apply(teller.engine, view.action_id, actor="anna", as_of=AS_OF, dry_run=False).state == "verified"
    assert teller.town.look(user)["subscription_renewal_date"] == renewal

    later = AS_OF + timedelta(minutes=10)
    Ledger(teller.engine).read_in_full(stripe=True)
    for name in ("wrong_tier", "unpaid_access"):
        report = load_reports()[name]
        materialise(teller.engine, report, as_of=later, overrides={}, run_id=None)
        refresh(teller.engine, report, as_of=later, configured={"stripe"}, ui_url="http://ui.example.com", run_id=None)
    assert teller.town.count("recon.findings") == 0


def test_a_plan_given_by_hand_never_replaces_a_dearer_one_that_is_paid_for(teller: Teller) -> None:
    teller.town.run(
        "INSERT INTO public.plans (id, name, tier, period, price, currency) "
        "VALUES (11, 'Basic month', 'basic', 'month', 5, 'usd')"
    )
    user = teller.town.user("active", "pro", plan_id=PLANS["year"])
    teller.town.payment(user, plan="year", ref="pi_y", paid_at=AS_OF - timedelta(days=10))
    view = given_by_hand(teller, user, 11)
    assert view.action_id is None
    assert "would take it away" in (view.reason or "")


def test_what_waits_for_approval_takes_nobodys_place_in_a_run(teller: Teller) -> None:
    teller.town.run(
        "UPDATE recon.policies SET mode = 'auto', approvals = 0, max_per_run = 1 WHERE action = 'capture_payment'"
    )
    for amount in (80_000, 8_000):
        teller.finding(teller.hold(started=True, amount=amount), "capture_payment")
    assert [view.state for view in policy_acts(teller).actions] == ["proposed", "verified"]


def test_a_name_that_is_an_address_stands_in_no_log(teller: Teller, instance: dg.DagsterInstance) -> None:
    user, payment, _ = teller.town.gap()
    teller.town.run("DELETE FROM recon.findings")
    teller.town.finding(user, payment, username="kim.secret@example.com")
    config = {"ops": {"repair_live_findings": {"config": {"dry_run": True}}}}
    result = run(teller, instance, "repair_findings", config)
    told = [str(entry) for entry in instance.all_logs(result.run_id)]
    assert result.success
    assert any("activate_subscription" in line for line in told)
    assert not [line for line in told if "kim.secret" in line]

"""activate_subscription gives what was paid for, exactly once, and refuses what is no gap any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from payments_pipeline.remediation.actions import apply, propose
from payments_pipeline.remediation.outcome import ActionResult
from payments_pipeline.remediation.rounds import repair
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import PLANS, Town

ACTOR = "kim@ops"


def planned(engine: Engine) -> int:
    (view,) = propose(engine, actor="probe", as_of=AS_OF)
    assert view.action_id is not None
    return view.action_id


def applied(engine: Engine, action_id: int, as_of: datetime = AS_OF) -> ActionResult:
    return apply(engine, action_id, actor=ACTOR, as_of=as_of, dry_run=False)


def test_payer_whose_webhook_was_lost_gets_what_was_paid_for(engine: Engine, town: Town) -> None:
    user_id, payment_id, finding_id = town.gap()
    result = applied(engine, planned(engine))
    assert result.state == "verified"
    paid_at, renews_at = AS_OF - timedelta(hours=1), datetime(2026, 12, 1, 11, tzinfo=UTC)
    expected = {
        "subscription_status": "active", "subscription_tier": "pro", "plan_id": PLANS["month"],
        "last_payment_date": paid_at, "payment_due_date": renews_at, "subscription_renewal_date": renews_at,
        "subscription_updated_at": AS_OF, "updated_at": AS_OF,
    }  # fmt: skip
    user = town.look(user_id)
    assert {key: user[key] for key in expected} == expected
    event = town.row("SELECT * FROM public.subscription_events")
    assert (event["event_type"], event["old_status"], event["new_status"]) == ("activated", "inactive", "active")
    assert (event["old_tier"], event["new_tier"], event["payment_id"]) == ("free", "pro", payment_id)
    assert event["actor"] == ACTOR
    assert event["reason"] == (f"activation_gaps: webhook never came (finding {finding_id}, action {result.action_id})")
    assert {effect["field"] for effect in result.effects} >= {"subscription_status", "subscription_events"}


def test_payment_still_pending_here_but_paid_at_the_provider_activates_and_stays_as_it_is(
    engine: Engine, town: Town
) -> None:
    user_id, _, _ = town.gap(status="pending")
    assert applied(engine, planned(engine)).state == "verified"
    assert town.look(user_id)["subscription_status"] == "active"
    assert town.row("SELECT status FROM public.payment_transactions")["status"] == "pending"


def test_payment_that_only_the_application_knows_activates(engine: Engine, town: Town) -> None:
    town.gap(provider_state=None)
    assert applied(engine, planned(engine)).state == "verified"


@pytest.mark.parametrize(
    ("period", "paid_at", "renews_at"),
    [
        ("month", datetime(2027, 1, 31, 10, tzinfo=UTC), datetime(2027, 2, 28, 10, tzinfo=UTC)),
        ("month", datetime(2028, 1, 31, 10, tzinfo=UTC), datetime(2028, 2, 29, 10, tzinfo=UTC)),
        ("quarter", datetime(2026, 11, 30, 10, tzinfo=UTC), datetime(2027, 2, 28, 10, tzinfo=UTC)),
        ("year", datetime(2028, 2, 29, 10, tzinfo=UTC), datetime(2029, 2, 28, 10, tzinfo=UTC)),
        ("week", datetime(2026, 10, 28, 10, tzinfo=UTC), datetime(2026, 11, 4, 10, tzinfo=UTC)),
        ("day", datetime(2026, 11, 1, 10, tzinfo=UTC), datetime(2026, 11, 2, 10, tzinfo=UTC)),
        ("lifetime", datetime(2020, 1, 31, 10, tzinfo=UTC), None),
    ],
)
def test_period_ends_where_the_calendar_says(
    engine: Engine, town: Town, period: str, paid_at: datetime, renews_at: datetime | None
) -> None:
    user_id, _, _ = town.gap(plan=period, paid_at=paid_at)
    as_of = paid_at + timedelta(hours=1)
    assert repair(engine, as_of=as_of, actor=ACTOR, dry_run=False).verified == 1
    user = town.look(user_id)
    assert (user["payment_due_date"], user["subscription_renewal_date"]) == (renews_at, renews_at)
    assert user["last_payment_date"] == paid_at


def webhook_came(town: Town, user_id: int) -> None:
    town.run(
        "UPDATE public.users SET subscription_status = 'active', subscription_tier = 'pro' WHERE id = :u", u=user_id
    )


def user_cancelled(town: Town, user_id: int) -> None:
    town.run(
        "INSERT INTO public.subscription_events (user_id, event_type, created_at) VALUES (:u, 'canceled', :at)",
        u=user_id,
        at=AS_OF,
    )


def newer_payment(town: Town, user_id: int) -> None:
    town.payment(user_id, plan="year", paid_at=AS_OF - timedelta(minutes=5), ref="pi_newer")


def user_deleted(town: Town, user_id: int) -> None:
    town.run("DELETE FROM public.payment_transactions WHERE user_id = :u", u=user_id)
    town.run("DELETE FROM public.users WHERE id = :u", u=user_id)


def change(sql: str) -> Callable[[Town, int], None]:
    return lambda town, user_id: town.run(sql.replace(":user", str(user_id)))


RACES = [
    (webhook_came, "already has access on tier pro"),
    (
        change("UPDATE recon.provider_transactions SET state = 'refunded'"),
        "does not count as paid: completed here, refunded at",
    ),
    (change("UPDATE public.payment_transactions SET status = 'refunded'"), "does not count as paid: refunded here"),
    (change("UPDATE recon.provider_transactions SET amount_refunded = 19.99"), "paid at the provider, 19.99 refunded"),
    (change("UPDATE recon.provider_transactions SET amount_refunded = 5"), "amount_refunded was 0 and is 5"),
    (user_cancelled, "changed after the payment: canceled"),
    (newer_payment, "payment.paid_at was "),
    (change("UPDATE public.plans SET tier = 'max' WHERE id = 3"), "payment.tier was pro and is max"),
    (change("UPDATE public.users SET subscription_tier = 'basic'"), "user.subscription_tier was free and is basic"),
    (change("UPDATE public.users SET is_internal = TRUE"), "internal account"),
    (change("UPDATE public.users SET access_override_until = '2027-01-01'"), "granted access until 2027-01-01"),
    (user_deleted, "does not exist"),
]


@pytest.mark.parametrize(("race", "reason"), RACES, ids=[reason for _, reason in RACES])
def test_what_changed_since_the_proposal_is_rejected_with_the_reason(
    engine: Engine, town: Town, race: Callable[[Town, int], None], reason: str
) -> None:
    user_id, _, _ = town.gap()
    action_id = planned(engine)
    race(town, user_id)
    events = town.count("public.subscription_events")
    rehearsed = apply(engine, action_id, actor=ACTOR, as_of=AS_OF, dry_run=True)
    result = applied(engine, action_id)
    assert (result.state, rehearsed.state) == ("rejected", "rejected")
    assert reason in str(result.reason)
    assert town.count("public.subscription_events") == events
    assert town.row("SELECT state, reason FROM recon.actions") == {"state": "rejected", "reason": result.reason}
    assert town.row("SELECT reason FROM recon.audit_log WHERE event = 'action.rejected'")["reason"] == result.reason


def test_period_that_ended_since_the_proposal_is_rejected(engine: Engine, town: Town) -> None:
    town.gap(plan="day")
    result = applied(engine, planned(engine), AS_OF + timedelta(days=2))
    assert result.state == "rejected"
    assert "ended at 2026-11-02" in str(result.reason)


def test_gap_that_closed_before_the_proposal_is_not_proposed(engine: Engine, town: Town) -> None:
    user_id, _, _ = town.gap()
    webhook_came(town, user_id)
    assert propose(engine, actor=ACTOR, as_of=AS_OF) == []
    summary = repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False)
    assert (summary.planned, summary.rejected) == (0, 1)
    assert town.written() == (0, 0, 0, 0)


def test_unknown_plan_is_never_proposed(engine: Engine, town: Town) -> None:
    user_id = town.user()
    payment_id = town.payment(user_id)
    town.run("UPDATE public.payment_transactions SET plan_id = 99")
    town.finding(user_id, payment_id)
    assert propose(engine, actor=ACTOR, as_of=AS_OF) == []
    town.run("DELETE FROM recon.findings")
    town.finding(user_id, payment_id, repairable=False)
    assert repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False).actions == []


def test_ambiguous_provider_payment_alone_activates_nobody(engine: Engine, town: Town) -> None:
    town.gap(status="pending")
    town.run("UPDATE recon.provider_transactions SET link_method = 'ambiguous'")
    assert propose(engine, actor=ACTOR, as_of=AS_OF) == []


def test_wrong_tier_is_corrected(engine: Engine, town: Town) -> None:
    user_id = town.user("active", "basic")
    town.finding(user_id, town.payment(user_id))
    assert repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False).verified == 1
    assert town.look(user_id)["subscription_tier"] == "pro"


def test_a_later_renewal_on_the_same_tier_is_kept(engine: Engine, town: Town) -> None:
    late = AS_OF + timedelta(days=200)
    user_id = town.user("inactive", "PRO", subscription_renewal_date=late)
    town.finding(user_id, town.payment(user_id))
    assert repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False).verified == 1
    user = town.look(user_id)
    assert (user["subscription_renewal_date"], user["payment_due_date"]) == (late, late)


def test_a_year_behind_a_month_that_lapsed_is_given(engine: Engine, town: Town) -> None:
    user_id = town.user()
    year = town.payment(user_id, plan="year", paid_at=AS_OF - timedelta(days=80), ref="pi_year")
    town.payment(user_id, paid_at=AS_OF - timedelta(days=45), ref="pi_month")
    town.finding(user_id, year)
    assert repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False).verified == 1
    assert town.look(user_id)["plan_id"] == PLANS["year"]


def smaller_plan_on_top(town: Town) -> int:
    town.run("UPDATE public.plans SET tier = 'basic' WHERE id = :id", id=PLANS["month"])
    user_id = town.user("active", "pro")
    town.payment(user_id, plan="lifetime", paid_at=AS_OF - timedelta(days=80), ref="pi_life")
    town.payment(user_id)
    return user_id


def later_renewal_on_another_tier(town: Town) -> int:
    user_id = town.user("active", "max", subscription_renewal_date=AS_OF + timedelta(days=200))
    town.payment(user_id)
    return user_id


def disputed(town: Town) -> int:
    user_id = town.user()
    town.payment(user_id)
    town.run("UPDATE recon.provider_transactions SET disputed = TRUE")
    return user_id


def claimed_by_two(town: Town) -> int:
    user_id = town.user()
    town.payment(user_id)
    town.payment(town.user(), provider_state=None)
    return user_id


def banned(town: Town) -> int:
    user_id = town.user("Banned")
    town.payment(user_id)
    return user_id


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (smaller_plan_on_top, "would cut short"),
        (later_renewal_on_another_tier, "would cut short"),
        (disputed, "is disputed"),
        (claimed_by_two, "may have been paid by somebody else"),
        (banned, "The user is banned"),
    ],
)
def test_what_a_person_must_decide_is_refused_whatever_the_finding_says(
    engine: Engine, town: Town, plant: Callable[[Town], int], reason: str
) -> None:
    user_id = plant(town)
    before = town.look(user_id)
    town.finding(user_id)
    summary = repair(engine, as_of=AS_OF, actor=ACTOR, dry_run=False)
    assert (summary.verified, summary.rejected) == (0, 1)
    assert reason in str(summary.actions[0].reason)
    assert town.look(user_id) == before

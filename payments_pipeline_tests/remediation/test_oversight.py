"""What people decide about repairs, and that nothing gets past it: approvals, caps, policy, the switch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.remediation import audit, oversight
from payments_pipeline.remediation.actions import apply, propose, propose_target
from payments_pipeline.remediation.rounds import apply_due, repair
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller
from payments_pipeline_tests.remediation.town import Town


def proposed(engine: Engine, town: Town) -> int:
    _, _, finding = town.gap()
    (view,) = propose(engine, actor="Probe", as_of=AS_OF, findings=[finding])
    assert view.action_id is not None
    return view.action_id


def change(engine: Engine, kind: str = "activate_subscription", report: str = "", **changes: object) -> None:
    oversight.change_policy(engine, kind, actor="boss", as_of=AS_OF, report=report, changes=changes)


def test_two_approvals_are_two_people_and_neither_is_the_proposer(engine: Engine, town: Town) -> None:
    change(engine, approvals=2)
    action = proposed(engine, town)

    def approve(who: str) -> str:
        return oversight.approve(engine, action, actor=who, as_of=AS_OF).state

    with pytest.raises(PreconditionError, match="proposed"):
        approve(" probe")
    assert approve("ann") == "proposed"
    with pytest.raises(PreconditionError, match="approved"):
        approve("ANN ")
    assert apply(engine, action, actor="ann", as_of=AS_OF, dry_run=False).state == "proposed"
    assert approve("bob") == "approved"
    summary = apply_due(engine, as_of=AS_OF, actor="daemon")
    assert (summary.verified, town.run("SELECT state FROM recon.actions")) == (1, "verified")
    with pytest.raises(PreconditionError, match="verified"):
        approve("cid")


def test_one_person_is_one_however_the_name_is_written(engine: Engine, town: Town) -> None:
    change(engine, approvals=2)
    spellings = [
        ("Anna Meier", "Anna  Meier"), ("Anna Meier", "Anna\u00a0Meier"), ("anna", "an\u200bna"), ("bob", "ＢＯＢ"),
        ("Strauß", "STRAUSS"), ("José", "Jose\u0301"),
    ]  # fmt: skip
    for proposer, other in spellings:
        _, _, finding = town.gap()
        (view,) = propose(engine, actor=proposer, as_of=AS_OF, findings=[finding])
        assert view.action_id is not None
        with pytest.raises(PreconditionError, match="proposed action"):
            oversight.approve(engine, view.action_id, actor=other, as_of=AS_OF)
        with pytest.raises(DBAPIError, match="its proposer"):
            town.run("INSERT INTO recon.approvals VALUES (:a, :who, now(), 'x')", a=view.action_id, who=other)


def test_nobody_acts_under_the_projects_own_name_or_without_a_reason(engine: Engine, town: Town) -> None:
    action = proposed(engine, town)
    with pytest.raises(PermanentError, match="calls itself"):
        oversight.approve(engine, action, actor="Pol\u00adicy ", as_of=AS_OF)
    for act in (oversight.stop, oversight.resume):
        with pytest.raises(PermanentError, match="needs a reason"):
            act(engine, actor="boss", as_of=AS_OF, reason=" \u200b")
    with pytest.raises(PermanentError, match="needs a reason"):
        oversight.reject(engine, action, actor="boss", as_of=AS_OF, reason="")
    with pytest.raises(PermanentError, match="needs a reason"):
        propose_target(engine, "activate_by_hand", {"user_id": "1", "plan_id": "1"}, actor="a", as_of=AS_OF, reason="")


def test_database_itself_refuses_what_the_code_would(engine: Engine, town: Town) -> None:
    action = proposed(engine, town)
    insert = "INSERT INTO recon.approvals VALUES (:a, :who, now(), 'x')"
    town.run(insert, a=action, who="ann")
    refused: list[tuple[str, dict[str, object]]] = [
        (insert, {"a": action, "who": " PROBE"}),
        (insert, {"a": action, "who": "Ann"}),
        ("UPDATE recon.approvals SET approver = 'eve'", {}),
        ("DELETE FROM recon.approvals", {}),
        ("TRUNCATE recon.approvals", {}),
        ("DELETE FROM recon.policy_versions", {}),
        ("DELETE FROM recon.audit_log", {}),
        ("UPDATE recon.policies SET mode = 'auto' WHERE action = 'refund_payment'", {}),
        ("UPDATE recon.actions SET target = '{}'", {}),
    ]
    for sql, parameters in refused:
        with pytest.raises(DBAPIError):
            town.run(sql, **parameters)
    apply(engine, action, actor="kim", as_of=AS_OF, dry_run=False)
    with pytest.raises(DBAPIError, match="for good"):
        town.run("UPDATE recon.actions SET state = 'proposed'")


def test_rejected_and_lapsed_proposals_are_not_carried_out(engine: Engine, town: Town) -> None:
    action, other = proposed(engine, town), proposed(engine, town)
    oversight.reject(engine, action, actor="ann", as_of=AS_OF, reason="knows the user")
    result = apply(engine, action, actor="kim", as_of=AS_OF, dry_run=False)
    assert (result.state, result.reason) == ("rejected", "ann: knows the user")
    late = AS_OF + timedelta(days=8)
    assert "taken up before" in str(apply(engine, other, actor="kim", as_of=late, dry_run=False).reason)
    assert oversight.expire(engine, as_of=late, actor="daemon") == 1
    assert town.run("SELECT state FROM recon.actions WHERE action_id = :a", a=other) == "expired"


def test_caps_of_the_day_hold_for_two_workers_and_end_at_midnight(engine: Engine, town: Town) -> None:
    change(engine, max_per_day=3)
    for _ in range(6):
        town.gap()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: repair(engine, as_of=AS_OF, actor="night", dry_run=False), range(2)))
    assert town.count("public.subscription_events") == 3
    repair(engine, as_of=AS_OF + timedelta(hours=12), actor="night", dry_run=False)
    assert town.count("public.subscription_events") == 6


def test_caps_on_money_hold_back_what_would_exceed_them(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    teller.town.run("UPDATE recon.policy_limits SET max_amount_per_day = 200 WHERE currency = 'USD'")
    actions = [teller.proposed("capture_payment", started=True)[1] for _ in range(3)]
    results = [teller.apply(action) for action in actions]
    assert [result.state for result in results] == ["verified", "verified", "proposed"]
    assert "would move 240.00 USD today; policy allows 200" in str(results[2].reason)


def test_one_reports_policy_stands_above_that_of_the_kind(teller: Teller) -> None:
    """As shipped: holds of no-shows are released without asking, others are not."""
    for report in ("no_show_holds", "stuck_authorizations"):
        teller.finding(teller.hold(), "release_authorization", report)
    repair(teller.engine, as_of=AS_OF, actor="night", dry_run=False, desk=teller.desk)
    rows = teller.town.run("SELECT array_agg(report || ' ' || state ORDER BY report) FROM recon.actions")
    assert rows == ["no_show_holds verified", "stuck_authorizations proposed"]


def test_a_reports_new_policy_has_the_limits_and_the_term_of_the_kinds(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET expires_after = '2 hours' WHERE action = 'capture_payment'")
    change(teller.engine, "capture_payment", report="stuck_authorizations", max_per_run=10)
    oversight.confirm_policy(teller.engine, 1, actor="second", as_of=AS_OF)
    intent, action = teller.proposed("capture_payment", amount=3000000, started=True)
    assert teller.town.run("SELECT expires_at - proposed_at FROM recon.actions") == timedelta(hours=2)
    assert oversight.approve(teller.engine, action, actor="ann", as_of=AS_OF).state == "proposed"
    assert oversight.approve(teller.engine, action, actor="bob", as_of=AS_OF).state == "approved"
    assert "policy allows 25000" in str(teller.apply(action).reason)
    assert teller.moves(intent) == []


@pytest.mark.parametrize("changes", [{"approvals": 0}, {"mode": "auto", "approvals": 0}])
def test_nobody_alone_takes_the_last_approval_from_what_moves_money(
    engine: Engine, town: Town, changes: dict[str, object]
) -> None:
    for report in ("", "stuck_authorizations"):
        with pytest.raises(PermanentError, match="one approval at least"):
            change(engine, "capture_payment", report=report, **changes)
    assert town.run("SELECT min(approvals) FROM recon.policies WHERE action = 'capture_payment'") == 1
    change(engine, "capture_payment", mode="off")
    town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    with pytest.raises(PermanentError, match="one approval at least"):
        change(engine, "capture_payment", mode="auto")


def test_policy_changes_are_versioned_and_audited_however_they_are_made(engine: Engine, town: Town) -> None:
    change(engine, mode="propose", max_per_run=7)
    change(engine, report="wrong_tier", approvals=1)
    town.run("UPDATE recon.policies SET max_per_run = 9 WHERE action = 'activate_subscription' AND report = ''")
    kept = town.run(
        "SELECT array_agg((after ->> 'max_per_run') || ' ' || (after ->> 'version') ORDER BY policy_version_id)"
        " FROM recon.policy_versions WHERE after ->> 'action' = 'activate_subscription' AND change = 'update'"
    )
    assert kept == ["7 2", "9 3"]
    assert town.run("SELECT count(*) FROM recon.audit_log WHERE event = 'policy.changed' AND actor = 'boss'") == 2
    with pytest.raises(PermanentError, match="never_auto"):
        change(engine, "revoke_access", mode="auto")
    with pytest.raises(PermanentError, match="no policy"):
        change(engine, "make_coffee", mode="auto")
    with pytest.raises(PermanentError, match="Not a field"):
        change(engine, colour="red")
    with engine.connect() as connection:
        assert audit.verify(connection).broken_at is None


def test_switch_stops_everything_and_waits_for_what_is_under_way(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    (first, begun), (second, waiting) = (teller.proposed("capture_payment", started=True) for _ in range(2))
    local = proposed(teller.engine, teller.town)
    called, order = threading.Event(), []

    def step(name: str) -> None:
        if name == "called":
            called.set()
            _until(lambda: bool(teller.town.run("SELECT stopped FROM recon.repair_switch")))
            time.sleep(0.2)
            order.append("done")

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(teller.apply, begun, step=step)
        assert called.wait(10)
        oversight.stop(teller.engine, actor="boss", as_of=AS_OF, reason="something is wrong")
        order.append("stopped")
        assert future.result().state == "verified"
    assert order == ["done", "stopped"]
    for action in (waiting, local):
        held = teller.apply(action)
        assert (held.state, held.reason) == ("proposed", "All repairs were stopped by boss: something is wrong.")
    assert (teller.moves(first), teller.moves(second)) == ([("capture", 8000)], [])
    oversight.resume(teller.engine, actor="boss", as_of=AS_OF, reason="found it")
    assert [teller.apply(action).state for action in (waiting, local)] == ["verified", "verified"]


def test_switch_between_intent_and_call_keeps_the_call_from_being_made(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    intent, action = teller.proposed("capture_payment", started=True)

    def step(name: str) -> None:
        if name == "claimed":
            oversight.stop(teller.engine, actor="boss", as_of=AS_OF, reason="wait")

    assert teller.apply(action, step=step).state == "applying"
    assert teller.moves(intent) == []
    assert teller.apply(action).state == "applying"
    oversight.resume(teller.engine, actor="boss", as_of=AS_OF, reason="go on")
    summary = apply_due(teller.engine, as_of=AS_OF, actor="daemon", desk=teller.desk)
    assert summary.verified == 1
    assert teller.moves(intent) == [("capture", 8000)]


def test_turns_that_were_stopped_before_any_call_are_no_attempts(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    intent, action = teller.proposed("capture_payment", started=True)

    def step(name: str) -> None:
        if name == "claimed":
            oversight.stop(teller.engine, actor="boss", as_of=AS_OF, reason="wait")

    for _ in range(6):
        assert teller.apply(action, step=step).state == "applying"
        oversight.resume(teller.engine, actor="boss", as_of=AS_OF, reason="go on")
        teller.lease_over()
    assert (teller.apply(action).state, teller.moves(intent)) == ("verified", [("capture", 8000)])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

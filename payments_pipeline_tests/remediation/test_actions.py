"""The life of actions: policy, caps, dry runs, two workers, kills, failures; and how all that is audited."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.db.sql import sql_root
from payments_pipeline.errors import PermanentError, SchemaError, TransientError
from payments_pipeline.remediation import actions, audit
from payments_pipeline.remediation.actions import apply, propose
from payments_pipeline.remediation.planning import MOST_FAILURES
from payments_pipeline.remediation.rounds import RepairSummary, repair
from payments_pipeline.remediation.writeback import STATEMENTS, writeback
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import Town


def run(
    engine: Engine, *, dry_run: bool = False, limit: int | None = None, contract: Path | None = None
) -> RepairSummary:
    return repair(engine, as_of=AS_OF, actor="night", dry_run=dry_run, limit=limit, contract_dir=contract)


def counts(summary: RepairSummary) -> tuple[int, int, int, int]:
    return summary.planned, summary.verified, summary.rejected, summary.failed


def mode(town: Town, word: str, cap: int = 500, approvals: int = 0) -> None:
    town.run(
        "UPDATE recon.policies SET mode = :m, max_per_run = :c, approvals = :a WHERE action = 'activate_subscription'",
        m=word,
        c=cap,
        a=approvals,
    )


def test_repair_twice_is_harmless(engine: Engine, town: Town) -> None:
    for _ in range(3):
        town.gap()
    assert counts(run(engine)) == (3, 3, 0, 0)
    written = town.written()
    assert counts(run(engine)) == (0, 0, 3, 0), "no report has run yet, but the gap is closed"
    assert town.written() == written == (3, 6, 3, 3)


def test_applying_a_finished_action_again_changes_nothing(engine: Engine, town: Town) -> None:
    town.gap()
    (view,) = propose(engine, actor="probe", as_of=AS_OF)
    assert view.action_id is not None
    first = apply(engine, view.action_id, actor="a", as_of=AS_OF, dry_run=False)
    written = town.written()
    assert apply(engine, view.action_id, actor="b", as_of=AS_OF, dry_run=False).state == first.state == "verified"
    assert town.written() == written


def test_proposing_twice_gives_the_same_action(engine: Engine, town: Town) -> None:
    _, _, finding_id = town.gap()
    town.gap()
    first = propose(engine, actor="probe", as_of=AS_OF, findings=[finding_id])
    assert [view.finding_id for view in first] == [finding_id]
    again = propose(engine, actor="other", as_of=AS_OF, findings=[finding_id])
    assert [view.action_id for view in again] == [view.action_id for view in first]
    assert town.written() == (1, 1, 0, 0)


def test_dry_run_says_what_would_change_and_writes_nothing(engine: Engine, town: Town) -> None:
    user_id, _, _ = town.gap()
    summary = run(engine, dry_run=True)
    assert counts(summary) == (1, 0, 0, 0)
    (view,) = summary.actions
    assert (view.action_id, view.state) == (None, "proposed")
    assert {
        "what": f"user {user_id}",
        "field": "subscription_status",
        "before": "inactive",
        "after": "active",
    } in view.effects
    assert town.written() == (0, 0, 0, 0)
    (stored,) = propose(engine, actor="probe", as_of=AS_OF)
    assert stored.action_id is not None
    rehearsed = apply(engine, stored.action_id, actor="kim", as_of=AS_OF, dry_run=True)
    assert (rehearsed.state, rehearsed.dry_run, rehearsed.effects) == ("verified", True, view.effects)
    assert counts(run(engine, dry_run=True)) == (1, 0, 0, 0)
    assert town.written() == (1, 1, 0, 0)


def test_policy_decides_how_far_it_goes(engine: Engine, town: Town) -> None:
    town.gap()
    mode(town, "off")
    assert counts(run(engine)) == (0, 0, 0, 0)
    mode(town, "propose")
    assert counts(run(engine)) == (1, 0, 0, 0)
    (view,) = propose(engine, actor="probe", as_of=AS_OF)
    assert view.action_id is not None
    mode(town, "propose", approvals=1)
    held = apply(engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False)
    assert (held.state, held.reason) == ("proposed", "Policy for activate_subscription asks for 1 approval(s).")
    mode(town, "off")
    held = apply(engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False)
    assert (held.state, held.reason) == ("proposed", "Policy for activate_subscription is off.")
    mode(town, "propose")
    assert apply(engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False).state == "verified"


def test_caps_leave_the_rest_for_the_next_run(engine: Engine, town: Town) -> None:
    for _ in range(5):
        town.gap()
    mode(town, "auto", cap=2)
    assert counts(run(engine)) == (5, 2, 0, 0)
    assert counts(run(engine, limit=1))[1] == 1
    assert counts(run(engine))[1] == 2
    assert town.count("public.subscription_events") == 5


def test_two_workers_at_once_activate_each_user_once(engine: Engine, town: Town) -> None:
    for _ in range(8):
        town.gap()
    barrier = threading.Barrier(2)

    def worker(_: int) -> RepairSummary:
        barrier.wait()
        return run(engine)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, range(2)))
    assert town.count("public.subscription_events") == 8
    assert town.run("SELECT count(*) FROM recon.actions WHERE state = 'verified'") == 8
    with engine.connect() as connection:
        assert audit.verify(connection) == audit.AuditCheck(16, None, audit.verify(connection).head)


def test_worker_waits_for_the_webhook_and_then_finds_nothing_to_do(engine: Engine, town: Town) -> None:
    user_id, _, _ = town.gap()
    (view,) = propose(engine, actor="probe", as_of=AS_OF)
    assert view.action_id is not None
    with ThreadPoolExecutor(1) as pool, engine.connect() as webhook:
        webhook.execute(
            text("UPDATE public.users SET subscription_status = 'active', subscription_tier = 'pro' WHERE id = :u"),
            {"u": user_id},
        )
        future = pool.submit(apply, engine, view.action_id, actor="night", as_of=AS_OF, dry_run=False)
        while not town.run("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert not future.done()
        webhook.commit()
        result = future.result()
    assert (result.state, result.reason) == ("rejected", "The user already has access on tier pro.")


def test_application_that_holds_the_user_too_long_leaves_the_action_for_later(
    engine: Engine, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, _, _ = town.gap()
    monkeypatch.setattr(actions, "LOCK_TIMEOUT", "50ms")
    with engine.connect() as application:
        application.execute(text("SELECT 1 FROM public.users WHERE id = :u FOR UPDATE"), {"u": user_id})
        assert counts(run(engine)) == (1, 0, 0, 1)
        (view,) = propose(engine, actor="probe", as_of=AS_OF)
        assert view.action_id is not None
        with pytest.raises(TransientError, match="lock timeout"):
            apply(engine, view.action_id, actor="night", as_of=AS_OF, dry_run=False)
    assert counts(run(engine)) == (1, 1, 0, 0)


def test_worker_killed_half_way_leaves_nothing_behind(engine: Engine, town: Town) -> None:
    user_id, _, _ = town.gap()
    town.run(
        "CREATE FUNCTION public.kill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    town.run(
        "CREATE TRIGGER kill BEFORE INSERT ON public.subscription_events FOR EACH ROW EXECUTE FUNCTION public.kill()"
    )
    assert counts(run(engine)) == (1, 0, 0, 1)
    assert town.look(user_id)["subscription_status"] == "inactive"
    town.run("DROP TRIGGER kill ON public.subscription_events")
    assert counts(run(engine)) == (1, 1, 0, 0)
    assert town.written() == (1, 2, 1, 1)


def contract(folder: Path, **replaced: str) -> Path:
    """A company's own contract: the shipped write-back statements with some replaced."""
    shutil.copytree(sql_root() / "contract" / "writeback", folder / "writeback")
    for name, sql in replaced.items():
        (folder / "writeback" / f"{name}.sql").write_text(sql)
    return folder


def test_failure_is_undone_told_and_not_repeated_for_ever(engine: Engine, town: Town, tmp_path: Path) -> None:
    user_id, _, _ = town.gap()
    broken = contract(tmp_path, insert_subscription_event="INSERT INTO public.no_such_table VALUES (:user_id)")
    for _ in range(MOST_FAILURES):
        summary = run(engine, contract=broken)
        assert counts(summary) == (1, 0, 0, 1)
        assert 'relation "public.no_such_table" does not exist' in str(summary.actions[0].reason)
    assert counts(run(engine, contract=broken)) == (0, 0, 1, 0)
    assert town.look(user_id)["subscription_status"] == "inactive"
    assert town.run("SELECT count(*) FROM recon.audit_log WHERE event = 'action.failed'") == MOST_FAILURES


def test_statement_that_does_not_do_what_the_views_show_fails_verification(
    engine: Engine, town: Town, tmp_path: Path
) -> None:
    user_id, _, _ = town.gap()
    idle = contract(tmp_path, activate_user="UPDATE public.users SET updated_at = :at WHERE id = :user_id")
    summary = run(engine, contract=idle)
    assert counts(summary) == (1, 0, 0, 1)
    assert "does not show access" in str(summary.actions[0].reason)
    assert town.look(user_id)["updated_at"] != AS_OF


def test_malformed_target_leaves_the_others_alone(engine: Engine, town: Town) -> None:
    town.finding("not-a-number")
    town.gap()
    assert counts(run(engine)) == (1, 1, 1, 0)


def test_company_statements_are_never_filled_up_with_the_shipped_ones(tmp_path: Path) -> None:
    assert all("public." in str(writeback(name, None)) for name in STATEMENTS)
    with pytest.raises(SchemaError, match="adapting"):
        writeback("lock_user", tmp_path)


@pytest.mark.parametrize("actor", ["", "  "])
def test_nobody_may_act_without_a_name(engine: Engine, town: Town, actor: str) -> None:
    town.gap()
    with pytest.raises(PermanentError, match="actor"):
        propose(engine, actor=actor, as_of=AS_OF)
    with pytest.raises(PermanentError, match="actor"):
        repair(engine, actor=actor, as_of=AS_OF, dry_run=False)


def test_action_that_does_not_exist_is_said_so(engine: Engine) -> None:
    with pytest.raises(PermanentError, match="no action 5"):
        apply(engine, 5, actor="kim", as_of=AS_OF, dry_run=True)

"""Closing and snoozing as actions, proposed and applied: the same life as by command, and never in a refresh's way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from payments_pipeline.findings.lifecycle import lock
from payments_pipeline.remediation.actions import apply, propose_target
from payments_pipeline.remediation.outcome import ActionResult
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes

HOUR = timedelta(hours=1)


def proposed(desk: Desk, kind: str, **target: str) -> int:
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE recon.policies SET approvals = 0"))
    view = propose_target(
        desk.engine, kind, {"finding_id": "1", **target}, actor="kim", as_of=AS_OF, reason="seen by finance"
    )
    assert view.action_id is not None, view.reason
    return view.action_id


def applied(desk: Desk, action: int) -> ActionResult:
    return apply(desk.engine, action, actor="kim", as_of=AS_OF, dry_run=False)


def test_a_finding_closed_by_an_action_stays_closed_while_its_row_stays_and_its_message_says_so(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    assert applied(desk, proposed(desk, "resolve_finding")).state == "verified"
    (finding,) = desk.findings()
    assert (finding["resolved_how"], finding["resolved_by"], finding["handled_by"]) == ("person", "kim", "kim")
    assert "seen by finance" in finding["resolution"]
    assert desk.refresh(AS_OF + HOUR) == changes(), "its row is there as it was"
    desk.gone("a")
    desk.anomaly("a", amount=21)
    assert desk.refresh(AS_OF + 2 * HOUR) == changes(reopened=1)
    assert [row["kind"] for row in desk.outbox()] == ["opened", "resolved", "opened"]
    assert "seen by finance" in desk.outbox()[1]["body"]["resolution"]


def test_a_finding_snoozed_by_an_action_wakes_and_its_message_says_until_when(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    until = (AS_OF + HOUR).isoformat()
    assert applied(desk, proposed(desk, "snooze_finding", until=until)).state == "verified"
    assert desk.findings()[0]["snoozed_until"] == AS_OF + HOUR
    desk.refresh(AS_OF + HOUR)
    assert [row["kind"] for row in desk.outbox()] == ["opened", "snoozed", "woken"]


def test_an_action_that_waits_for_a_refresh_holds_nothing_that_the_refresh_needs(desk: Desk) -> None:
    """The report's lock comes first: with the finding's row first, each would wait for the other."""
    desk.anomaly("a")
    desk.refresh()
    action = proposed(desk, "resolve_finding")
    with ThreadPoolExecutor(1) as pool:
        with desk.engine.begin() as refreshing:
            lock(refreshing, "amiss")
            waiting = pool.submit(applied, desk, action)
            until_somebody_waits(desk)
            refreshing.execute(text("SELECT 1 FROM recon.findings WHERE finding_id = 1 FOR UPDATE NOWAIT"))
        assert waiting.result(timeout=20).state == "verified"


def until_somebody_waits(desk: Desk) -> None:
    for _ in range(200):
        if desk.all("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits for the report's lock")

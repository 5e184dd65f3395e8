"""Rounds of repairs: everything that findings ask for, or everything that people approved, within the caps of a run.

Belongs here: which actions one run takes up, and its summary. Does not belong here: one action (actions.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.actions import apply, propose_all, rehearse
from payments_pipeline.remediation.oversight import expire, named_person
from payments_pipeline.remediation.planning import ActionView, plans, view_of
from payments_pipeline.remediation.policy import Tally, policies, policy_for

CHUNK = 25
"""Findings proposed in one transaction: what is due first is applied before the rest is even planned."""
REPAIR_ATTEMPTS = 3
"""So often is a finding's repair tried by itself in one episode; after that a person must look."""
LOOK_EVERY = 5.0
"""Seconds after which what was verified so far is looked at again, while the round goes on."""

Looking = Callable[[Collection[int]], object]
"""Told which actions were verified: looks again at what they repaired (recheck.py)."""


@dataclass(frozen=True, slots=True)
class DueRepair:
    """A live finding that policy lets be repaired by itself.

    Attributes:
        attempts: how often that was tried in this episode.
        opened_at: since when it waits.
        run_id: the run that found it.
    """

    finding_id: int
    episode: int
    attempts: int
    opened_at: datetime
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """One run of `repair`: counts, and every action it looked at, as it stands now."""

    planned: int
    verified: int
    rejected: int
    failed: int
    actions: Sequence[ActionView]


def due_repairs(
    connection: Connection, *, kinds: Collection[str], most: int, now: datetime, reports: Collection[str] = ()
) -> list[DueRepair]:
    """Which live findings may be repaired without asking anybody, the oldest first.

    Args:
        kinds: of repairs.
        reports: only their findings; none: of all reports.
    """
    parameters = {
        "max_attempts": REPAIR_ATTEMPTS,
        "max_rows": most,
        "kinds": list(kinds),
        "reports": list(reports),
        "now": now,
    }
    rows = connection.execute(named("sensors/repairs_due.sql"), parameters).mappings().all()
    return [DueRepair(**row) for row in rows]


def repair(
    engine: Engine,
    *,
    as_of: datetime,
    actor: str,
    dry_run: bool,
    limit: int | None = None,
    findings: Sequence[int] | None = None,
    kinds: Collection[str] | None = None,
    proposing: bool = True,
    contract_dir: Path | None = None,
    desk: Desk | None = None,
    looking: Looking | None = None,
) -> RepairSummary:
    """Propose what is due and, where policy is auto, apply it, up to the policy's caps of one run.

    What may happen by itself comes first, a few findings at a time; what people must approve is proposed after that.

    Args:
        dry_run: write nothing at all; the summary says what would be planned, and what is not due any more.
        limit: apply at most this many altogether.
        findings: only these open ones; None: all.
        kinds: apply only repairs of these kinds; the others are only proposed. None: all.
        proposing: also propose what people must approve.
        looking: called with what was verified.
    """
    with engine.connect() as connection:
        allowed = policies(connection)
        rows = connection.execute(named("remediation/candidate_ids.sql"), {"findings": _listed(findings)}).all()

    def by_itself(kind: str, report: str | None) -> bool:
        return policy_for(allowed, kind, report).mode == "auto" and (kinds is None or kind in kinds)

    at_once = [row.finding_id for row in rows if by_itself(row.kind, row.report)]
    later = [row.finding_id for row in rows if proposing and not by_itself(row.kind, row.report)]
    if dry_run:
        return _summary(_rehearse_all(engine, as_of, desk, [*at_once, *later]))
    worker, tally, outcomes = _Worker(engine, named_person(actor), as_of, contract_dir, desk, looking), Tally(), []
    for chunk in (*_chunks(at_once), *_chunks(later)):
        for view in propose_all(engine, worker.actor, as_of, chunk, desk):
            policy = policy_for(allowed, view.kind, view.report)
            may = view.action_id is not None and by_itself(view.kind, view.report)
            room = limit is None or tally.total < limit
            if not may or not room or tally.take(view.kind, policy, view.stake) is not None:
                outcomes.append(view)
                continue
            outcomes.append(worker.applied(view))
    worker.look(at_last=True)
    return _summary(outcomes)


def apply_due(
    engine: Engine,
    *,
    as_of: datetime,
    actor: str,
    limit: int | None = None,
    actions: Collection[int] | None = None,
    kinds: Collection[str] | None = None,
    contract_dir: Path | None = None,
    desk: Desk | None = None,
    looking: Looking | None = None,
) -> RepairSummary:
    """Carry out what people approved, settle what somebody began and did not end; let old proposals lapse first.

    Args:
        actions: only these; None: all that are due.
        kinds: only approved ones of these kinds; what was begun is settled whatever its kind. None: all.
        looking: called with what was verified.
    """
    expire(engine, as_of=as_of, actor=named_person(actor))
    with engine.connect() as connection:
        allowed = policies(connection)
    worker, tally, outcomes = _Worker(engine, named_person(actor), as_of, contract_dir, desk, looking), Tally(), []
    for view in due(engine, actions=actions, kinds=kinds):
        policy = policy_for(allowed, view.kind, view.report)
        room = limit is None or tally.total < limit
        begun = view.state == "applying"
        if not room or (not begun and tally.take(view.kind, policy, view.stake) is not None):
            outcomes.append(view)
            continue
        outcomes.append(worker.applied(view))
    worker.look(at_last=True)
    return _summary(outcomes)


def due(engine: Engine, *, actions: Collection[int] | None, kinds: Collection[str] | None) -> list[ActionView]:
    """What people approved and nobody carried out yet, and what somebody began and did not end; see `apply_due`."""
    with engine.connect() as connection:
        views = [view_of(row) for row in connection.execute(named("remediation/due_actions.sql"))]
    return [
        view
        for view in views
        if (actions is None or view.action_id in actions)
        and (kinds is None or view.kind in kinds or view.state == "applying")
    ]


@dataclass(slots=True)
class _Worker:
    """Applies one after the other, and has what was verified looked at every few seconds."""

    engine: Engine
    actor: str
    as_of: datetime
    contract_dir: Path | None
    desk: Desk | None
    looking: Looking | None
    _verified: list[int] = field(default_factory=list)
    _looked: float = field(default_factory=time.monotonic)

    def applied(self, view: ActionView) -> ActionView:
        assert view.action_id is not None  # noqa: S101  (only stored ones come here)
        try:
            result = apply(
                self.engine,
                view.action_id,
                actor=self.actor,
                as_of=self.as_of,
                dry_run=False,
                contract_dir=self.contract_dir,
                desk=self.desk,
            )
        except PaymentsPipelineError as error:
            return replace(view, state="failed", reason=str(error))  # as it was in the database: the next run tries
        if result.state == "verified":
            self._verified.append(view.action_id)
        self.look()
        return replace(view, state=result.state, effects=result.effects or view.effects, reason=result.reason)

    def look(self, *, at_last: bool = False) -> None:
        """Look again at what was verified since the last time, unless that was only just."""
        if self.looking is None or not self._verified:
            return
        if at_last or time.monotonic() - self._looked >= LOOK_EVERY:
            verified, self._verified = self._verified, []
            self.looking(verified)
            self._looked = time.monotonic()


def _chunks(findings: Sequence[int]) -> list[Sequence[int]]:
    return [findings[start : start + CHUNK] for start in range(0, len(findings), CHUNK)]


def _listed(findings: Sequence[int] | None) -> list[int] | None:
    return None if findings is None else list(findings)


def _rehearse_all(engine: Engine, as_of: datetime, desk: Desk | None, findings: Sequence[int]) -> list[ActionView]:
    views = []
    with engine.begin() as connection:
        connection.execute(named("remediation/read_only.sql"))
        for plan in plans(connection, as_of=as_of, findings=findings, desk=desk):
            view = plan.view
            if view.action_id is not None:
                parameters = {"action_id": view.action_id}
                action = connection.execute(named("remediation/read_action.sql"), parameters).one()
                result = rehearse(connection, action, as_of, desk)
                state = "rejected" if result.state == "rejected" else view.state
                view = replace(view, effects=result.effects, state=state, reason=result.reason)
            views.append(view)
    return views


def _summary(views: Sequence[ActionView]) -> RepairSummary:
    states = Counter(view.state for view in views)
    planned = sum(view.action_id is not None or view.state == "proposed" for view in views)
    return RepairSummary(planned, states["verified"], states["rejected"], states["failed"], views)

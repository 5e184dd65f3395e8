"""Rounds of repairs: everything that findings ask for, or everything that people approved, within the caps of a run.

Belongs here: which actions one run takes up, and its summary. Does not belong here: one action (actions.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.actions import apply, propose_all, rehearse
from payments_pipeline.remediation.oversight import expire, named_person
from payments_pipeline.remediation.planning import ActionView, plans, view_of
from payments_pipeline.remediation.policy import Tally, policies, policy_for


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """One run of `repair`: counts, and every action it looked at, as it stands now."""

    planned: int
    verified: int
    rejected: int
    failed: int
    actions: Sequence[ActionView]


def repair(
    engine: Engine,
    *,
    as_of: datetime,
    actor: str,
    dry_run: bool,
    limit: int | None = None,
    contract_dir: Path | None = None,
    desk: Desk | None = None,
) -> RepairSummary:
    """Propose what is due and, where policy is auto, apply it, up to the policy's caps of one run.

    Args:
        dry_run: write nothing at all; the summary says what would be planned, and what is not due any more.
        limit: apply at most this many altogether.
    """
    if dry_run:
        return _summary(_rehearse_all(engine, as_of, desk))
    views = propose_all(engine, named_person(actor), as_of, None, desk)
    with engine.connect() as connection:
        allowed = policies(connection)
    worker, tally, outcomes = _Worker(engine, actor, as_of, contract_dir, desk), Tally(), []
    for view in views:
        policy = policy_for(allowed, view.kind, view.report)
        may = view.action_id is not None and policy.mode == "auto" and (limit is None or tally.total < limit)
        if not may or tally.take(view.kind, policy, view.stake) is not None:
            outcomes.append(view)
            continue
        outcomes.append(_applied(worker, view))
    return _summary(outcomes)


def apply_due(
    engine: Engine,
    *,
    as_of: datetime,
    actor: str,
    limit: int | None = None,
    contract_dir: Path | None = None,
    desk: Desk | None = None,
) -> RepairSummary:
    """Carry out what people approved, settle what somebody began and did not end; let old proposals lapse first."""
    expire(engine, as_of=as_of, actor=named_person(actor))
    with engine.connect() as connection:
        allowed = policies(connection)
        views = [view_of(row) for row in connection.execute(named("remediation/due_actions.sql"))]
    worker, tally, outcomes = _Worker(engine, actor, as_of, contract_dir, desk), Tally(), []
    for view in views:
        policy = policy_for(allowed, view.kind, view.report)
        room = limit is None or tally.total < limit
        begun = view.state == "applying"
        if not room or (not begun and tally.take(view.kind, policy, view.stake) is not None):
            outcomes.append(view)
            continue
        outcomes.append(_applied(worker, view))
    return _summary(outcomes)


@dataclass(frozen=True, slots=True)
class _Worker:
    engine: Engine
    actor: str
    as_of: datetime
    contract_dir: Path | None
    desk: Desk | None


def _applied(by: _Worker, view: ActionView) -> ActionView:
    assert view.action_id is not None  # noqa: S101  (only stored ones come here)
    try:
        result = apply(
            by.engine,
            view.action_id,
            actor=by.actor,
            as_of=by.as_of,
            dry_run=False,
            contract_dir=by.contract_dir,
            desk=by.desk,
        )
    except PaymentsPipelineError as error:
        return replace(view, state="failed", reason=str(error))  # as it was in the database: the next run tries
    return replace(view, state=result.state, effects=result.effects or view.effects, reason=result.reason)


def _rehearse_all(engine: Engine, as_of: datetime, desk: Desk | None) -> list[ActionView]:
    views = []
    with engine.begin() as connection:
        connection.execute(named("remediation/read_only.sql"))
        for plan in plans(connection, as_of=as_of, findings=None, desk=desk):
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

"""The life of an action: proposed, applied and verified; or rejected, or failed. Each step leaves an audit row.

Belongs here: locks, preconditions, policy, caps, outcomes. Does not belong here: what a repair does (one module a kind)
or which findings ask for one (planning.py). An action is applied in one transaction together with its outcome and its
audit row, so a process that dies half-way has done nothing, and repeating is harmless. Locks are taken in one order:
action, target, audit chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import OperationalError, StatementError

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError, PermanentError, PreconditionError, TransientError
from payments_pipeline.remediation.facts import Facts, canonical, changes, digest
from payments_pipeline.remediation.kinds import Order
from payments_pipeline.remediation.outcome import ActionResult, Outcome, finish, record
from payments_pipeline.remediation.planning import OFF, ActionView, Plan, plans, policies
from payments_pipeline.remediation.registry import KINDS
from payments_pipeline.remediation.writeback import writeback

LOCK_TIMEOUT = "10s"
_OPEN = frozenset({"proposed", "approved"})


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """One run of `repair`: counts, and every action it looked at, as it stands now."""

    planned: int
    verified: int
    rejected: int
    failed: int
    actions: Sequence[ActionView]


def propose(engine: Engine, *, actor: str, as_of: datetime, findings: Sequence[int] | None = None) -> list[ActionView]:
    """Store a proposal for each live finding that names a repair which is due and allowed.

    Args:
        actor: who proposes.
        findings: only these; None: all.

    Returns:
        The live action of each such finding, new or there already. Proposing twice changes nothing.
    """
    return [view for view in _propose(engine, _named(actor), as_of, findings) if view.action_id is not None]


def apply(
    engine: Engine,
    action_id: int,
    *,
    actor: str,
    as_of: datetime,
    dry_run: bool,
    contract_dir: Path | None = None,
) -> ActionResult:
    """Make one repair, or say what it would do.

    Both sides are read again under lock; where the finding no longer holds, or anything it was planned on has changed,
    the action is rejected with the reason. An action that is finished stays as it is.

    Args:
        actor: who applies.
        dry_run: read only, and return the effects.
        contract_dir: the company's own write-back statements; None: the shipped ones.

    Raises:
        PermanentError: there is no such action, or no actor is named.
        TransientError: a lock could not be had in time, or the connection was lost; nothing was written.
    """
    statement = "remediation/read_action.sql" if dry_run else "remediation/lock_action.sql"
    try:
        with engine.begin() as connection:
            if dry_run:
                connection.execute(named("remediation/read_only.sql"))
            connection.execute(named("remediation/lock_timeout.sql"), {"duration": LOCK_TIMEOUT})
            action = connection.execute(named(statement), {"action_id": action_id}).one_or_none()
            if action is None:
                raise PermanentError(f"There is no action {action_id}.", where="recon.actions")
            if dry_run:
                return _rehearse(connection, action, as_of)
            return _apply(connection, action, _order(action, _named(actor), as_of), contract_dir)
    except OperationalError as error:
        raise TransientError(
            f"The database did not let us apply it: {_first_line(error)}.",
            where=f"action {action_id}",
            remedy="Nothing was written; apply it again.",
        ) from error


def repair(
    engine: Engine,
    *,
    as_of: datetime,
    actor: str,
    dry_run: bool,
    limit: int | None = None,
    contract_dir: Path | None = None,
) -> RepairSummary:
    """Propose what is due and, where policy is auto, apply it, up to the policy's `max_per_run` of each kind.

    Args:
        dry_run: write nothing at all; the summary says what would be planned, and what is not due any more.
        limit: apply at most this many altogether.
    """
    if dry_run:
        return _summary(_rehearse_all(engine, as_of))
    views = _propose(engine, _named(actor), as_of, None)
    with engine.connect() as connection:
        allowed = policies(connection)
    applied: Counter[str] = Counter()
    outcomes = []
    for view in views:
        policy = allowed.get(view.kind, OFF)
        room = applied[view.kind] < policy.max_per_run and (limit is None or applied.total() < limit)
        if view.action_id is None or policy.mode != "auto" or not room:
            outcomes.append(view)
            continue
        applied[view.kind] += 1
        outcomes.append(_applied(engine, view, actor, as_of, contract_dir))
    return _summary(outcomes)


def _propose(engine: Engine, actor: str, as_of: datetime, findings: Sequence[int] | None) -> list[ActionView]:
    """As `propose`, with the rejected ones."""
    with engine.begin() as connection:
        connection.execute(named("remediation/propose_lock.sql"))
        found = plans(connection, as_of=as_of, findings=findings)
        stored = [_store(connection, plan, actor, as_of) for plan in found]
        for view, plan in zip(stored, found, strict=True):
            if plan.facts is not None:
                record(connection, view, Order(actor, as_of, view.reason or ""), before=plan.facts, after=None)
    return stored


def _store(connection: Connection, plan: Plan, actor: str, as_of: datetime) -> ActionView:
    if plan.facts is None:
        return plan.view
    view = plan.view
    row = {
        "finding_id": view.finding_id,
        "kind": view.kind,
        "target": canonical(view.target),
        "precondition": canonical(plan.facts),
        "digest": digest(plan.facts),
        "effects": canonical(view.effects),
        "actor": actor,
        "at": as_of,
        "reason": view.reason,
    }
    return replace(view, action_id=connection.execute(named("remediation/insert_action.sql"), row).scalar_one())


def _apply(connection: Connection, action: Row[Any], order: Order, contract_dir: Path | None) -> ActionResult:
    if (held_back := _held_back(connection, action)) is not None:
        return ActionResult(action.action_id, action.state, action.effects, held_back)
    kind, statements = KINDS[action.kind], partial(writeback, contract_dir=contract_dir)
    kind.lock(connection, action.target, statements)
    before = kind.read(connection, action.target, as_of=order.at)
    if (objection := _objection(action, before, order.at)) is not None:
        return finish(connection, action, order, Outcome("rejected", before, before, objection))
    effects = kind.plan(before, as_of=order.at)
    try:
        with connection.begin_nested():
            kind.apply(connection, before, order, statements)
            after = kind.read(connection, action.target, as_of=order.at)
            if (complaint := kind.verify(before, after)) is not None:
                raise PreconditionError(complaint, remedy="Check the write-back statements against the views.")
    except OperationalError:
        raise  # a lock or the connection: the whole transaction is repeated later
    except StatementError as error:
        return finish(connection, action, order, Outcome("failed", before, before, _first_line(error)))
    except PaymentsPipelineError as error:
        return finish(connection, action, order, Outcome("failed", before, before, str(error)))
    return finish(connection, action, order, Outcome("verified", before, after, effects=effects))


def _rehearse(connection: Connection, action: Row[Any], as_of: datetime) -> ActionResult:
    if (held_back := _held_back(connection, action)) is not None:
        return ActionResult(action.action_id, action.state, action.effects, held_back, dry_run=True)
    kind = KINDS[action.kind]
    facts = kind.read(connection, action.target, as_of=as_of)
    objection = _objection(action, facts, as_of)
    if objection is not None:
        return ActionResult(action.action_id, "rejected", [], objection, dry_run=True)
    effects = kind.plan(facts, as_of=as_of)
    return ActionResult(action.action_id, "verified", effects, action.reason, dry_run=True)


def _rehearse_all(engine: Engine, as_of: datetime) -> list[ActionView]:
    views = []
    with engine.begin() as connection:
        connection.execute(named("remediation/read_only.sql"))
        for plan in plans(connection, as_of=as_of, findings=None):
            view = plan.view
            if view.action_id is not None:
                parameters = {"action_id": view.action_id}
                action = connection.execute(named("remediation/read_action.sql"), parameters).one()
                result = _rehearse(connection, action, as_of)
                state = "rejected" if result.state == "rejected" else view.state
                view = replace(view, effects=result.effects, state=state, reason=result.reason)
            views.append(view)
    return views


def _held_back(connection: Connection, action: Row[Any]) -> str | None:
    """Why this action may not run now, whatever the world looks like."""
    if action.state not in _OPEN:
        return action.reason or f"It is {action.state} already."
    policy = policies(connection).get(action.kind, OFF)
    if action.kind not in KINDS or policy.mode == "off":
        return f"Policy for {action.kind} is off."
    if policy.approvals > 0 and action.state != "approved":
        return f"Policy for {action.kind} asks for {policy.approvals} approval(s)."
    return None


def _objection(action: Row[Any], facts: Facts, as_of: datetime) -> str | None:
    """Why the world does not ask for this action any more, or not for this one."""
    if (objection := KINDS[action.kind].check(facts, as_of=as_of)) is not None:
        return objection
    if digest(facts) == action.precondition_digest:
        return None
    return f"Changed since it was planned: {'; '.join(changes(action.precondition, facts)) or 'details'}."


def _applied(engine: Engine, view: ActionView, actor: str, as_of: datetime, contract_dir: Path | None) -> ActionView:
    assert view.action_id is not None  # noqa: S101  (stored by _propose)
    try:
        result = apply(engine, view.action_id, actor=actor, as_of=as_of, dry_run=False, contract_dir=contract_dir)
    except TransientError as error:
        return replace(view, state="failed", reason=str(error))  # stays proposed in the database: the next run tries
    return replace(view, state=result.state, effects=result.effects or view.effects, reason=result.reason)


def _summary(views: Sequence[ActionView]) -> RepairSummary:
    states = Counter(view.state for view in views)
    planned = sum(view.action_id is not None or view.state == "proposed" for view in views)
    return RepairSummary(planned, states["verified"], states["rejected"], states["failed"], views)


def _order(action: Row[Any], actor: str, as_of: datetime) -> Order:
    subject = f"finding {action.finding_id}, " if action.finding_id is not None else ""
    return Order(actor, as_of, f"{action.reason or action.kind} ({subject}action {action.action_id})")


def _named(actor: str) -> str:
    if not actor.strip():
        raise PermanentError("Nobody is named as the actor.", remedy="Pass who proposes or applies.")
    return actor


def _first_line(error: StatementError) -> str:
    """The database's message without its DETAIL, which quotes rows."""
    return next(iter(str(error.orig or error).splitlines()), type(error).__name__)

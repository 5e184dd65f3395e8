"""The life of an action: proposed, applied and verified; or rejected, or failed. Each step leaves an audit row.

Belongs here: proposing, applying one action. Does not belong here: what a repair does (one module a kind), which
findings ask for one (planning.py), what people decide (oversight.py), how a provider is asked (effects.py), and rounds
of many (rounds.py). An action that changes the application only is applied in one transaction together with its
outcome and its audit row, so a process that dies half-way has done nothing, and repeating is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import OperationalError, StatementError

from payments_pipeline.core.people import given
from payments_pipeline.core.people import named as named_actor
from payments_pipeline.db.sql import named
from payments_pipeline.errors import (
    ConfigurationError,
    PaymentsPipelineError,
    PermanentError,
    PreconditionError,
    TransientError,
)
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.effects import Job, Step, carry_out, unwatched
from payments_pipeline.remediation.facts import Facts, canonical, changes, digest
from payments_pipeline.remediation.gate import held_back, over_caps, overtaken, stopped
from payments_pipeline.remediation.kinds import Order, ProviderKind
from payments_pipeline.remediation.outcome import ActionResult, Outcome, finish, record
from payments_pipeline.remediation.planning import ActionView, Plan, objection_of, plan_of, plans
from payments_pipeline.remediation.policy import policies, policy_for
from payments_pipeline.remediation.registry import KINDS
from payments_pipeline.remediation.writeback import writeback

LOCK_TIMEOUT = "10s"
NO_DESK = "No provider may be asked from here: the action needs one."


def propose(
    engine: Engine,
    *,
    actor: str,
    as_of: datetime,
    findings: Sequence[int] | None = None,
    desk: Desk | None = None,
) -> list[ActionView]:
    """Store a proposal for each live finding that names a repair which is due and allowed.

    Args:
        actor: who proposes.
        findings: only these; None: all.
        desk: where providers are asked; None: repairs that must ask are not proposed.

    Returns:
        The live action of each such finding, new or there already. Proposing twice changes nothing.
    """
    return [
        view for view in propose_all(engine, named_actor(actor), as_of, findings, desk) if view.action_id is not None
    ]


def propose_target(
    engine: Engine,
    kind: str,
    target: Mapping[str, str],
    *,
    actor: str,
    as_of: datetime,
    reason: str,
    desk: Desk | None = None,
    dry_run: bool = False,
    finding_id: int | None = None,
    report: str | None = None,
) -> ActionView:
    """Propose a repair of what a person names.

    Args:
        target: whom or what, as the kind names it, e.g. ``{"payment_id": "42"}``.
        dry_run: only say what it would be; the view then has no action_id.
        finding_id, report: the finding that it is to repair, which has no live action; None: none.

    Returns:
        The proposal; or one that is rejected, not stored, with the reason why it is not due.

    Raises:
        PermanentError: the kind is unknown or off, nothing usable is named as the target, nobody as the actor, or no
            reason.
    """
    found = KINDS.get(kind)
    chosen = None if found is None else found.target(target)
    if found is None or chosen is None:
        raise PermanentError(
            f"No repair {kind} of {dict(target)}.", remedy=f"Kinds: {', '.join(sorted(KINDS))}; name its target."
        )
    order = Order(named_actor(actor), as_of, given(reason, kind))
    with engine.begin() as connection:
        if dry_run:
            connection.execute(named("remediation/read_only.sql"))
        if finding_id is not None and not dry_run:
            connection.execute(named("remediation/propose_lock.sql"))
        if policy_for(policies(connection), kind, report).mode == "off":
            raise PermanentError(
                f"Policy for {kind} is off.", where="recon.policies", remedy="Change the policy first."
            )
        plan = plan_of(
            connection, found, chosen, as_of=as_of, reason=f"{order.actor}: {order.reason}", desk=desk,
            finding_id=finding_id, report=report,
        )  # fmt: skip
        if dry_run or plan.facts is None:
            return plan.view
        view = _store(connection, plan, order.actor, as_of)
        record(connection, view, order, before=plan.facts, after=None)
    return view


def apply(
    engine: Engine,
    action_id: int,
    *,
    actor: str,
    as_of: datetime,
    dry_run: bool,
    contract_dir: Path | None = None,
    desk: Desk | None = None,
    step: Step = unwatched,
) -> ActionResult:
    """Make one repair, or say what it would do.

    Both sides are read again under lock; where the finding no longer holds, or anything it was planned on has changed,
    the action is rejected with the reason. An action that is finished stays as it is.

    Args:
        actor: who applies.
        dry_run: read only, and return the effects.
        contract_dir: the company's own write-back statements; None: the shipped ones.
        desk: where providers are asked; None: nowhere.
        step: told each step that was completed; one that asks no provider has ``read`` and ``written``, both inside
            its one transaction.

    Raises:
        PermanentError: there is no such action, or no actor is named.
        TransientError: a lock could not be had in time, or a connection was lost; what was begun is settled later.
    """
    statement = "remediation/read_action.sql" if dry_run else "remediation/lock_action.sql"
    kind = None if dry_run else KINDS.get(_kind_of(engine, action_id))
    try:
        if isinstance(kind, ProviderKind):
            if desk is None:
                raise ConfigurationError(NO_DESK, where=kind.name, remedy="Configure the provider's key.")
            statements = partial(writeback, contract_dir=contract_dir)
            return carry_out(Job(engine, action_id, kind, desk, named_actor(actor), as_of, statements, step))
        with engine.begin() as connection:
            if dry_run:
                connection.execute(named("remediation/read_only.sql"))
            connection.execute(named("remediation/lock_timeout.sql"), {"duration": LOCK_TIMEOUT})
            halted = stopped(connection, hold=not dry_run)
            action = connection.execute(named(statement), {"action_id": action_id}).one_or_none()
            if action is None:
                raise PermanentError(f"There is no action {action_id}.", where="recon.actions")
            if halted is not None:
                return ActionResult(action_id, action.state, action.effects, halted, dry_run)
            if dry_run:
                return rehearse(connection, action, as_of, desk)
            order = _order(action, named_actor(actor), as_of)
            return _apply(connection, action, order, contract_dir, desk=desk, step=step)
    except OperationalError as error:
        raise TransientError(
            f"The database did not let us apply it: {_first_line(error)}.",
            where=f"action {action_id}",
            remedy="Apply it again; what a provider was asked for meanwhile is settled by reading.",
        ) from error


def propose_all(
    engine: Engine, actor: str, as_of: datetime, findings: Sequence[int] | None, desk: Desk | None
) -> list[ActionView]:
    """As `propose`, with those that are not due: rejected, and not stored."""
    with engine.begin() as connection:
        connection.execute(named("remediation/propose_lock.sql"))
        found = plans(connection, as_of=as_of, findings=findings, desk=desk)
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
        "report": view.report,
        "amount": view.stake and view.stake.amount,
        "currency": view.stake and view.stake.currency,
        "expires_at": as_of + policy_for(policies(connection), view.kind, view.report).expires_after,
    }
    return replace(view, action_id=connection.execute(named("remediation/insert_action.sql"), row).scalar_one())


def _apply(
    connection: Connection, action: Row[Any], order: Order, contract_dir: Path | None, *, desk: Desk | None, step: Step
) -> ActionResult:
    if (reason := held_back(connection, action, at=order.at, actor=order.actor)) is not None:
        return ActionResult(action.action_id, action.state, action.effects, reason)
    kind, statements = KINDS[action.kind], partial(writeback, contract_dir=contract_dir)
    kind.lock(connection, action.target, statements)
    before = kind.read(connection, action.target, as_of=order.at, desk=desk)
    if (objection := overtaken(connection, action) or _objection(action, before, order.at)) is not None:
        return finish(connection, action, order, Outcome("rejected", before, before, objection))
    if (reason := over_caps(connection, action, at=order.at)) is not None:
        return ActionResult(action.action_id, action.state, action.effects, reason)
    effects = kind.plan(before, as_of=order.at)
    step("read")
    try:
        with connection.begin_nested():
            kind.apply(connection, before, order, statements)
            after = kind.read(connection, action.target, as_of=order.at, desk=desk)
            if (complaint := kind.verify(before, after)) is not None:
                raise PreconditionError(complaint, remedy="Check the write-back statements against the views.")
    except (OperationalError, TransientError):
        raise  # a lock, the connection or a provider: the whole transaction is repeated later
    except StatementError as error:
        return finish(connection, action, order, Outcome("failed", before, before, _first_line(error)))
    except PaymentsPipelineError as error:
        return finish(connection, action, order, Outcome("failed", before, before, str(error)))
    result = finish(connection, action, order, Outcome("verified", before, after, effects=effects))
    step("written")
    return result


def rehearse(connection: Connection, action: Row[Any], as_of: datetime, desk: Desk | None) -> ActionResult:
    """What would become of a stored action; writes nothing."""
    if (reason := held_back(connection, action, at=as_of, actor="")) is not None:
        return ActionResult(action.action_id, action.state, action.effects, reason, dry_run=True)
    kind = KINDS[action.kind]
    facts = kind.read(connection, action.target, as_of=as_of, desk=desk)
    objection = _objection(action, facts, as_of)
    if objection is not None:
        return ActionResult(action.action_id, "rejected", [], objection, dry_run=True)
    effects = kind.plan(facts, as_of=as_of)
    return ActionResult(action.action_id, "verified", effects, action.reason, dry_run=True)


def _objection(action: Row[Any], facts: Facts, as_of: datetime) -> str | None:
    """Why the world does not ask for this action any more, or not for this one."""
    if (objection := objection_of(KINDS[action.kind], facts, as_of)) is not None:
        return objection
    if digest(facts) == action.precondition_digest:
        return None
    return f"Changed since it was planned: {'; '.join(changes(action.precondition, facts)) or 'details'}."


def _kind_of(engine: Engine, action_id: int) -> str:
    with engine.connect() as connection:
        row = connection.execute(named("remediation/read_action.sql"), {"action_id": action_id}).one_or_none()
    return "" if row is None else str(row.kind)


def _order(action: Row[Any], actor: str, as_of: datetime) -> Order:
    subject = f"finding {action.finding_id}, " if action.finding_id is not None else ""
    return Order(actor, as_of, f"{action.reason or action.kind} ({subject}action {action.action_id})")


def _first_line(error: StatementError) -> str:
    """The database's message without its DETAIL, which quotes rows."""
    return next(iter(str(error.orig or error).splitlines()), type(error).__name__)

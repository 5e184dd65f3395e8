"""From findings to planned repairs: which findings ask for one, whether policy lets them, and what each would change.

Belongs here: reading and deciding, nothing is written. Does not belong here: storing proposals and applying them
(actions.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DataError

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts
from payments_pipeline.remediation.kinds import ActionKind, Money
from payments_pipeline.remediation.policy import policies, policy_for
from payments_pipeline.remediation.registry import KINDS

MOST_FAILURES = 3
"""A repair that failed this often on one finding is not proposed again: a person must look."""

UNRECKONABLE = "It has an amount or a time that can't be reckoned with: a person must look."


@dataclass(frozen=True, slots=True)
class ActionView:
    """An action as people see it.

    Attributes:
        action_id: None for what is not stored: a rehearsal, or a finding whose repair is not due any more.
        finding_id: the finding it repairs; None when a person chose the target.
        kind: e.g. activate_subscription.
        target: whom, e.g. ``{"user_id": "17", "payment_id": "42", "username": "kim"}``.
        effects: ``{"what", "field", "before", "after"}``, one a value that changes.
        state: as recon.actions has it; rejected also for what was not even proposed.
        reason: why it was proposed, or why it was rejected or failed.
        report: whose finding it is; None when a person chose the target.
        stake: the money it is about; None: none moves.
    """

    action_id: int | None
    finding_id: int | None
    kind: str
    target: Mapping[str, str]
    effects: Sequence[Facts]
    state: str
    reason: str | None
    report: str | None = None
    stake: Money | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A view and the facts it rests on; facts are None where the view's action is stored already, or was rejected."""

    view: ActionView
    facts: Facts | None = None


def plans(
    connection: Connection, *, as_of: datetime, findings: Sequence[int] | None, desk: Desk | None = None
) -> list[Plan]:
    """A plan for each live finding that names a repair which policy does not switch off.

    Args:
        findings: only these; None: all.
        desk: where providers are asked; None: repairs that must ask are not planned.
    """
    allowed = policies(connection)
    chosen = None if findings is None else list(findings)
    candidates = connection.execute(named("remediation/candidates.sql"), {"findings": chosen}).all()
    return [
        _plan(connection, row, KINDS[row.kind], as_of, desk)
        for row in candidates
        if row.kind in KINDS and policy_for(allowed, row.kind, row.report).mode != "off"
    ]


def view_of(row: Row[Any]) -> ActionView:
    """A stored action."""
    return ActionView(
        row.action_id, row.finding_id, row.kind, row.target, row.effects, row.state, row.reason, row.report,
        None if row.amount is None else Money(row.amount, row.currency),
    )  # fmt: skip


def plan_of(
    connection: Connection,
    kind: ActionKind,
    target: Mapping[str, str],
    *,
    as_of: datetime,
    reason: str,
    desk: Desk | None = None,
    finding_id: int | None = None,
    report: str | None = None,
) -> Plan:
    """What a kind would do to a target now, or in the view's reason why it would not."""
    unfit = ActionView(None, finding_id, kind.name, target, [], "rejected", None, report)
    try:
        with connection.begin_nested():  # one finding with a malformed id leaves the others alone
            facts = kind.read(connection, target, as_of=as_of, desk=desk)
    except DataError as error:
        return Plan(replace(unfit, reason=f"The target can't be read: {str(error.orig).splitlines()[0]}"))
    except PaymentsPipelineError as error:
        return Plan(replace(unfit, reason=f"It can't be read now: {error}"))
    except ArithmeticError:
        return Plan(replace(unfit, reason=UNRECKONABLE))
    if (objection := objection_of(kind, facts, as_of)) is not None:
        return Plan(replace(unfit, reason=objection))
    view = replace(
        unfit, effects=kind.plan(facts, as_of=as_of), state="proposed", reason=reason, stake=kind.stake(facts)
    )
    return Plan(view, facts)


def objection_of(kind: ActionKind, facts: Facts, as_of: datetime) -> str | None:
    """Why the repair must not be made. An amount or a time that nobody can reckon with is a reason of its own."""
    try:
        if (objection := kind.check(facts, as_of=as_of)) is not None:
            return objection
        kind.plan(facts, as_of=as_of)
        stake = kind.stake(facts)
    except ArithmeticError:
        return UNRECKONABLE
    return None if stake is None or stake.amount.is_finite() else UNRECKONABLE


def _plan(connection: Connection, row: Row[Any], kind: ActionKind, as_of: datetime, desk: Desk | None) -> Plan:
    if row.action_id is not None:
        stored = connection.execute(named("remediation/read_action.sql"), {"action_id": row.action_id}).one()
        return Plan(view_of(stored))
    evidence = row.evidence if isinstance(row.evidence, dict) else {}
    references = {"user_id": row.user_ref, "payment_id": row.payment_ref, "finding_id": row.finding_id}
    target = kind.target(references | {key: value for key, value in evidence.items() if value is not None})
    if target is None:
        return _unfit(row, {}, "The finding does not say whom to repair.")
    if row.failures >= MOST_FAILURES:
        return _unfit(row, target, f"The repair has failed {row.failures} times: a person must look.")
    reason = f"{row.report}: {evidence.get('reason') or 'found'}"
    return plan_of(
        connection, kind, target, as_of=as_of, reason=reason, desk=desk, finding_id=row.finding_id, report=row.report
    )


def _unfit(row: Row[Any], target: Mapping[str, str], reason: str) -> Plan:
    return Plan(ActionView(None, row.finding_id, row.kind, target, [], "rejected", reason, row.report))

"""What people do about repairs: approve, reject, let lapse, stop everything. Each with its audit row.

Belongs here: decisions of people. Does not belong here: carrying an action out (actions.py, effects.py),
changing what policy says (policy_change.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from payments_pipeline.core.people import given, person, same
from payments_pipeline.core.people import named as named_person
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.facts import jsonable
from payments_pipeline.remediation.gate import OPEN, approvals_needed
from payments_pipeline.remediation.kinds import Order
from payments_pipeline.remediation.outcome import ActionResult, Outcome, finish, whose
from payments_pipeline.remediation.policy_change import change_policy, confirm_policy

__all__ = ["approve", "change_policy", "confirm_policy", "expire", "locked", "named_person", "reject", "resume", "stop"]


def approve(engine: Engine, action_id: int, *, actor: str, as_of: datetime, note: str | None = None) -> ActionResult:
    """Agree to an action as it was planned; with the last approval that policy asks for it becomes approved.

    Raises:
        PermanentError: there is no such action, or nobody is named.
        PreconditionError: the proposer approves, somebody approves twice, or it is not open any more.
    """
    who = person(actor)
    with engine.begin() as connection:
        action = locked(connection, action_id)
        if action.state not in OPEN:
            raise PreconditionError(f"Action {action_id} is {action.state} already.", remedy="Nothing to approve.")
        if action.expires_at is not None and action.expires_at <= as_of:
            raise PreconditionError(f"Action {action_id} was open until {action.expires_at}.", remedy="Propose anew.")
        before = {same(row.approver) for row in _approvals(connection, action_id)}
        _refuse_approver(action, who, before)
        row = {"action_id": action_id, "approver": who, "at": as_of, "note": note}
        connection.execute(named("remediation/insert_approval.sql"), row | {"digest": action.precondition_digest})
        needed = approvals_needed(connection, action)
        complete = len(before) + 1 >= needed
        if complete:
            connection.execute(named("remediation/approve_action.sql"), {"action_id": action_id})
        user_ref, payment_ref = whose(action.target, action.precondition)
        audit.append(
            connection,
            at=as_of,
            actor=who,
            event="action.approved",
            action_id=action_id,
            finding_id=action.finding_id,
            user_ref=user_ref,
            payment_ref=payment_ref,
            reason=note,
            details={"kind": action.kind, "approvals": len(before) + 1, "needed": needed},
        )
    state = "approved" if complete else "proposed"
    return ActionResult(action_id, state, action.effects, f"{len(before) + 1} of {needed} approval(s).")


def reject(engine: Engine, action_id: int, *, actor: str, as_of: datetime, reason: str) -> ActionResult:
    """Decide that an action is not to be carried out, nor proposed again by itself for the same finding.

    Raises:
        PermanentError: there is no such action, nobody is named, or no reason. PreconditionError: it is begun or ended.
    """
    order = Order(person(actor), as_of, given(reason, f"action {action_id}"))
    with engine.begin() as connection:
        action = locked(connection, action_id)
        if action.state not in OPEN:
            raise PreconditionError(f"Action {action_id} is {action.state} already.", remedy="Nothing to reject.")
        facts = action.precondition
        return finish(
            connection, action, order, Outcome("rejected", facts, facts, f"{order.actor}: {reason}", by_person=True)
        )


def expire(engine: Engine, *, as_of: datetime, actor: str) -> int:
    """Let proposals lapse that nobody took up in time. Returns how many."""
    with engine.begin() as connection:
        lapsed = connection.execute(named("remediation/expire_actions.sql"), {"at": as_of}).scalars().all()
    for action_id in lapsed:
        with engine.begin() as connection:
            action = locked(connection, action_id)
            if action.state in OPEN:
                order, facts = Order(actor, as_of, ""), action.precondition
                reason = f"Nobody took it up before {action.expires_at}."
                finish(connection, action, order, Outcome("expired", facts, facts, reason))
    return len(lapsed)


def stop(engine: Engine, *, actor: str, as_of: datetime, reason: str) -> None:
    """Stop all repairs: none begins from now on, and when this returns none is under way."""
    _switch(engine, True, person(actor), as_of, given(reason, "the switch of all repairs"))
    with engine.begin() as connection:
        connection.execute(named("remediation/switch_drain.sql"))


def resume(engine: Engine, *, actor: str, as_of: datetime, reason: str) -> None:
    """Let repairs go on."""
    _switch(engine, False, person(actor), as_of, given(reason, "the switch of all repairs"))


def locked(connection: Connection, action_id: int) -> Row[Any]:
    """The action's row, locked until the transaction ends.

    Raises:
        PermanentError: there is no such action.
    """
    action = connection.execute(named("remediation/lock_action.sql"), {"action_id": action_id}).one_or_none()
    if action is None:
        raise PermanentError(f"There is no action {action_id}.", where="recon.actions")
    return action


def _refuse_approver(action: Row[Any], who: str, before: set[str]) -> None:
    if same(who) == same(action.proposed_by):
        raise PreconditionError(f"{who} proposed action {action.action_id}.", remedy="Somebody else must approve.")
    if same(who) in before:
        raise PreconditionError(f"{who} approved action {action.action_id} already.", remedy="Ask somebody else.")


def _approvals(connection: Connection, action_id: int) -> list[Row[Any]]:
    return list(connection.execute(named("remediation/approvals_of.sql"), {"action_id": action_id}))


def _switch(engine: Engine, is_stopped: bool, actor: str, as_of: datetime, reason: str) -> None:
    with engine.begin() as connection:
        before = connection.execute(named("remediation/switch_read.sql")).mappings().one()
        values = {"stopped": is_stopped, "reason": reason, "at": as_of, "actor": actor}
        connection.execute(named("remediation/switch_set.sql"), values)
        audit.append(connection, at=as_of, actor=actor, event="repairs.stopped" if is_stopped else "repairs.resumed",
                     reason=reason, before=jsonable(dict(before)), after=jsonable(values))  # fmt: skip

"""Whether an action may be carried out at this moment, whatever the world looks like.

Belongs here: the switch that stops everything, approvals, caps of the day. Does not belong here: whether the repair is
still due (actions.py asks its kind). Locks are taken in one order everywhere: switch, action, target, caps, audit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from payments_pipeline.db.sql import named
from payments_pipeline.remediation.kinds import Doubting, Money
from payments_pipeline.remediation.policy import BY_ITSELF, OFF, Policy, policies, policy_for
from payments_pipeline.remediation.registry import KINDS

OPEN = frozenset({"proposed", "approved"})


def stopped(connection: Connection, *, hold: bool) -> str | None:
    """Why nothing at all may be done now; None when it may.

    Args:
        hold: whoever stops everything waits until this transaction ends, so that nothing is under way afterwards.
    """
    if hold:
        connection.execute(named("remediation/switch_hold.sql"))
    switch = connection.execute(named("remediation/switch_read.sql")).one_or_none()
    if switch is None:
        return "The switch of all repairs has no row: recon.repair_switch."
    if not switch.stopped:
        return None
    return f"All repairs were stopped by {switch.changed_by}: {switch.reason or 'no reason given'}."


def held_back(connection: Connection, action: Row[Any], *, at: datetime, actor: str) -> str | None:
    """Why this action may not be begun now: its state, policy, approvals that lack, or somebody who looks after it.

    Args:
        actor: who would begin it. A person may where the finding is acknowledged or snoozed; policy may after an
            acknowledgement only what was approved.
    """
    if action.state not in OPEN:
        return action.reason or f"It is {action.state} already."
    if action.expires_at is not None and action.expires_at <= at:
        return f"It was to be taken up before {action.expires_at}."
    if action.kind not in KINDS or policy_of(connection, action).mode == "off":
        return f"Policy for {action.kind} is off."
    needed = approvals_needed(connection, action)
    if (lack := _lack(connection, action, needed)) is not None:
        return lack
    finding = _finding(connection, action) if actor == BY_ITSELF else None
    if finding is not None and (finding.status == "snoozed" or (finding.status == "acknowledged" and not needed)):
        return f"Finding {action.finding_id} is {finding.status}: somebody looks after it."
    return None


def _lack(connection: Connection, action: Row[Any], needed: int) -> str | None:
    given = len(connection.execute(named("remediation/approvals_of.sql"), {"action_id": action.action_id}).all())
    if given >= needed:
        return None
    if given:
        return f"Policy for {action.kind} asks for {needed} approval(s). It has {given}."
    doubt = doubt_of(action)
    asks = f"Policy for {action.kind} asks for {needed} approval(s)."
    return asks if doubt is None else f"{doubt} A person must agree: {needed} approval(s)."


def overtaken(connection: Connection, action: Row[Any]) -> str | None:
    """Why nobody needs this action any more: its finding is over. It can't end before this transaction does."""
    finding = _finding(connection, action)
    if finding is None or finding.status != "resolved":
        return None
    return f"Finding {action.finding_id} is over: {finding.resolved_how or 'resolved'}."


def over_caps(connection: Connection, action: Row[Any], *, at: datetime) -> str | None:
    """Why the caps of the day leave no room; holds them for this action until the transaction ends."""
    policy, stake = policy_of(connection, action), stake_of(action)
    limit = policy.limit(stake)
    per_day = limit.per_day if limit is not None else None
    if policy is OFF or (policy.max_per_day is None and per_day is None):
        return None
    connection.execute(named("remediation/caps_lock.sql"), {"kind": action.kind})
    currency = stake.currency if stake is not None else ""
    row = {"kind": action.kind, "report": policy.report, "currency": currency, "at": at}
    spent = connection.execute(named("remediation/spent_today.sql"), row).one()
    if policy.max_per_day is not None and spent.actions >= policy.max_per_day:
        return f"Policy allows {policy.max_per_day} of {action.kind} a day, and so many were made today."
    if stake is not None and per_day is not None and spent.amount + stake.amount > per_day:
        total = spent.amount + stake.amount
        return f"With it {action.kind} would move {total} {stake.currency} today; policy allows {per_day}."
    return None


def _finding(connection: Connection, action: Row[Any]) -> Row[Any] | None:
    if action.finding_id is None:
        return None
    return connection.execute(named("remediation/hold_finding.sql"), {"finding_id": action.finding_id}).one_or_none()


def approvals_needed(connection: Connection, action: Row[Any]) -> int:
    """How many people must agree: as policy says, and one at least where the facts leave it to people."""
    needed = policy_of(connection, action).needed(stake_of(action))
    return needed if doubt_of(action) is None else max(needed, 1)


def doubt_of(action: Row[Any]) -> str | None:
    """What a person must judge first, by the facts that the action was planned on."""
    kind: object = KINDS.get(action.kind)
    return kind.doubt(action.precondition) if isinstance(kind, Doubting) else None


def policy_of(connection: Connection, action: Row[Any]) -> Policy:
    """The policy that is in force for an action."""
    return policy_for(policies(connection), action.kind, action.report)


def stake_of(action: Row[Any]) -> Money | None:
    """The sum an action was planned on."""
    return None if action.amount is None else Money(action.amount, action.currency)

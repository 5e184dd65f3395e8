"""Writes down what became of an action: its state, and the audit row of that step.

Belongs here: the two writes that end every step. Does not belong here: deciding which way it ended (actions.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from payments_pipeline.db.sql import named
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.facts import Facts, canonical
from payments_pipeline.remediation.kinds import Order
from payments_pipeline.remediation.planning import ActionView, view_of


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How an action stands after `apply`.

    Attributes:
        state: verified, rejected or failed; proposed or approved when policy does not let it run. For a dry run: the
            state it would reach, nothing being written.
        effects: what was, or would be, changed: ``{"what", "field", "before", "after"}``.
        reason: why it was rejected, failed or held back; for a verified one, why it was proposed.
    """

    action_id: int
    state: str
    effects: Sequence[Facts]
    reason: str | None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended: verified, rejected or failed; the facts before and after; why, unless verified.

    `provider` is what was asked of a provider, with its id of the request; None: nothing was asked. `by_person`: a
    person decided it; nothing is proposed again by itself for the same finding.
    """

    state: str
    before: Facts
    after: Facts
    reason: str | None = None
    effects: Sequence[Facts] = ()
    provider: Mapping[str, Any] | None = None
    by_person: bool = False


def finish(connection: Connection, action: Row[Any], order: Order, outcome: Outcome) -> ActionResult:
    """End an action for good, with its audit row."""
    provider = {} if outcome.provider is None else {"provider": dict(outcome.provider)}
    decided = {"by_person": True} if outcome.by_person else {}
    result = canonical({"actor": order.actor, "effects": outcome.effects, **provider, **decided})
    row = {"action_id": action.action_id, "state": outcome.state, "reason": outcome.reason}
    connection.execute(named("remediation/finish_action.sql"), row | {"result": result, "at": order.at})
    reason = outcome.reason or action.reason
    view = replace(view_of(action), effects=outcome.effects, state=outcome.state, reason=reason)
    record(
        connection, view, order, before=outcome.before, after=outcome.after, provider=outcome.provider,
        planned_on=action.precondition,
    )  # fmt: skip
    return ActionResult(action.action_id, outcome.state, outcome.effects, reason)


def record(
    connection: Connection,
    view: ActionView,
    order: Order,
    *,
    before: Facts,
    after: Facts | None,
    provider: Mapping[str, Any] | None = None,
    planned_on: Facts | None = None,
) -> None:
    """The audit row of an action that has just reached `view.state`.

    Args:
        planned_on: tells whose payment it is where neither the target nor `before` does.
    """
    user_ref, payment_ref = whose(view.target, before, planned_on or {})
    audit.append(
        connection,
        at=order.at,
        actor=order.actor,
        event=f"action.{view.state}",
        action_id=view.action_id,
        finding_id=view.finding_id,
        user_ref=user_ref,
        payment_ref=payment_ref,
        reason=view.reason,
        before=before,
        after=after,
        details={"kind": view.kind, "effects": view.effects} | ({} if provider is None else {"provider": provider}),
    )


def whose(target: Mapping[str, Any], *facts: Facts) -> tuple[str | None, str | None]:
    """The user and the payment that an action is about: as the target names them, else as the facts know them."""
    return _known("user_id", target, facts), _known("payment_id", target, facts)


def _known(name: str, target: Mapping[str, Any], facts: Sequence[Facts]) -> str | None:
    places = [
        target,
        *(one[part] for one in facts for part in ("payment", "payout") if isinstance(one.get(part), dict)),
    ]
    found = next((place[name] for place in places if place.get(name) is not None), None)
    return None if found is None else str(found)

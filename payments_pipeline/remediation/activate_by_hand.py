"""Gives a user a plan because a person says so: from now on, for one period of the plan, with the reason on record.

Belongs here: the steps of this one repair. Does not belong here: what a payment bought (activate_subscription.py). It
never happens by itself: no finding asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.activate_subscription import BARRED, PERIODS, TOLERANCE
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import write_one


class ActivateByHand:
    """See the module."""

    name = "activate_by_hand"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``user_id`` and ``plan_id``."""
        if evidence.get("user_id") is None or evidence.get("plan_id") is None:
            return None
        return {key: str(evidence[key]) for key in ("user_id", "plan_id")}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the user."""
        connection.execute(writeback("lock_user"), {"user_id": target["user_id"]})

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``user``, ``plan``; ``payment``, the newest paid one, best one that runs, and the plan that it ``bought``."""
        del desk
        whose = {"user_id": target["user_id"]}
        paid = whose | {"tolerance": TOLERANCE, "as_of": as_of}
        payment = _first(connection.execute(named("remediation/activation_payment.sql"), paid))
        return {
            "user_id": target["user_id"],
            "plan_id": target["plan_id"],
            "user": _first(connection.execute(named("remediation/activation_user.sql"), whose)),
            "plan": _plan(connection, target["plan_id"]),
            "payment": payment,
            "bought": None if payment is None else _plan(connection, payment["plan_id"]),
        }

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """The user and the plan exist, the user is not shut out, and loses nothing that was paid for."""
        user, plan = facts["user"], facts["plan"]
        if user is None:
            return "The user does not exist."
        if plan is None or plan["tier"] is None or plan["period"] not in PERIODS:
            return f"Plan {facts['plan_id']} is not known."
        if user["subscription_status"] in BARRED:
            return f"The user is {user['subscription_status']}: lift that first."
        if user["has_access"] and str(user["subscription_tier"]).lower() == plan["tier"].lower():
            return f"The user already has access on tier {plan['tier']}."
        return _loss(facts, as_of)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """Each column of the user that changes, and the event."""
        del as_of
        user, plan, what = facts["user"], facts["plan"], f"user {facts['user_id']}"
        wanted = {"subscription_status": "active", "subscription_tier": plan["tier"], "plan_id": facts["plan_id"]}
        effects = [
            {"what": what, "field": field, "before": user[field], "after": value}
            for field, value in wanted.items()
            if user[field] != value
        ]
        known = user["subscription_renewal_date"]
        runs = "none: for ever" if plan["period"] == "lifetime" else f"one {plan['period']} from then on"
        if known and user["has_access"] and plan["period"] != "lifetime":
            runs += f", or {known} where that is later"
        event = f"granted: tier {plan['tier']}, without a payment"
        return [
            *effects,
            {"what": what, "field": "subscription_renewal_date", "before": known, "after": runs},
            {"what": what, "field": "subscription_events", "before": None, "after": event},
        ]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Two statements of the contract: the user, then the event. No payment was made, so its date stays."""
        user, plan = facts["user"], facts["plan"]
        period = {"start": order.at, "period": plan["period"]}
        ends: datetime | None = connection.execute(named("remediation/period_end.sql"), period).scalar()
        known = user["subscription_renewal_date"] if user["has_access"] else None
        if ends is not None and known is not None:
            ends = max(ends, datetime.fromisoformat(known))
        shared = {"user_id": facts["user_id"], "plan_id": facts["plan_id"], "at": order.at}
        values = {"tier": plan["tier"], "paid_at": user["last_payment_date"], "renews_at": ends}
        write_one(connection, writeback, "activate_user", shared | values, where=f"user {facts['user_id']}")
        event = {
            "payment_id": None,
            "event_type": "granted",
            "old_status": user["subscription_status"],
            "new_status": "active",
            "old_tier": user["subscription_tier"],
            "new_tier": plan["tier"],
            "reason": order.reason,
            "actor": order.actor,
        }
        connection.execute(writeback("insert_subscription_event"), shared | event)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Access on the plan's tier."""
        user = after["user"]
        if user is None or not user["has_access"] or user["subscription_tier"] != before["plan"]["tier"]:
            return "app_users does not show access on the plan's tier."
        return None


def _loss(facts: Facts, as_of: datetime) -> str | None:
    """What was paid for and runs must not be taken away by a gift, unless the gift's tier is dearer."""
    user, plan, payment, bought = facts["user"], facts["plan"], facts["payment"], facts["bought"]
    if payment is None or not user["has_access"] or str(user["subscription_tier"]).lower() != payment["tier"].lower():
        return None
    until = payment["renews_at"]
    if until is not None and datetime.fromisoformat(until) <= as_of:
        return None
    known = bought is not None and bought["dearest_day"] is not None and plan["dearest_day"] is not None
    if (
        known
        and bought["currency"] == plan["currency"]
        and Decimal(plan["dearest_day"]) > Decimal(bought["dearest_day"])
    ):
        return None
    return (
        f"Payment {payment['payment_id']} bought tier {payment['tier']} until {until or 'for ever'}. "
        f"Tier {plan['tier']} would take it away: revoke access first, if that is meant."
    )


def _plan(connection: Connection, plan_id: str) -> Facts | None:
    return _first(connection.execute(named("remediation/plan.sql"), {"plan_id": plan_id}))


def _first(result: Any) -> Facts | None:
    row = result.mappings().one_or_none()
    return None if row is None else {key: jsonable(value) for key, value in row.items()}

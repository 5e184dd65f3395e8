"""Gives a user a plan because a person says so: from now on, for one period of the plan, with the reason on record.

Belongs here: the steps of this one repair. Does not belong here: what a payment bought (activate_subscription.py). It
never happens by itself: no finding asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.activate_subscription import BARRED, PERIODS
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
        """``user``, ``plan``."""
        del as_of, desk
        user = connection.execute(named("remediation/activation_user.sql"), {"user_id": target["user_id"]})
        plan = connection.execute(named("remediation/plan.sql"), {"plan_id": target["plan_id"]})
        return {
            "user_id": target["user_id"],
            "plan_id": target["plan_id"],
            "user": _first(user),
            "plan": _first(plan),
        }

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """The user and the plan exist, and the user is not shut out."""
        del as_of
        user, plan = facts["user"], facts["plan"]
        if user is None:
            return "The user does not exist."
        if plan is None or plan["tier"] is None or plan["period"] not in PERIODS:
            return f"Plan {facts['plan_id']} is not known."
        if user["subscription_status"] in BARRED:
            return f"The user is {user['subscription_status']}: lift that first."
        if user["has_access"] and str(user["subscription_tier"]).lower() == plan["tier"].lower():
            return f"The user already has access on tier {plan['tier']}."
        return None

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
        runs = "for ever" if plan["period"] == "lifetime" else f"for one {plan['period']} from then on"
        return [*effects, {"what": what, "field": "subscription_renewal_date", "before": None, "after": runs}]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Two statements of the contract: the user, then the event. No payment was made, so its date stays."""
        user, plan = facts["user"], facts["plan"]
        ends = connection.execute(named("remediation/period_end.sql"), {"start": order.at, "period": plan["period"]})
        shared = {"user_id": facts["user_id"], "plan_id": facts["plan_id"], "at": order.at}
        values = {"tier": plan["tier"], "paid_at": user["last_payment_date"], "renews_at": ends.scalar()}
        write_one(connection, writeback, "activate_user", shared | values, where=f"user {facts['user_id']}")
        event = {
            "payment_id": None,
            "event_type": "activated",
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


def _first(result: Any) -> Facts | None:
    row = result.mappings().one_or_none()
    return None if row is None else {key: jsonable(value) for key, value in row.items()}

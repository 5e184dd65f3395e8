"""Takes access away that no money stands behind. Never by itself: policy can't be set to auto for it.

Belongs here: the steps of this one repair. Does not belong here: giving access (activate_subscription.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.activate_subscription import TOLERANCE
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import write_one


class RevokeAccess:
    """See the module."""

    name = "revoke_access"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``user_id``; who and which payment, for people."""
        if evidence.get("user_id") is None:
            return None
        return {key: str(evidence[key]) for key in ("user_id", "payment_id", "username") if evidence.get(key)}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the user."""
        connection.execute(writeback("lock_user"), {"user_id": target["user_id"]})

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``user``; ``payment``, the newest paid one, best one that runs; both as activations read them."""
        del desk
        user = {"user_id": target["user_id"]}
        paid = user | {"tolerance": TOLERANCE, "as_of": as_of}
        return {
            **user,
            "user": _row(connection, "activation_user", user),
            "payment": _row(connection, "activation_payment", paid),
        }

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Has access; nothing paid for runs, nobody granted it."""
        user, payment = facts["user"], facts["payment"]
        if user is None:
            return "The user does not exist."
        if (granted := _granted(user, as_of)) is not None or payment is None:
            return granted
        ends = payment["renews_at"]
        runs = ends is None or datetime.fromisoformat(ends) > as_of
        return f"Payment {payment['payment_id']} is paid and runs until {ends or 'for ever'}." if runs else None

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The user's status, and the event."""
        del as_of
        what, status = f"user {facts['user_id']}", facts["user"]["subscription_status"]
        return [
            {"what": what, "field": "subscription_status", "before": status, "after": "inactive"},
            {"what": what, "field": "subscription_events", "before": None, "after": "revoked"},
        ]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Two statements of the contract: the user, then the event."""
        user, place = facts["user"], {"user_id": facts["user_id"], "at": order.at}
        write_one(connection, writeback, "revoke_user", place, where=f"user {facts['user_id']}")
        event = {
            "plan_id": user["plan_id"],
            "payment_id": None,
            "event_type": "revoked",
            "old_status": user["subscription_status"],
            "new_status": "inactive",
            "old_tier": user["subscription_tier"],
            "new_tier": user["subscription_tier"],
            "reason": order.reason,
            "actor": order.actor,
        }
        connection.execute(writeback("insert_subscription_event"), place | event)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """No access."""
        del before
        gone = after["user"] is not None and not after["user"]["has_access"]
        return None if gone else "app_users still shows access."


def _granted(user: Facts, as_of: datetime) -> str | None:
    """Why access needs no money, or is not there."""
    if not user["has_access"]:
        return "The user has no access."
    if user["is_internal"]:
        return "The user is an internal account."
    if user["subscription_status"] == "trialing":
        return "The user is on trial: that costs nothing."
    until = user["access_override_until"]
    if until is not None and datetime.fromisoformat(until) > as_of:
        return f"An administrator has granted access until {until}."
    return None


def _row(connection: Connection, name: str, parameters: Mapping[str, Any]) -> Facts | None:
    row = connection.execute(named(f"remediation/{name}.sql"), parameters).mappings().one_or_none()
    return None if row is None else {key: jsonable(value) for key, value in row.items()}

"""Gives a user what a paid payment bought: status, tier, plan and dates, as the application itself would have done.

Belongs here: the five steps of this one repair. Does not belong here: locks on actions, policy, audit (actions.py). The
payment's own row is left as it is: bringing that to the provider's state is another repair.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import write_one

TOLERANCE = Decimal("0.02")  # by how much a deposit may be short; the default of the report's parameter
PERIODS = frozenset({"day", "week", "month", "quarter", "year", "lifetime"})
_CANCELED = frozenset({"canceled", "cancelled"})
BARRED = frozenset({"suspended", "banned", "blocked", "deleted", "closed", "locked"})
_DATES = ("last_payment_date", "payment_due_date", "subscription_renewal_date")


class ActivateSubscription:
    """See the module; the rule is that of the reports activation_gaps and wrong_tier, without their grace period."""

    name = "activate_subscription"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``user_id`` and, to say what became of it, ``payment_id``; ``username`` for people."""
        if evidence.get("user_id") is None:
            return None
        keys = ("user_id", "payment_id", "username")
        return {key: str(evidence[key]) for key in keys if evidence.get(key) is not None}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the user. Webhooks that update a payment and then its user wait here, and win by coming last."""
        connection.execute(writeback("lock_user"), {"user_id": target["user_id"]})

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``user``, ``payment`` (newest paid one that runs), ``ended`` (event since), ``asked`` (target's payment)."""
        del desk  # what providers said when they were last read decides: access costs no money
        user = {"user_id": target["user_id"]}
        payment = _row(connection, "activation_payment", user | {"tolerance": TOLERANCE, "as_of": as_of})
        ended = asked = None
        if payment is not None:
            since = {name: payment[name] for name in ("bought_at", "shortest_until", "tier")}
            ended = _row(connection, "ended_access", user | since)
        elif "payment_id" in target:
            asked = _row(connection, "payment_states", {"payment_id": target["payment_id"]})
        facts = {"user": _row(connection, "activation_user", user), "payment": payment, "ended": ended}
        return {"user_id": target["user_id"], "asked": asked, **facts}

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """The gap rule, in the order in which people would ask."""
        user, payment, ended = facts["user"], facts["payment"], facts["ended"]
        if (exempt := _exempt(user, as_of)) is not None:
            return exempt
        if payment is None:
            return _unpaid(facts["asked"])
        if (worthless := _worthless(payment, as_of)) is not None:
            return worthless
        if payment["has_failed_refund"] and not user["has_access"]:
            return "A refund of the payment failed after access was taken away: a person must decide."
        return _settled(user, payment, ended)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """Each column of the user that changes, and the event that is added."""
        what = f"user {facts['user_id']}"
        before, after = facts["user"], _wanted(facts["user"], facts["payment"])
        after["subscription_updated_at"] = jsonable(as_of)
        effects = [
            {"what": what, "field": field, "before": before.get(field), "after": value}
            for field, value in after.items()
            if before.get(field) != value
        ]
        event = f"activated: tier {after['subscription_tier']}, payment {facts['payment']['payment_id']}"
        return [*effects, {"what": what, "field": "subscription_events", "before": None, "after": event}]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Two statements of the contract: the user, then the event."""
        user, payment = facts["user"], facts["payment"]
        renews_at = _wanted(user, payment)["subscription_renewal_date"]
        shared = {"user_id": facts["user_id"], "plan_id": payment["plan_id"], "at": order.at}
        values = shared | {"tier": payment["tier"], "paid_at": payment["paid_at"], "renews_at": renews_at}
        write_one(connection, writeback, "activate_user", values, where=f"user {facts['user_id']}")
        connection.execute(
            writeback("insert_subscription_event"),
            shared
            | {
                "payment_id": payment["payment_id"],
                "event_type": "activated",
                "old_status": user["subscription_status"],
                "new_status": "active",
                "old_tier": user["subscription_tier"],
                "new_tier": payment["tier"],
                "reason": order.reason,
                "actor": order.actor,
            },
        )

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Access and tier as paid for; dates too, where the contract shows them."""
        user, wanted = after["user"], _wanted(before["user"], before["payment"])
        if user is None or not user["has_access"] or not _same(user["subscription_tier"], wanted["subscription_tier"]):
            return "app_users does not show access on the tier that was paid for."
        wrong = [date for date in _DATES if user[date] is not None and user[date] != wanted[date]]
        return f"app_users shows other dates: {', '.join(wrong)}." if wrong else None


def _settled(user: Facts, payment: Facts, ended: Facts | None) -> str | None:
    """Why the user has what was bought, or gave it up since."""
    if user["has_access"] and _same(user["subscription_tier"], payment["tier"]):
        return f"The user already has access on tier {payment['tier']}."
    if payment["is_superseded"]:
        return f"The user already has access on tier {user['subscription_tier']}, which a later payment bought."
    if payment["is_on_trial"]:
        return f"The user is on trial of tier {user['subscription_tier']}, which may be more than was bought."
    if payment["takes_away"]:
        return f"Tier {payment['tier']} would cut short what the user has paid for already: a person must decide."
    return _given_up(user, payment, ended)


def _given_up(user: Facts, payment: Facts, ended: Facts | None) -> str | None:
    """What ended the subscription since the payment, as far as anybody wrote it down."""
    if ended is not None:
        return f"The subscription was changed after the payment: {ended['event_type']} at {ended['created_at']}."
    if payment["is_cancelled_some_day"]:
        return "The subscription is cancelled, and nobody wrote down since when: a person must decide."
    changed = user["subscription_updated_at"]
    if user["subscription_status"] in _CANCELED and _after(changed, datetime.fromisoformat(payment["bought_at"])):
        return f"The subscription was cancelled after the payment, at {changed}."
    return None


def _same(tier: str | None, other: str) -> bool:
    return tier is not None and tier.lower() == other.lower()


def _wanted(user: Facts, payment: Facts) -> Facts:
    """The user's columns afterwards. On the same tier a date of renewal is never brought forward."""
    renews_at, known = payment["renews_at"], user["subscription_renewal_date"]
    if renews_at is not None and _same(user["subscription_tier"], payment["tier"]):
        renews_at = known if _after(known, datetime.fromisoformat(renews_at)) else renews_at
    return {
        "subscription_status": "active",
        "subscription_tier": payment["tier"],
        "plan_id": payment["plan_id"],
        "last_payment_date": payment["paid_at"],
        "payment_due_date": renews_at,
        "subscription_renewal_date": renews_at,
    }


def _exempt(user: Facts | None, as_of: datetime) -> str | None:
    if user is None:
        return "The user does not exist."
    if user["is_internal"]:
        return "The user is an internal account."
    if _after(user["access_override_until"], as_of):
        return f"An administrator has granted access until {user['access_override_until']}."
    if user["subscription_status"] in BARRED:
        return f"The user is {user['subscription_status']}: a person must decide."
    return None


def _worthless(payment: Facts, as_of: datetime) -> str | None:
    name = f"Payment {payment['payment_id']}"
    if payment["tier"] is None or payment["period"] not in PERIODS:
        return f"{name} buys plan {payment['plan_id']}, which is not known: a person must decide."
    if not payment["is_full_price"]:
        return f"{name} was paid with another amount or currency than the application asked: a person must decide."
    if payment["is_disputed"]:
        return f"{name} is disputed by the payer: a person must decide."
    if not payment["is_his_alone"]:
        return f"{name} may have been paid by somebody else: a person must decide."
    if payment["period"] != "lifetime" and not _after(payment["renews_at"], as_of):
        return f"The period that {name.lower()} bought ended at {payment['renews_at']}."
    return None


def _unpaid(asked: Facts | None) -> str:
    if asked is None:
        return "The user has no paid payment for a plan."
    provider = asked["provider_state"] or "not known"
    refunded = f", {asked['amount_refunded']} refunded" if Decimal(asked["amount_refunded"]) else ""
    link = ", link ambiguous" if asked["link_method"] == "ambiguous" else ""
    sides = f"{asked['payment_status']} here, {provider} at the provider"
    return f"The payment does not count as paid: {sides}{refunded}{link}."


def _after(moment: str | None, as_of: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) > as_of


def _row(connection: Connection, name: str, parameters: Mapping[str, Any]) -> Facts | None:
    row = connection.execute(named(f"remediation/{name}.sql"), parameters).mappings().one_or_none()
    return None if row is None else {key: jsonable(value) for key, value in row.items()}

"""Brings the application's row of a payment to the state the provider is in. No money moves, nobody's access changes.

Belongs here: the steps of this one repair. Does not belong here: what a state means for access
(activate_subscription.py) or for a hold (capture_payment.py). Stripe is asked as it is now; of gateways and exchanges
what was last read counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation import holds
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import set_payment_state

_OPEN = frozenset({"pending", "processing"})


class SyncPaymentStatus:
    """See the module."""

    name = "sync_payment_status"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``provider`` and ``provider_ref``; who and which payment, for people."""
        if evidence.get("provider_ref") is None or evidence.get("provider") is None:
            return None
        keys = ("provider", "provider_ref", "payment_id", "user_id", "username")
        return {key: str(evidence[key]) for key in keys if evidence.get(key) is not None}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the payment's row."""
        place = {"provider": target["provider"], "provider_ref": target["provider_ref"]}
        connection.execute(writeback("lock_payment"), place)

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``rows`` (how many of the application), ``payment``, ``theirs`` (state, amount, currency)."""
        del as_of
        place = {"provider": target["provider"], "provider_ref": target["provider_ref"]}
        rows = connection.execute(named("remediation/payments_by_ref.sql"), place).mappings().all()
        stored = connection.execute(named("remediation/provider_side.sql"), place).mappings().all()
        seen = {key: jsonable(value) for key, value in stored[0].items()} if len(stored) == 1 else None
        if seen is not None and target["provider"] == "stripe":
            seen = _as_it_is(connection, seen, holds.read_intent(desk, seen["account"], target["provider_ref"]))
        payment = {key: jsonable(value) for key, value in rows[0].items()} if rows else None
        return {"rows": len(rows), "payment": payment, "theirs": seen, **place}

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """They differ, and the provider's word is clear."""
        del as_of
        payment, provider = facts["payment"], facts["theirs"]
        if payment is None or facts["rows"] != 1:
            return f"{facts['rows']} of the application's payments have this reference, not one: a person must decide."
        if provider is None:
            return "The provider's object was not read, or in two accounts."
        if provider["link_method"] in {"ambiguous", "foreign"}:
            return f"It is not sure whose it is: the link is {provider['link_method']}."
        return _differ(payment, provider)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The row's status."""
        del as_of
        payment = facts["payment"]
        after = facts["theirs"]["state"]
        return [
            {"what": f"payment {payment['payment_id']}", "field": "status", "before": payment["status"], "after": after}
        ]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """One statement of the contract."""
        theirs = facts["theirs"]
        set_payment_state(
            connection,
            writeback,
            facts["payment"]["payment_id"],
            theirs["state"],
            at=order.at,
            paid_at=theirs["paid_at"],
        )

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """The payment, where it is Stripe's: the row follows what Stripe says now, not what was read before."""
        account = facts["theirs"]["account"]
        return account, {"payment_intents": [facts["provider_ref"]]} if facts["provider"] == "stripe" else {}

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Both sides say the same."""
        del before
        if after["payment"] is None or after["payment"]["app_state"] != after["theirs"]["state"]:
            return "app_payments does not show the provider's state."
        return None


def _differ(payment: Facts, provider: Facts) -> str | None:
    """Why the row must stay as it is."""
    here, there = payment["app_state"], provider["state"]
    if "unknown" in {here, there}:
        return f"{payment['status']} here and {provider['raw_status']} there: one of them is not known."
    if here == there or {here, there} <= _OPEN:
        return f"Both sides say {there} already."
    if provider["disputed"]:
        return "The payer disputes it: a person must decide."
    if here == "refunded":
        return f"The application says refunded, the provider {provider['raw_status']}: was the money given back?"
    if there == "paid" and (Decimal(payment["amount"]), payment["currency"]) != (
        Decimal(provider["amount"]),
        provider["currency"],
    ):
        asked = f"{payment['amount']} {payment['currency']}"
        return f"Asked {asked}, taken {provider['amount']} {provider['currency']}: a person must decide."
    return None


def _as_it_is(connection: Connection, stored: Facts, intent: Facts | None) -> Facts | None:
    """The stored row with what Stripe says now."""
    if intent is None:
        return None
    found = {"provider": "stripe", "resource": "payment_intents", "raw_status": intent["status"]}
    state = connection.execute(named("remediation/state_of.sql"), found).scalar() or "unknown"
    taken = Decimal(intent["amount_received"])
    if state == "paid" and 0 < taken <= Decimal(intent["amount_refunded"]):
        state = "refunded"
    return stored | {
        "state": state,
        "raw_status": intent["status"],
        "amount": jsonable(taken or Decimal(intent["amount"])),
        "currency": intent["currency"],
        "disputed": intent["disputed"],
    }

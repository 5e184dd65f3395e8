"""Closes a payment that nobody paid in time, in the application only.

Belongs here: the steps of this one repair. Does not belong here: late money (another repair confirms it). A payment for
which anything came, or to which a deposit was matched, is never closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import set_payment_state

GRACE = timedelta(minutes=60)
"""After it ran out, money that is under way may still be seen; as in the report expired_crypto_payments."""
_OPEN = frozenset({"pending", "processing"})
_NOTHING_CAME = frozenset({"pending", "expired", "failed", "canceled"})


class ExpirePayment:
    """See the module."""

    name = "expire_payment"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``payment_id``; who, for people."""
        if evidence.get("payment_id") is None:
            return None
        return {key: str(evidence[key]) for key in ("payment_id", "user_id", "username") if evidence.get(key)}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the payment's row."""
        connection.execute(writeback("lock_payment_row"), {"payment_id": target["payment_id"]})

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``payment``, and of the ``providers`` every state that speaks of it."""
        del as_of, desk
        place = {"payment_id": target["payment_id"]}
        row = connection.execute(named("remediation/payment_to_expire.sql"), place).mappings().one_or_none()
        seen = connection.execute(named("remediation/states_for_payment.sql"), place).scalars().all()
        payment = None if row is None else {key: jsonable(value) for key, value in row.items()}
        return {"payment_id": target["payment_id"], "payment": payment, "providers": list(seen)}

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Open, past its time, and nothing came."""
        payment = facts["payment"]
        if payment is None:
            return "The payment does not exist."
        if payment["app_state"] not in _OPEN:
            return f"The payment is {payment['status']}: it is closed already."
        if payment["expires_at"] is None:
            return "The payment has no time at which it runs out."
        if datetime.fromisoformat(payment["expires_at"]) + GRACE > as_of:
            return f"The payment runs, or ran only just, until {payment['expires_at']}."
        came = sorted(set(facts["providers"]) - _NOTHING_CAME)
        return f"Something came for it: {', '.join(came)} at the provider." if came else None

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The row's status."""
        del as_of
        what = f"payment {facts['payment_id']}"
        return [{"what": what, "field": "status", "before": facts["payment"]["status"], "after": "expired"}]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """One statement of the contract."""
        set_payment_state(connection, writeback, facts["payment_id"], "expired", at=order.at)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """The row says so."""
        del before
        expired = after["payment"] is not None and after["payment"]["app_state"] == "expired"
        return None if expired else "app_payments does not show it expired."

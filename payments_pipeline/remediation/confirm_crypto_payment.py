"""Books crypto deposits that were matched to a payment: the payment is completed, and what it bought is given.

Belongs here: the steps of this one repair. Does not belong here: which deposit belongs to which payment (the matching,
docs/decisions/0008), what a payment buys (activate_subscription.py). A deposit settles one payment: the matching gives
it to one, and one whose transaction another payment was completed with is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.networks import coin
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PreconditionError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.activate_subscription import ActivateSubscription
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback
from payments_pipeline.remediation.one_row import write_one

_UNSETTLED = frozenset({"pending", "processing", "expired", "failed", "canceled", "partially_paid"})
_ACTIVATION = ActivateSubscription()


class ConfirmCryptoPayment:
    """See the module."""

    name = "confirm_crypto_payment"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``payment_id``; who, for people."""
        if evidence.get("payment_id") is None:
            return None
        return {key: str(evidence[key]) for key in ("payment_id", "user_id", "username") if evidence.get(key)}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the payment, what was matched to it, and its payer, in the order in which webhooks write."""
        place = {"payment_id": target["payment_id"]}
        connection.execute(writeback("lock_payment_row"), place)
        connection.execute(named("remediation/lock_matches.sql"), place)
        payment = _payment(connection, place)
        if payment is not None and payment["user_id"] is not None:
            connection.execute(writeback("lock_user"), {"user_id": payment["user_id"]})

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``payment``; ``deposits`` that were matched to it; ``elsewhere``, payments completed with the same ones."""
        del as_of, desk
        place = {"payment_id": target["payment_id"]}
        deposits = connection.execute(named("remediation/matched_deposits.sql"), place).mappings().all()
        elsewhere = connection.execute(named("remediation/settled_elsewhere.sql"), place).scalars().all()
        return {
            "payment_id": target["payment_id"],
            "payment": _payment(connection, place),
            "deposits": [{key: jsonable(value) for key, value in row.items()} for row in deposits],
            "elsewhere": list(elsewhere),
        }

    def stake(self, facts: Facts) -> Money | None:
        """The price that counts as paid then."""
        payment = facts["payment"]
        return Money(Decimal(payment["amount"]), payment["currency"])

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Not settled yet, and what came is final, enough, and nobody else's."""
        del as_of
        payment, deposits = facts["payment"], facts["deposits"]
        if payment is None:
            return "The payment does not exist."
        if payment["app_state"] not in _UNSETTLED:
            return f"The payment is {payment['status']} already."
        if not deposits:
            return "No deposit was matched to the payment."
        if facts["elsewhere"]:
            return f"Payment {', '.join(facts['elsewhere'])} was completed with the same deposit: a person must decide."
        return _not_enough(payment, deposits)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The payment's columns; and that what it bought is given, unless something speaks against it by then."""
        del as_of
        payment, what = facts["payment"], f"payment {facts['payment_id']}"
        wanted = {"status": "completed", "tx_hash": _hash(facts), "received_amount": jsonable(_received(facts))}
        effects = [
            {"what": what, "field": field, "before": payment[field], "after": value}
            for field, value in wanted.items()
            if payment[field] != value
        ]
        if payment["plan_id"] is None or payment["user_id"] is None:
            return effects
        user = {"what": f"user {payment['user_id']}", "field": "subscription", "before": None}
        return [*effects, user | {"after": "as the payment bought, where nothing speaks against it"}]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """The payment; then, where that leaves a gap, the subscription."""
        payment = facts["payment"]
        last = max(deposit["came_at"] for deposit in facts["deposits"])
        values = {
            "payment_id": facts["payment_id"],
            # Left as the application wrote it, where it wrote one: views show it without blanks and 0x.
            "tx_hash": None if payment["tx_hash"] else _hash(facts),
            "received_amount": _received(facts),
            "confirmed_at": last,
            "at": order.at,
        }
        write_one(connection, writeback, "confirm_crypto_payment", values, where=f"payment {facts['payment_id']}")
        if payment["plan_id"] is None or payment["user_id"] is None:
            return
        target = {"user_id": payment["user_id"], "payment_id": facts["payment_id"]}
        gap = _ACTIVATION.read(connection, target, as_of=order.at)
        if _ACTIVATION.check(gap, as_of=order.at) is not None:
            return
        _ACTIVATION.apply(connection, gap, order, writeback)
        complaint = _ACTIVATION.verify(gap, _ACTIVATION.read(connection, target, as_of=order.at))
        if complaint is not None:
            raise PreconditionError(complaint, remedy="Check the write-back statements against the views.")

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Paid, with what came."""
        payment = after["payment"]
        if payment is None or payment["app_state"] != "paid":
            return "app_payments does not show it paid."
        if payment["received_amount"] is None or Decimal(payment["received_amount"]) != _received(before):
            return f"app_payments shows {payment['received_amount']} received, {_received(before)} came."
        return None


def _not_enough(payment: Facts, deposits: list[Facts]) -> str | None:
    for deposit in deposits:
        if deposit["state"] != "paid":
            return f"Deposit {deposit['provider_ref']} is {deposit['raw_status']} at the exchange: not final."
        came, asked = coin(deposit["currency"]), coin(payment["crypto_currency"])
        # As the matching has it: gateways write USDTTRC20, and a payment that names no coin was matched by its address.
        if asked is not None and came != asked:
            return f"{deposit['currency']} came, {payment['crypto_currency']} was asked for."
        if deposit["outcome"] == "short":
            return "Less came than was asked for: a person must decide."
    return None


def _received(facts: Facts) -> Decimal:
    return sum((Decimal(deposit["amount_share"]) for deposit in facts["deposits"]), Decimal())


def _hash(facts: Facts) -> str | None:
    """The transaction of the largest deposit; what the application wrote down itself stays."""
    known = facts["payment"]["tx_hash"]
    largest = max(facts["deposits"], key=lambda deposit: Decimal(deposit["amount_share"]))
    found = known or largest["tx_hash"]
    return None if found is None else str(found)


def _payment(connection: Connection, place: Mapping[str, str]) -> Facts | None:
    row = connection.execute(named("remediation/payment_to_confirm.sql"), place).mappings().one_or_none()
    return None if row is None else {key: jsonable(value) for key, value in row.items()}

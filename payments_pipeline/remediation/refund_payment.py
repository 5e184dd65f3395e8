"""Gives money back: all that is left of a Stripe payment, or the part that a person names. Never by itself.

Belongs here: the steps of this one repair. Does not belong here: the order of events (effects.py). Unlike a capture, a
second refund of a part is nothing Stripe would refuse, so each carries a mark of the action and is looked for by it.
Source: https://docs.stripe.com/api/refunds/create.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.money import from_stripe, to_stripe
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation import holds
from payments_pipeline.remediation.facts import Facts, digest, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Progress, Request, Writeback
from payments_pipeline.remediation.one_row import set_payment_state

MARK = "metadata[repair]"
_GONE = frozenset({"failed", "canceled"})


class RefundPayment:
    """See the module."""

    name = "refund_payment"
    moves_money = True
    repeatable = False

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``provider_ref`` of a Stripe payment (``pi_…``); ``refund_amount`` of a part, in major units."""
        target = holds.hold_target(evidence)
        if target is None or evidence.get("refund_amount") is None:
            return target
        return target | {"refund_amount": str(evidence["refund_amount"])}

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """See `holds.lock_hold`."""
        holds.lock_hold(connection, target, writeback)

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """See `holds.read_hold`; and ``refunds``, oldest first."""
        del as_of
        facts = holds.read_hold(connection, target, desk)
        intent, found = facts["intent"], []
        if desk is not None and intent is not None and intent["status"] == "succeeded":  # else nothing was taken
            found = desk.stripe(facts["account"]).refunds(target["provider_ref"])
        return facts | {
            "refund_amount": target.get("refund_amount"),
            "refunds": sorted((_refund(item) for item in found), key=lambda item: str(item["id"])),
        }

    def stake(self, facts: Facts) -> Money | None:
        """What is to go back."""
        return _wanted(facts)

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Taken, not disputed, and still there to give back."""
        del as_of
        intent, payment = facts["intent"], facts["payment"]
        if facts["account"] is None or intent is None:
            return "Stripe does not have it, or it was seen in two accounts."
        if facts["rows"] != 1 or payment is None:
            return f"{facts['rows']} of the application's payments have this reference, not one."
        if intent["status"] != "succeeded":
            return f"It is {intent['status']} at Stripe: nothing was taken."
        if intent["disputed"]:
            return "The payer disputes it: the bank decides, a refund would be a second one."
        if payment["app_state"] not in {"paid", "canceled", "expired", "failed"}:
            return f"The application's payment is {payment['status']}: a person must look."
        return _wrong_sum(facts)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The refund, and the row where all is given back."""
        del as_of
        wanted, intent, payment = _wanted(facts), facts["intent"], facts["payment"]
        total = Decimal(intent["amount_refunded"]) + wanted.amount
        stripe = f"Stripe {facts['provider_ref']}"
        effects = [
            {"what": stripe, "field": "amount_refunded", "before": intent["amount_refunded"], "after": jsonable(total)}
        ]
        if total >= Decimal(intent["amount_received"]):
            row = f"payment {payment['payment_id']}"
            effects.append({"what": row, "field": "status", "before": payment["status"], "after": "refunded"})
        return effects

    def request(self, facts: Facts) -> Request:
        """Always with the sum, and the mark: the facts it was planned on, which every refund changes."""
        wanted = _wanted(facts)
        parameters = {
            "payment_intent": facts["provider_ref"],
            "amount": str(to_stripe(wanted.amount, wanted.currency)),
            MARK: digest(facts)[:40],
        }
        return Request(facts["account"], facts["provider_ref"], "/v1/refunds", parameters)

    def progress(self, facts: Facts, request: Request) -> Progress:
        """Done: a refund with our mark is there. One that failed is done with: never tried again unseen."""
        ours = [item for item in facts["refunds"] if item["mark"] == request.parameters[MARK]]
        if ours:
            return "other" if ours[0]["status"] in _GONE else "done"
        return "open" if facts["intent"] is not None else "other"

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """The row becomes refunded once all is; what is left after a part stays paid."""
        payment = facts["payment"]
        if not _all_back(facts) or payment is None or payment["app_state"] == "refunded":
            return
        set_payment_state(connection, writeback, payment["payment_id"], "refunded", at=order.at)

    def aftermath(self, facts: Facts) -> str | None:
        """Nothing."""
        del facts
        return None

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """As a hold's, and its refunds."""
        account, objects = holds.touched_hold(facts)
        return account, {**objects, "refunds": [item["id"] for item in facts["refunds"]]}

    def verify(self, before: Facts, after: Facts) -> str | None:
        """The row says what Stripe says."""
        del before
        if _all_back(after) and (after["payment"] is None or after["payment"]["app_state"] != "refunded"):
            return "app_payments does not show it refunded."
        return None


def _refund(item: Mapping[str, Any]) -> Facts:
    metadata = item.get("metadata")
    try:
        return {
            "id": str(item["id"]),
            "status": str(item.get("status")),
            "amount": jsonable(from_stripe(int(item["amount"]), str(item["currency"]))),
            "mark": metadata.get("repair") if isinstance(metadata, dict) else None,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedObjectError(
            f"A refund of Stripe's lacks {error}.", where="stripe GET /v1/refunds", remedy="Look at it at Stripe."
        ) from error


def _left(facts: Facts) -> Money:
    intent = facts["intent"]
    return Money(Decimal(intent["amount_received"]) - Decimal(intent["amount_refunded"]), intent["currency"])


def _wanted(facts: Facts) -> Money:
    """The sum to give back. An amount that is none gives all, and `_wrong_sum` the reason against it."""
    left = _left(facts)
    part = None if facts["refund_amount"] is None else holds.sum_of(facts["refund_amount"])
    return left if part is None else Money(part, left.currency)


def _wrong_sum(facts: Facts) -> str | None:
    left, part = _left(facts), facts["refund_amount"]
    let_go = facts["intent"].get("perhaps_let_go")
    if let_go is not None and (part is None or left.amount <= 0):
        return f"{let_go} of what was refunded may be what the capture let go: a person must name the sum, or look."
    if left.amount <= 0:
        return "All of it was given back already."
    try:
        wanted = left.amount if part is None else holds.sum_of(part)
        fits = wanted is not None and 0 < wanted <= left.amount
        to_stripe(wanted or left.amount, left.currency)
    except MalformedObjectError:
        fits = False
    return None if fits else f"{part} can't be given back of {left.amount} {left.currency}."


def _all_back(facts: Facts) -> bool:
    intent = facts["intent"]
    return intent is not None and 0 < Decimal(intent["amount_received"]) <= Decimal(intent["amount_refunded"])

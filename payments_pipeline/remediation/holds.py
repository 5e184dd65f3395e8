"""Holds on cards, for the repairs that end them: both sides as facts, and what capture and release have in common.

Belongs here: reading a hold, locking its rows. Does not belong here: whether to capture (capture_payment.py) or to
release it (release_authorization.py).
Source: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.money import from_stripe
from payments_pipeline.db.sql import named
from payments_pipeline.errors import ConfigurationError, MalformedObjectError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Writeback

GRACE = timedelta(minutes=60)
"""After the end of a booking somebody may still be said to have come; as in the report no_show_holds."""
CALLED_OFF = frozenset({"canceled", "cancelled", "declined", "rejected"})
NOT_COME = frozenset({"no_show", "noshow", "no-show"})
DELIVERED = frozenset({"completed", "delivered", "finished", "done"})
_DIGITS = 15
_TARGET = ("provider_ref", "payment_id", "user_id", "username", "booking_id", "capture_amount")


def hold_target(evidence: Mapping[str, Any]) -> dict[str, str] | None:
    """``provider_ref`` of a Stripe payment; what else people want to see; ``capture_amount`` of a part."""
    if evidence.get("provider_ref") is None or evidence.get("provider", "stripe") != "stripe":
        return None
    return {key: str(evidence[key]) for key in _TARGET if evidence.get(key) is not None}


def sum_of(written: str) -> Decimal | None:
    """An amount as a person wrote it; None when it is none that can be reckoned with."""
    try:
        amount = Decimal(written)
    except InvalidOperation:
        return None
    usable = written.isascii() and "_" not in written and amount.is_finite() and abs(amount.adjusted()) < _DIGITS
    return amount if usable else None


def lock_hold(connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
    """Lock the payment's row and its booking's: nobody joins, cancels or captures while we are at it."""
    place = {"provider": "stripe", "provider_ref": target["provider_ref"]}
    connection.execute(writeback("lock_payment"), place)
    connection.execute(writeback("lock_booking"), place)


def read_hold(connection: Connection, target: Mapping[str, str], desk: Desk | None) -> Facts:
    """``account``, ``intent`` (as Stripe has it now), ``rows`` (how many of the application), ``payment``, ``booking``.

    Raises:
        ConfigurationError: no provider may be asked from here. TransientError: Stripe can't be read now.
    """
    place = {"provider_ref": target["provider_ref"]}
    accounts = connection.execute(named("remediation/account_of.sql"), place).scalars().all()
    rows = connection.execute(named("remediation/hold.sql"), place).mappings().all()
    row = {key: jsonable(value) for key, value in rows[0].items()} if rows else {}
    payment = {key: value for key, value in row.items() if not key.startswith("booking_")}
    booking = {key: value for key, value in row.items() if key.startswith("booking_")}
    account = accounts[0] if len(accounts) == 1 else None
    return {
        "provider_ref": target["provider_ref"],
        "capture_amount": target.get("capture_amount"),
        "account": account,
        "intent": None if account is None else read_intent(desk, account, target["provider_ref"]),
        "rows": len(rows),
        "payment": payment or None,
        "booking": booking if booking.get("booking_id") is not None else None,
    }


def read_intent(desk: Desk | None, account: str, intent_id: str) -> Facts | None:
    """A PaymentIntent as Stripe has it now, amounts in major units; None where the account has none of that id.

    Raises:
        MalformedObjectError: it lacks what a repair must know, or can't be read.
    """
    if desk is None:
        raise ConfigurationError("No provider may be asked from here.", where="stripe", remedy="Configure its key.")
    stripe = desk.stripe(account)
    found = stripe.payment_intent(intent_id)
    if found is None:
        return None
    charge = found.get("latest_charge")
    if isinstance(charge, str) and charge:  # a server that does not expand what it was asked to
        found = found | {"latest_charge": stripe.charge(charge)}
    try:
        return intent_facts(found)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise MalformedObjectError(
            f"Stripe's answer lacks what a repair must know ({type(error).__name__}: {error}).",
            where=f"stripe GET /v1/payment_intents/{intent_id}",
            remedy="Look at the object at Stripe; is STRIPE_API_BASE Stripe?",
        ) from error


def intent_facts(intent: Mapping[str, Any]) -> Facts:
    """What repairs go by, of Stripe's object with its charge expanded; nothing that changes by itself.

    Servers that speak the API may leave out sums: a hold without amount_capturable is of the whole amount; without
    amount_received the charge says what was taken. Where that says no more than that it was captured, all of it was
    taken, and ``kept`` is what was not given back: such a server gives back what a partial capture leaves.
    ``perhaps_let_go``: that much of what was refunded may be what a partial capture let go, and may be a refund.

    Raises:
        KeyError, TypeError, ValueError: the object lacks something that can't be told from the rest.
    """
    currency, status = intent["currency"], intent["status"]
    if not isinstance(currency, str) or not isinstance(status, str):
        raise TypeError("currency and status must be texts")
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    deadline = card.get("capture_before")
    minor = {
        "amount": intent["amount"],
        "amount_capturable": _capturable(intent, status),
        "amount_received": _received(intent, charge, status),
    }
    received, told = int(minor["amount_received"]), _told_refunded(charge)
    let_go = int(charge.get("amount") or intent["amount"]) - received
    minor["amount_refunded"] = _given_back(charge, let_go, received)
    if 0 < let_go <= told <= received and charge.get("refunded") is not True:
        minor["perhaps_let_go"] = let_go
    if status == "succeeded" and intent.get("amount_received") is None and charge.get("amount_captured") is None:
        minor["kept"] = minor["amount_received"] - minor["amount_refunded"]
    facts = {name: from_stripe(int(value), currency) for name, value in minor.items()}
    return {
        **{name: jsonable(value) for name, value in facts.items()},
        "status": status,
        "currency": currency.upper(),
        "cancellation_reason": intent.get("cancellation_reason"),
        "charge": charge.get("id"),
        "disputed": bool(charge.get("disputed")),
        "capture_before": None if deadline is None else jsonable(datetime.fromtimestamp(int(deadline), UTC)),
    }


def _capturable(intent: Mapping[str, Any], status: str) -> int:
    told = intent.get("amount_capturable")
    if told is None and status == "requires_capture":
        return int(intent["amount"])
    return int(told or 0)


def _received(intent: Mapping[str, Any], charge: Mapping[str, Any], status: str) -> int:
    told = intent.get("amount_received")
    if told is None and status == "succeeded":
        captured = charge.get("amount_captured")
        return int(charge.get("amount", intent["amount"]) if captured is None else captured)
    return int(told or 0)


def _given_back(charge: Mapping[str, Any], let_go: int, received: int) -> int:
    """What the payer got back of what was taken.

    Some servers, and Stripe in earlier years, count what a partial capture let go among what was refunded (Stripe's
    reference of amount_to_capture: "any additional amount is automatically refunded"). It is in there when otherwise
    more was given back than was taken, or all of it although the charge says that it is not refunded; so do the
    snapshots have it, sql/canonical/provider_transactions_stripe_payment_intents.sql.
    """
    told = _told_refunded(charge)
    rest = told == received and charge.get("refunded") is False and let_go <= told
    return max(told - let_go, 0) if let_go > 0 and (told > received or rest) else told


def _told_refunded(charge: Mapping[str, Any]) -> int:
    return int(charge.get("amount_refunded") or 0) if charge.get("captured", True) else 0


def taken(facts: Facts) -> Decimal:
    """What was taken of a hold; where the server takes all first, what was kept of it."""
    intent = facts["intent"]
    return Decimal(intent["amount_received"] if intent.get("kept") is None else intent["kept"])


def touched_hold(facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
    """The account, the intent and its charge."""
    charge = facts["intent"]["charge"]
    objects = {"payment_intents": [facts["provider_ref"]]}
    return facts["account"], objects | ({} if charge is None else {"charges": [charge]})


def unfit(facts: Facts, as_of: datetime) -> str | None:
    """Why this hold can be neither captured nor released."""
    intent = facts["intent"]
    if facts["account"] is None:
        return "The provider's object was not read yet, or in two accounts: no account to ask."
    if intent is None:
        return f"Stripe account {facts['account']} has no {facts['provider_ref']}."
    if facts["rows"] > 1:
        return f"{facts['rows']} of the application's payments share it: a person must decide."
    if intent["status"] != "requires_capture":
        return f"It holds nothing any more: it is {intent['status']} at Stripe."
    if facts["payment"] is not None and facts["payment"]["currency"] != intent["currency"]:
        return f"Stripe holds {intent['currency']}, the application says {facts['payment']['currency']}."
    del as_of
    return None


def held(facts: Facts) -> Money:
    """The sum that is held."""
    intent = facts["intent"]
    return Money(Decimal(intent["amount_capturable"]), intent["currency"])


def is_over(booking: Facts, as_of: datetime) -> bool:
    """The window of the service ended long enough ago."""
    return booking["booking_ends_at"] is not None and moment(booking["booking_ends_at"]) + GRACE < as_of


def moment(value: str) -> datetime:
    """A time among facts."""
    return datetime.fromisoformat(value)

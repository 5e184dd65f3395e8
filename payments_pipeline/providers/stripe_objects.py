"""Stripe's objects as rows: which columns, from which fields, in which units. Pure; imports neither stripe nor HTTP.

Belongs here: specs and the reading of one object. Does not belong here: calls, paging, errors of the connection.
Field meanings: https://docs.stripe.com/api/payment_intents/object, …/charges/object, …/refunds/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import from_stripe
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import ResourceSpec

PAYMENT_INTENTS = ResourceSpec(
    provider="stripe",
    name="payment_intents",
    table="stripe_payment_intents",
    description="Stripe PaymentIntents, each with its latest charge: captured or not, refunded, capture deadline.",
    columns=(
        "object_id", "status", "cancellation_reason", "currency", "amount", "amount_received", "amount_capturable",
        "capture_method", "customer_id", "metadata_user_id", "metadata_payment_id", "description",
        "last_error_code", "created_at", "canceled_at", "charge_id", "charge_status", "charge_captured",
        "charge_created_at", "charge_amount_captured", "charge_amount_refunded", "charge_refunded",
        "charge_disputed", "capture_before", "card_network",
    ),
)  # fmt: skip
REFUNDS = ResourceSpec(
    provider="stripe",
    name="refunds",
    table="stripe_refunds",
    description="Stripe Refunds. One that succeeded can still fail later.",
    columns=(
        "object_id", "status", "reason", "failure_reason", "currency", "amount", "payment_intent_id", "charge_id",
        "created_at",
    ),
)  # fmt: skip
STRIPE_SPECS: tuple[ResourceSpec, ...] = (PAYMENT_INTENTS, REFUNDS)

NO_OBJECT: Mapping[str, Any] = {}


def object_id(obj: Mapping[str, Any]) -> str:
    """The object's ``id``.

    Raises:
        MalformedObjectError: there is none, or it is not a text.
    """
    return _text_needed(obj, "id")


def intent_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A PaymentIntent in the order of `PAYMENT_INTENTS.columns`; charge columns are None when no charge is known.

    Raises:
        MalformedObjectError: id, status, currency, amount or created is missing, or a field is of another type.
    """
    currency = _text_needed(obj, "currency")
    status = _text_needed(obj, "status")
    amount = _money(obj, "amount", currency)
    if amount is None:
        raise MalformedObjectError("amount is missing.")
    # API-compatible servers leave out what can be told from the status.
    received = _money(obj, "amount_received", currency)
    capturable = _money(obj, "amount_capturable", currency)
    return (
        object_id(obj),
        status,
        _text(obj, "cancellation_reason"),
        currency,
        amount,
        received if received is not None else (amount if status == "succeeded" else Decimal(0)),
        capturable if capturable is not None else (amount if status == "requires_capture" else Decimal(0)),
        _text(obj, "capture_method"),
        reference(obj, "customer"),
        _metadata(obj, "user_id"),
        _metadata(obj, "payment_id") or _metadata(obj, "order_id"),
        _text(obj, "description"),
        _text(_part(obj, "last_payment_error"), "code"),
        _time_needed(obj, "created"),
        _time(obj, "canceled_at"),
        *_charge_columns(obj, currency),
    )


def refund_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Refund in the order of `REFUNDS.columns`.

    Raises:
        MalformedObjectError: id, currency, amount or created is missing, or a field is of another type.
    """
    currency = _text_needed(obj, "currency")
    amount = _money(obj, "amount", currency)
    if amount is None:
        raise MalformedObjectError("amount is missing.")
    return (
        object_id(obj),
        # Stripe's schema allows a null status on refunds of some older payment methods: an unknown state, no error.
        _text(obj, "status") or "unknown",
        _text(obj, "reason"),
        _text(obj, "failure_reason"),
        currency,
        amount,
        reference(obj, "payment_intent"),
        reference(obj, "charge"),
        _time_needed(obj, "created"),
    )


def latest_charge(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The charge inside an intent: expanded `latest_charge`, else the list of API versions before 2022-11-15."""
    charge = obj.get("latest_charge")
    if isinstance(charge, Mapping):
        return charge
    listed = _part(obj, "charges").get("data")
    if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
        return listed[0]
    return NO_OBJECT


def reference(obj: Mapping[str, Any], name: str) -> str | None:
    """The id in a field that holds an id or, when expanded, the object itself."""
    value = obj.get(name)
    if isinstance(value, Mapping):
        return _text(value, "id")
    return _text(obj, name)


def _charge_columns(obj: Mapping[str, Any], currency: str) -> tuple[Any, ...]:
    charge = latest_charge(obj)
    card = _part(_part(charge, "payment_method_details"), "card")
    return (
        _text(charge, "id") or reference(obj, "latest_charge"),
        _text(charge, "status"),
        _flag(charge, "captured"),
        _time(charge, "created"),
        _money(charge, "amount_captured", currency),
        _money(charge, "amount_refunded", currency),
        _flag(charge, "refunded"),
        _flag(charge, "disputed"),
        _time(card, "capture_before"),
        _text(card, "network") or _text(card, "brand"),
    )


def _part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = obj.get(name)
    return value if isinstance(value, Mapping) else NO_OBJECT


def _text(obj: Mapping[str, Any], name: str) -> str | None:
    value = obj.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not a text.")
    if "\x00" in value:
        raise MalformedObjectError(f"{name} holds a NUL character, which PostgreSQL can't store.")
    return value


def _text_needed(obj: Mapping[str, Any], name: str) -> str:
    value = _text(obj, name)
    if value is None:
        raise MalformedObjectError(f"{name} is missing.")
    return value


def _metadata(obj: Mapping[str, Any], name: str) -> str | None:
    value = _part(obj, "metadata").get(name)
    # Stripe's metadata values are texts; other servers keep the numbers they were given.
    return _text({name: str(value)}, name) if value is not None and value != "" else None


def _integer(obj: Mapping[str, Any], name: str) -> int | None:
    value = obj.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not an integer.")
    return value


def _money(obj: Mapping[str, Any], name: str, currency: str) -> Decimal | None:
    minor = _integer(obj, name)
    return None if minor is None else from_stripe(minor, currency)


def _time(obj: Mapping[str, Any], name: str) -> datetime | None:
    seconds = _integer(obj, name)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise MalformedObjectError(f"{name} is not a time: {str(seconds)[:20]}.") from None


def _time_needed(obj: Mapping[str, Any], name: str) -> datetime:
    value = _time(obj, name)
    if value is None:
        raise MalformedObjectError(f"{name} is missing.")
    return value


def _flag(obj: Mapping[str, Any], name: str) -> bool | None:
    value = obj.get(name)
    if value is not None and not isinstance(value, bool):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not true or false.")
    return value

"""The columns of a PaymentIntent of the usual shape, from its bytes or as an object, in a fraction of the time. Pure.

Belongs here: the shape that Stripe's own answers have. Does not belong here: what a field means and what is refused
(stripe_objects.py). Whatever looks otherwise, wrong types and old API versions among it, gives None: then
`stripe_objects.intent_row` decides, and words the refusal. Where both give a row, it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from payments_pipeline.core.money import stripe_exponent

_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class _Card(msgspec.Struct, gc=False):
    network: str | None = None
    brand: str | None = None
    capture_before: _Whole | None = None


class _Method(msgspec.Struct, gc=False):
    card: _Card | None = None


class _Charge(msgspec.Struct, gc=False):
    id: str | None = None
    status: str | None = None
    captured: bool | None = None
    created: _Whole | None = None
    amount_captured: _Whole | None = None
    amount_refunded: _Whole | None = None
    refunded: bool | None = None
    disputed: bool | None = None
    payment_method_details: _Method | None = None


class _Links(msgspec.Struct, gc=False):
    user_id: str | None = None
    payment_id: str | None = None
    order_id: str | None = None
    app: str | None = None


class _Failure(msgspec.Struct, gc=False):
    code: str | None = None


class _Intent(msgspec.Struct, gc=False):
    id: str
    status: str
    currency: str
    amount: _Whole
    created: _Whole
    amount_received: _Whole | None = None
    amount_capturable: _Whole | None = None
    cancellation_reason: str | None = None
    capture_method: str | None = None
    customer: str | None = None
    metadata: _Links | None = None
    description: str | None = None
    last_payment_error: _Failure | None = None
    canceled_at: _Whole | None = None
    latest_charge: _Charge | None = None
    invoice: str | None = None
    charges: None = None
    deleted: None = None


_decode = msgspec.json.Decoder(_Intent).decode
_NO_CARD, _NO_METHOD, _NO_CHARGE, _NO_LINKS, _NO_FAILURE = _Card(), _Method(), _Charge(), _Links(), _Failure()
_TEXTS = frozenset({str, type(None)})
_FLAGS = frozenset({bool, type(None)})
_NUMBERS = frozenset({int, type(None)})
_NOTHING: Mapping[str, Any] = {}
_ZERO = Decimal(0)


def from_bytes(raw: bytes) -> tuple[Any, ...] | None:
    """The row of an intent; None: only its parsed object tells, or tells what is wrong."""
    if b"\\" in raw:  # an escape may stand for what can't be stored
        return None
    try:
        if not raw.isascii():
            raw.decode()  # the decoder skips fields that we don't read without looking at their letters
        one = _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    charge, links = one.latest_charge or _NO_CHARGE, one.metadata or _NO_LINKS
    card = (charge.payment_method_details or _NO_METHOD).card or _NO_CARD
    return _row(
        (
            one.id, one.status, one.currency, one.cancellation_reason, one.capture_method, one.customer,
            links.user_id, links.payment_id, links.order_id, links.app, one.description,
            (one.last_payment_error or _NO_FAILURE).code, charge.id, charge.status, card.network, card.brand,
            one.invoice,
        ),
        (
            one.amount, one.amount_received, one.amount_capturable, one.created, one.canceled_at, charge.created,
            charge.amount_captured, charge.amount_refunded, card.capture_before,
        ),
        (charge.captured, charge.refunded, charge.disputed),
    )  # fmt: skip


def from_object(obj: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The row of a parsed intent; None: it has not the usual shape."""
    get = obj.get
    charge = get("latest_charge")
    of_charge, of_links, of_failure = _getter(charge), _getter(get("metadata")), _getter(get("last_payment_error"))
    if of_charge is None or of_links is None or of_failure is None:
        return None
    if charge is None and get("charges") is not None:
        return None
    of_method = _getter(of_charge("payment_method_details"))
    of_card = _getter(of_method("card")) if of_method is not None else None
    if of_card is None:
        return None
    texts = (
        get("id"), get("status"), get("currency"), get("cancellation_reason"), get("capture_method"), get("customer"),
        of_links("user_id"), of_links("payment_id"), of_links("order_id"), of_links("app"), get("description"),
        of_failure("code"), of_charge("id"), of_charge("status"), of_card("network"), of_card("brand"),
        get("invoice"),
    )  # fmt: skip
    flags = (of_charge("captured"), of_charge("refunded"), of_charge("disputed"))
    if not (_TEXTS.issuperset(map(type, texts)) and _FLAGS.issuperset(map(type, flags))):
        return None
    if "\x00" in "".join(filter(None, texts)):
        return None
    numbers = (
        get("amount"), get("amount_received"), get("amount_capturable"), get("created"), get("canceled_at"),
        of_charge("created"), of_charge("amount_captured"), of_charge("amount_refunded"), of_card("capture_before"),
    )  # fmt: skip
    return _row(texts, numbers, flags) if _NUMBERS.issuperset(map(type, numbers)) else None


def _getter(value: Any) -> Any:
    """How to read an object inside the object; None: it is something else."""
    if value is None:
        return _NOTHING.get
    return value.get if type(value) is dict else None


def _row(texts: Sequence[str | None], numbers: Sequence[Any], flags: Sequence[bool | None]) -> tuple[Any, ...] | None:
    """Values in the order of `stripe_objects.PAYMENT_INTENTS.columns`, of values whose types are right."""
    (
        object_id, status, currency, reason, method, customer, user_id, payment_id, order_id, app, description,
        error_code, charge_id, charge_status, network, brand, invoice,
    ) = texts  # fmt: skip
    amount, received, capturable, created, canceled, charged, captured, refunded, deadline = numbers
    if not (object_id and status and currency) or amount is None or created is None:
        return None
    shift, at = -stripe_exponent(currency), datetime.fromtimestamp
    try:
        whole = Decimal(amount).scaleb(shift)
        if received is None and status == "succeeded":
            received = amount if captured is None else captured
        received = _ZERO if received is None else Decimal(received).scaleb(shift)
        if capturable is not None:
            capturable = Decimal(capturable).scaleb(shift)
        else:
            capturable = whole if status == "requires_capture" else _ZERO
        return (
            object_id, status, reason or None, currency, whole, received, capturable, method or None, customer or None,
            user_id or None, payment_id or order_id or None, app or None, description or None, error_code or None,
            at(created, UTC), None if canceled is None else at(canceled, UTC), charge_id or None,
            charge_status or None, flags[0], None if charged is None else at(charged, UTC),
            None if captured is None else Decimal(captured).scaleb(shift),
            None if refunded is None else Decimal(refunded).scaleb(shift),
            flags[1], flags[2], None if deadline is None else at(deadline, UTC), network or brand or None,
            invoice or None,
        )  # fmt: skip
    except (ArithmeticError, OSError, ValueError):  # an amount or a time beyond all bounds
        return None

"""What is kept of a Stripe object: no secrets, no links that open without log-in, nothing of a person. Pure.

Belongs here: one function a kind of object; each changes the object it is given and returns it. Does not belong here:
reading fields. Reconciliation needs ids, amounts, states and times; of an e-mail address a hash is enough to find the
one user who has it. What is taken away also can't count as a change.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

Json = dict[str, Any]

EMAIL_HASH = "email_sha256"
"""Not Stripe's: stands where the e-mail address stood."""

_CUSTOMER_KEPT = ("id", "object", "deleted", "created", "currency", "delinquent", "livemode")
_LINKS = frozenset({"user_id", "payment_id", "order_id", "app"})
_CHARGE_DROPPED = ("billing_details", "receipt_email", "receipt_url", "shipping")
# The secret lets its holder confirm the payment.
_INTENT_DROPPED = ("client_secret", "receipt_email", "shipping")
_ERROR_DROPPED = ("payment_intent", "payment_method", "setup_intent", "source")
_SESSION_DROPPED = (
    "client_secret", "url", "customer_details", "customer_email", "collected_information", "custom_fields", "shipping",
    "shipping_details",
)  # fmt: skip
_REFUND_DROPPED = ("instructions_email", "next_action")


def intent(obj: Json) -> Json:
    """A PaymentIntent with its latest charge."""
    _drop(obj, _INTENT_DROPPED)
    latest = obj.get("latest_charge")
    if isinstance(latest, dict):
        charge(latest)
    # API versions before 2022-11-15 list the charges instead.
    listed = obj.get("charges")
    if isinstance(listed, dict) and isinstance(listed.get("data"), list):
        for one in listed["data"]:
            if isinstance(one, dict):
                charge(one)
    error = obj.get("last_payment_error")
    if isinstance(error, dict):
        _drop(error, _ERROR_DROPPED)
    return obj


def charge(obj: Json) -> Json:
    """A Charge; its receipt link is new at each read, too."""
    return _drop(obj, _CHARGE_DROPPED)


def refund(obj: Json) -> Json:
    """A Refund."""
    return _drop(obj, _REFUND_DROPPED)


def dispute(obj: Json) -> Json:
    """A Dispute without the evidence, which is about the payer; whether there is any stays in `evidence_details`."""
    return _drop(obj, ("evidence",))


def checkout_session(obj: Json) -> Json:
    """A Checkout Session; its e-mail address as hash."""
    details = obj.get("customer_details")
    typed_in = details.get("email") if isinstance(details, dict) else None
    obj[EMAIL_HASH] = email_hash(typed_in) or email_hash(obj.get("customer_email"))
    return _drop(obj, _SESSION_DROPPED)


def customer(obj: Json) -> Json:
    """A Customer, cut down to named fields, because anything else may be about the person; metadata to our links."""
    kept = {name: obj[name] for name in _CUSTOMER_KEPT if name in obj}
    if not obj.get("deleted"):
        kept[EMAIL_HASH] = email_hash(obj.get("email"))
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {name: value for name, value in metadata.items() if name in _LINKS}
    return kept


def event(obj: Json) -> Json:
    """An Event that only names its object: the object's own list holds the rest."""
    told = obj.get("data")
    if isinstance(told, dict):
        subject = told.get("object")
        named = {name: subject.get(name) for name in ("id", "object")} if isinstance(subject, dict) else None
        obj["data"] = {"object": named}
    return obj


def unchanged(obj: Json) -> Json:
    """Objects that hold nothing personal: payouts, transfers, reversals, balance transactions, subscriptions."""
    return obj


def email_hash(address: object) -> str | None:
    """SHA-256, as hex, of the address in lower case; None for nothing."""
    if not isinstance(address, str) or not address.strip():
        return None
    return sha256(address.strip().lower().encode("utf-8", "replace")).hexdigest()


def _drop(obj: Json, names: tuple[str, ...]) -> Json:
    for name in names:
        obj.pop(name, None)
    return obj

"""Stripe's customers as rows: customers, their subscriptions and checkouts, and events. Pure.

Belongs here: their specs and the reading of one object. Does not belong here: what of a person is kept
(stripe_privacy.py), which events announce a change of what (stripe_feed.py).
Field meanings: https://docs.stripe.com/api/customers/object, …/subscriptions/object, …/checkout/sessions/object,
…/events/object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import from_stripe
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_fields import (
    flag,
    flag_or_false,
    integer,
    metadata,
    moment,
    moment_needed,
    money,
    object_id,
    part,
    reference,
    text,
    text_needed,
)
from payments_pipeline.providers.stripe_privacy import EMAIL_HASH

CHECKOUT_SESSIONS = ResourceSpec(
    provider="stripe",
    name="checkout_sessions",
    table="stripe_checkout_sessions",
    description=(
        "Stripe Checkout Sessions: which payer, order and intent belong together. payment_state is processing where "
        "the payer is through and the money is not (bank debits)."
    ),
    columns=(
        "object_id", "payment_state", "status", "payment_status", "mode", "currency", "amount", "customer_id",
        "payment_intent_id", "subscription_id", "client_reference_id", "metadata_user_id", "metadata_payment_id",
        "metadata_app", "email_sha256", "created_at", "expires_at",
    ),
    status_column="payment_state",
    open_statuses=frozenset({"open", "processing"}),
    event_types=("checkout.session.*",),
)  # fmt: skip
SUBSCRIPTIONS = ResourceSpec(
    provider="stripe",
    name="subscriptions",
    table="stripe_subscriptions",
    description="Stripe Subscriptions of all statuses, canceled ones too; amount is one period's price before tax.",
    columns=(
        "object_id", "status", "customer_id", "currency", "amount", "price_id", "product_id", "period",
        "period_count", "quantity", "current_period_start", "current_period_end", "cancel_at",
        "cancel_at_period_end", "canceled_at", "cancellation_reason", "ended_at", "trial_end", "started_at",
        "collection_method", "latest_invoice_id", "metadata_user_id", "metadata_app", "created_at",
    ),
    # Everything but the two ends, canceled and incomplete_expired.
    open_statuses=frozenset({"incomplete", "trialing", "active", "past_due", "unpaid", "paused"}),
    event_types=("customer.subscription.*", "checkout.session.*"),
)  # fmt: skip
CUSTOMERS = ResourceSpec(
    provider="stripe",
    name="customers",
    table="stripe_customers",
    description=(
        "Stripe Customers, as far as linking needs them: no name or address is kept, of the e-mail address its SHA-256."
    ),
    columns=(
        "object_id", "email_sha256", "currency", "delinquent", "metadata_user_id", "metadata_app", "created_at",
    ),
    status_column=None,
    event_types=("customer.created", "customer.updated", "customer.deleted"),
)  # fmt: skip
EVENTS = ResourceSpec(
    provider="stripe",
    name="events",
    table="stripe_events",
    description=(
        "Stripe Events of the last 30 days: what about, when, and how many webhook deliveries are still pending."
    ),
    columns=(
        "object_id", "type", "subject_id", "subject_type", "pending_webhooks", "api_version", "request_id",
        "idempotency_key", "created_at",
    ),
    status_column=None,
    history=timedelta(days=30),
)  # fmt: skip


def checkout_session_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Checkout Session in the order of `CHECKOUT_SESSIONS.columns`; without currency in setup mode.

    Raises:
        MalformedObjectError: id or created is missing, an amount has no currency, or a field is of another type.
    """
    currency = text(obj, "currency")
    if currency is None and obj.get("amount_total"):
        raise MalformedObjectError("currency is missing.")
    return (
        object_id(obj),
        payment_state(obj),
        text(obj, "status"),
        text(obj, "payment_status"),
        text(obj, "mode"),
        currency,
        money(obj, "amount_total", currency) if currency else None,
        reference(obj, "customer"),
        reference(obj, "payment_intent"),
        reference(obj, "subscription"),
        text(obj, "client_reference_id"),
        metadata(obj, "user_id"),
        metadata(obj, "payment_id") or metadata(obj, "order_id"),
        metadata(obj, "app"),
        text(obj, EMAIL_HASH),
        moment_needed(obj, "created"),
        moment(obj, "expires_at"),
    )


def payment_state(session: Mapping[str, Any]) -> str:
    """Stripe's status; ``processing`` for a session that is complete and not yet paid; ``unknown`` without status.

    Raises:
        MalformedObjectError: status or payment_status is no text.
    """
    status = text(session, "status") or "unknown"
    return "processing" if status == "complete" and text(session, "payment_status") == "unpaid" else status


def subscription_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Subscription in the order of `SUBSCRIPTIONS.columns`; price columns are those of its first item.

    Raises:
        MalformedObjectError: id, status, currency (its own or its first price's) or created is missing, or a field is
            of another type.
    """
    items, whole = _items(obj)
    first = items[0] if items else {}
    price = _price(first)
    currency = text(obj, "currency") or text_needed(price, "currency")
    start, end = _current_period(obj, items)
    return (
        object_id(obj),
        text_needed(obj, "status"),
        reference(obj, "customer"),
        currency,
        _amount(items, currency) if whole else None,
        text(price, "id"),
        reference(price, "product"),
        text(part(price, "recurring"), "interval"),
        integer(part(price, "recurring"), "interval_count"),
        integer(first, "quantity"),
        start,
        end,
        moment(obj, "cancel_at"),
        flag_or_false(obj, "cancel_at_period_end"),
        moment(obj, "canceled_at"),
        text(part(obj, "cancellation_details"), "reason"),
        moment(obj, "ended_at"),
        moment(obj, "trial_end"),
        moment(obj, "start_date"),
        text(obj, "collection_method"),
        reference(obj, "latest_invoice"),
        metadata(obj, "user_id"),
        metadata(obj, "app"),
        moment_needed(obj, "created"),
    )


def customer_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Customer, as `stripe_privacy.customer` leaves it, in the order of `CUSTOMERS.columns`.

    Raises:
        MalformedObjectError: id or created is missing (a deleted customer has nothing but its id), or a field is of
            another type.
    """
    return (
        object_id(obj),
        text(obj, EMAIL_HASH),
        text(obj, "currency"),
        flag(obj, "delinquent"),
        metadata(obj, "user_id"),
        metadata(obj, "app"),
        moment_needed(obj, "created"),
    )


def event_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """An Event in the order of `EVENTS.columns`; an event about no object, e.g. of the balance, has no subject.

    Raises:
        MalformedObjectError: id, type or created is missing, or a field is of another type.
    """
    subject = part(part(obj, "data"), "object")
    # API versions before 2017-05-25 sent the request's id alone.
    request = part(obj, "request")
    return (
        object_id(obj),
        text_needed(obj, "type"),
        text(subject, "id"),
        text(subject, "object"),
        integer(obj, "pending_webhooks") or 0,
        text(obj, "api_version"),
        text(request, "id") if request else reference(obj, "request"),
        text(request, "idempotency_key"),
        moment_needed(obj, "created"),
    )


def _items(obj: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """The subscription's items, and whether these are all."""
    listed = part(obj, "items")
    items = listed.get("data")
    found = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return found, not listed.get("has_more")


def _price(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an item costs; of servers that know only plans, what prices were before, as a price."""
    price, plan = part(item, "price"), part(item, "plan")
    if price or not plan:
        return price
    recurring = {"interval": plan.get("interval"), "interval_count": plan.get("interval_count")}
    return {**plan, "unit_amount": plan.get("amount"), "recurring": recurring}


def _amount(items: Sequence[Mapping[str, Any]], currency: str) -> Decimal | None:
    """Price times quantity over all items; None where one is metered, tiered or priced in fractions of a cent."""
    total = 0
    for item in items:
        unit, quantity = integer(_price(item), "unit_amount"), integer(item, "quantity")
        if unit is None or quantity is None:
            return None
        total += unit * quantity
    return from_stripe(total, currency) if items else None


def _current_period(
    obj: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> tuple[datetime | None, datetime | None]:
    """The period that ends first; API versions before 2025-03-31 had one for the whole subscription."""
    periods = [(moment(item, "current_period_end"), moment(item, "current_period_start")) for item in items]
    known = [(end, start) for end, start in periods if end is not None]
    if not known:
        return moment(obj, "current_period_start"), moment(obj, "current_period_end")
    end, start = min(known, key=lambda period: period[0])
    return start, end

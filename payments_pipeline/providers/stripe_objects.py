"""Stripe's payments as rows: intents, charges, refunds, disputes. Pure; imports neither stripe nor HTTP.

Belongs here: their specs and the reading of one object. Does not belong here: other objects (stripe_objects_*.py),
calls, paging, errors of the connection.
Field meanings: https://docs.stripe.com/api/payment_intents/object, …/charges/object, …/refunds/object,
…/disputes/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments_pipeline.providers import stripe_columns
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_fields import (
    NO_OBJECT,
    flag,
    flag_or_false,
    integer,
    metadata,
    moment,
    moment_needed,
    money,
    money_needed,
    object_id,
    part,
    reference,
    text,
    text_needed,
)

PAYMENT_INTENTS = ResourceSpec(
    provider="stripe",
    name="payment_intents",
    table="stripe_payment_intents",
    description="Stripe PaymentIntents, each with its latest charge: captured or not, refunded, capture deadline.",
    columns=(
        "object_id", "status", "cancellation_reason", "currency", "amount", "amount_received", "amount_capturable",
        "capture_method", "customer_id", "metadata_user_id", "metadata_payment_id", "metadata_app", "description",
        "last_error_code", "created_at", "canceled_at", "charge_id", "charge_status", "charge_captured",
        "charge_created_at", "charge_amount_captured", "charge_amount_refunded", "charge_refunded",
        "charge_disputed", "capture_before", "card_network", "invoice_id",
    ),
    open_statuses=frozenset(
        {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture", "processing"}
    ),
    event_types=("payment_intent.*", "charge.*", "refund.*", "checkout.session.*"),
)  # fmt: skip
CHARGES = ResourceSpec(
    provider="stripe",
    name="charges",
    table="stripe_charges",
    description=(
        "Stripe Charges. capture_state tells what Stripe's status does not: a charge that was only authorized reads "
        "succeeded too."
    ),
    columns=(
        "object_id", "capture_state", "status", "currency", "amount", "amount_captured", "amount_refunded", "paid",
        "captured", "refunded", "disputed", "payment_intent_id", "customer_id", "balance_transaction_id",
        "transfer_id", "transfer_group", "application_fee", "payment_method_type", "card_network", "capture_before",
        "failure_code", "outcome_type", "description", "metadata_user_id", "metadata_payment_id", "metadata_app",
        "created_at",
    ),
    status_column="capture_state",
    open_statuses=frozenset({"pending", "uncaptured"}),
    event_types=("charge.*", "payment_intent.*", "refund.*"),
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
    open_statuses=frozenset({"pending", "requires_action"}),
    event_types=("refund.*", "charge.refund.*", "charge.refunded"),
)  # fmt: skip
DISPUTES = ResourceSpec(
    provider="stripe",
    name="disputes",
    table="stripe_disputes",
    description="Stripe Disputes (chargebacks) and inquiries, with the time until which evidence can be handed in.",
    columns=(
        "object_id", "status", "reason", "network_reason_code", "currency", "amount", "charge_id",
        "payment_intent_id", "is_charge_refundable", "evidence_due_at", "has_evidence", "submission_count",
        "card_network", "created_at",
    ),
    open_statuses=frozenset(
        {
            "needs_response", "under_review", "warning_needs_response", "warning_under_review",
            "appeal_needs_response", "appeal_under_review",
        }
    ),
    event_types=("charge.dispute.*",),
)  # fmt: skip


def intent_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A PaymentIntent in the order of `PAYMENT_INTENTS.columns`; charge columns are None when no charge is known.

    Raises:
        MalformedObjectError: id, status, currency, amount or created is missing, or a field is of another type.
    """
    usual = stripe_columns.from_object(obj)
    return usual if usual is not None else unusual_intent_row(obj)


def unusual_intent_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """As `intent_row`, of any shape, and telling what is wrong with it."""
    currency = text_needed(obj, "currency")
    status = text_needed(obj, "status")
    amount = money_needed(obj, "amount", currency)
    # API-compatible servers leave out what can be told from the status.
    received = money(obj, "amount_received", currency)
    if received is None and status == "succeeded":
        received = money(latest_charge(obj), "amount_captured", currency)
    capturable = money(obj, "amount_capturable", currency)
    return (
        object_id(obj),
        status,
        text(obj, "cancellation_reason"),
        currency,
        amount,
        received if received is not None else (amount if status == "succeeded" else Decimal(0)),
        capturable if capturable is not None else (amount if status == "requires_capture" else Decimal(0)),
        text(obj, "capture_method"),
        reference(obj, "customer"),
        *_link(obj),
        text(obj, "description"),
        text(part(obj, "last_payment_error"), "code"),
        moment_needed(obj, "created"),
        moment(obj, "canceled_at"),
        *_latest_charge_columns(obj, currency),
        # Of API versions before 2025-03-31.
        reference(obj, "invoice"),
    )


def charge_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Charge in the order of `CHARGES.columns`; what Stripe leaves out of older charges is None.

    Raises:
        MalformedObjectError: id, status, currency, amount or created is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    network, deadline = _card(obj)
    return (
        object_id(obj),
        capture_state(obj),
        text_needed(obj, "status"),
        currency,
        money_needed(obj, "amount", currency),
        money(obj, "amount_captured", currency),
        money(obj, "amount_refunded", currency) or Decimal(0),
        flag(obj, "paid"),
        flag(obj, "captured"),
        flag_or_false(obj, "refunded"),
        flag_or_false(obj, "disputed"),
        reference(obj, "payment_intent"),
        reference(obj, "customer"),
        reference(obj, "balance_transaction"),
        reference(obj, "transfer"),
        text(obj, "transfer_group"),
        money(obj, "application_fee_amount", currency),
        text(part(obj, "payment_method_details"), "type"),
        network,
        deadline,
        text(obj, "failure_code"),
        text(part(obj, "outcome"), "type"),
        text(obj, "description"),
        *_link(obj),
        moment_needed(obj, "created"),
    )


def capture_state(charge: Mapping[str, Any]) -> str:
    """pending or failed as Stripe says; else uncaptured (held), released (never captured, given back), captured.

    A server that does not say whether a charge was captured leaves Stripe's own ``succeeded``.
    """
    status = text_needed(charge, "status")
    captured = flag(charge, "captured")
    if status != "succeeded" or captured is None:
        return status
    if captured:
        return "captured"
    return "released" if flag(charge, "refunded") else "uncaptured"


def refund_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Refund in the order of `REFUNDS.columns`.

    Raises:
        MalformedObjectError: id, currency, amount or created is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    return (
        object_id(obj),
        # Stripe's schema allows a null status on refunds of some older payment methods: an unknown state, no error.
        text(obj, "status") or "unknown",
        text(obj, "reason"),
        text(obj, "failure_reason"),
        currency,
        money_needed(obj, "amount", currency),
        reference(obj, "payment_intent"),
        reference(obj, "charge"),
        moment_needed(obj, "created"),
    )


def dispute_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Dispute in the order of `DISPUTES.columns`. Its fee and what it took are balance transactions of its id.

    Raises:
        MalformedObjectError: id, status, currency, amount or created is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    evidence = part(obj, "evidence_details")
    card = part(part(obj, "payment_method_details"), "card")
    return (
        object_id(obj),
        text_needed(obj, "status"),
        text(obj, "reason"),
        text(obj, "network_reason_code"),
        currency,
        money_needed(obj, "amount", currency),
        reference(obj, "charge"),
        reference(obj, "payment_intent"),
        flag(obj, "is_charge_refundable"),
        # 0 means that the bank takes no response at all.
        moment(evidence, "due_by") if evidence.get("due_by") else None,
        flag_or_false(evidence, "has_evidence"),
        integer(evidence, "submission_count") or 0,
        text(card, "network") or text(card, "brand"),
        moment_needed(obj, "created"),
    )


def latest_charge(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The charge inside an intent: expanded `latest_charge`, else the list of API versions before 2022-11-15."""
    charge = obj.get("latest_charge")
    if isinstance(charge, Mapping):
        return charge
    listed = part(obj, "charges").get("data")
    if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
        return listed[0]
    return NO_OBJECT


def _link(obj: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """What the application wrote into the metadata: its user, its payment, and which application it is."""
    return (
        metadata(obj, "user_id"),
        metadata(obj, "payment_id") or metadata(obj, "order_id"),
        metadata(obj, "app"),
    )


def _latest_charge_columns(obj: Mapping[str, Any], currency: str) -> tuple[Any, ...]:
    charge = latest_charge(obj)
    network, deadline = _card(charge)
    return (
        text(charge, "id") or reference(obj, "latest_charge"),
        text(charge, "status"),
        flag(charge, "captured"),
        moment(charge, "created"),
        money(charge, "amount_captured", currency),
        money(charge, "amount_refunded", currency),
        flag(charge, "refunded"),
        flag(charge, "disputed"),
        deadline,
        network,
    )


def _card(charge: Mapping[str, Any]) -> tuple[str | None, datetime | None]:
    card = part(part(charge, "payment_method_details"), "card")
    return text(card, "network") or text(card, "brand"), moment(card, "capture_before")

"""NOWPayments objects as rows: which resources there are, and which field fills which column.

Belongs here: pure reading of one object. Does not belong here: HTTP, paging, canonical states.
Source: NOWPayments API v1, "Get list of payments" and "Get payment status".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.fields import ObjectFields

PAYMENTS = ResourceSpec(
    provider="nowpayments",
    name="payments",
    table="nowpayments_payments",
    description="Crypto payments at NOWPayments, repeated deposits included, each as last read.",
    columns=(
        "object_id",
        "parent_id",
        "invoice_id",
        "origin_type",
        "status",
        "order_id",
        "order_description",
        "price_amount",
        "price_currency",
        "pay_amount",
        "pay_currency",
        "actually_paid",
        "outcome_amount",
        "outcome_currency",
        "pay_address",
        "payin_extra_id",
        "network",
        "payin_hash",
        "created_at",
        "updated_at",
        "expires_at",
    ),
    # Expired: a late deposit can revive it, which the sweep's list finds by its updated_at; but most never pay.
    final_statuses=frozenset({"finished", "failed", "refunded", "expired", "cancelled", "canceled"}),
    grain=timedelta(days=1),
)
NOWPAYMENTS_SPECS: tuple[ResourceSpec, ...] = (PAYMENTS,)


def payment_fields(obj: object) -> ObjectFields:
    """The readable fields of a payment. Raises MalformedObjectError: it has no payment_id."""
    return ObjectFields(obj, what="nowpayments payment", id_field="payment_id")


def payment_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A payment in the order of ``PAYMENTS.columns``.

    Amounts are major units, in the price's currency (`price_amount`), the coin asked for (`pay_amount`,
    `actually_paid`) or the coin paid out (`outcome_amount`). Statuses and currency codes stay as sent.

    Raises:
        MalformedObjectError: a needed field is missing or malformed; names it.
    """
    fields = payment_fields(obj)
    return (
        fields.id,
        fields.text_or_none("parent_payment_id"),
        fields.text_or_none("invoice_id"),
        fields.text_or_none("origin_type"),
        fields.text("payment_status"),
        fields.text_or_none("order_id"),
        fields.text_or_none("order_description"),
        fields.amount("price_amount"),
        fields.text("price_currency"),
        fields.amount_or_none("pay_amount"),
        fields.text_or_none("pay_currency"),
        fields.amount_or_none("actually_paid"),
        fields.amount_or_none("outcome_amount"),
        fields.text_or_none("outcome_currency"),
        fields.text_or_none("pay_address"),
        fields.text_or_none("payin_extra_id"),
        fields.text_or_none("network"),
        fields.text_or_none("payin_hash"),
        fields.moment("created_at"),
        fields.moment_or_none("updated_at"),
        fields.moment_or_none("valid_until", "expiration_estimate_date"),
    )

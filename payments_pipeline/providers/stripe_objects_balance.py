"""Stripe's moving of money as rows: payouts, transfers, their reversals, balance transactions. Pure.

Belongs here: their specs and the reading of one object. Does not belong here: how reversals are listed
(stripe_reversals.py). Amounts on payouts have the exponents of charges: HUF and TWD are paid out in whole units, but
still sent as hundredths (https://docs.stripe.com/currencies#special-cases).
Field meanings: https://docs.stripe.com/api/payouts/object, …/transfers/object, …/transfer_reversals/object,
…/balance_transactions/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import exact
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_fields import (
    flag_or_false,
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

PAYOUTS = ResourceSpec(
    provider="stripe",
    name="payouts",
    table="stripe_payouts",
    description="Stripe Payouts to our bank. One that reads paid can still fail days later.",
    columns=(
        "object_id", "status", "type", "method", "automatic", "currency", "amount", "arrival_at", "destination_id",
        "balance_transaction_id", "failure_balance_transaction_id", "failure_code", "reconciliation_status",
        "original_payout_id", "reversed_by_id", "trace_id", "description", "created_at",
    ),
    open_statuses=frozenset({"pending", "in_transit"}),
    event_types=("payout.*",),
)  # fmt: skip
TRANSFERS = ResourceSpec(
    provider="stripe",
    name="transfers",
    table="stripe_transfers",
    description="Stripe Transfers to connected accounts, with how much of each came back.",
    columns=(
        "object_id", "currency", "amount", "amount_reversed", "reversed", "destination_id", "destination_payment_id",
        "charge_id", "transfer_group", "balance_transaction_id", "description", "metadata_user_id",
        "metadata_payment_id", "created_at",
    ),
    status_column=None,
    event_types=("transfer.*",),
)  # fmt: skip
TRANSFER_REVERSALS = ResourceSpec(
    provider="stripe",
    name="transfer_reversals",
    table="stripe_transfer_reversals",
    description=(
        "Reversals of Stripe Transfers. Stripe lists them by transfer, so windows select by when the transfer was "
        "made. object_id is transfer/reversal, by which Stripe reads one."
    ),
    columns=(
        "object_id", "reversal_id", "transfer_id", "currency", "amount", "balance_transaction_id", "refund_id",
        "destination_payment_refund_id", "created_at", "transfer_created_at",
    ),
    status_column=None,
    event_types=("transfer.*",),
    created_column="transfer_created_at",
)  # fmt: skip
BALANCE_TRANSACTIONS = ResourceSpec(
    provider="stripe",
    name="balance_transactions",
    table="stripe_balance_transactions",
    description=(
        "What each charge, refund, dispute, payout and transfer (source_id) did to the Stripe balance: gross, fee, net "
        "in the settlement currency. Stripe tells no event about them."
    ),
    columns=(
        "object_id", "status", "type", "reporting_category", "balance_type", "currency", "amount", "fee", "net",
        "exchange_rate", "source_id", "description", "available_at", "created_at",
    ),
    open_statuses=frozenset({"pending"}),
)  # fmt: skip

TRANSFER_CREATED = "transfer_created"
"""Not Stripe's: when a reversal's transfer was made (Unix seconds), added where the reversal is read."""


def payout_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Payout in the order of `PAYOUTS.columns`; `amount` is negative where Stripe takes money from the bank.

    Raises:
        MalformedObjectError: id, status, currency, amount or created is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    return (
        object_id(obj),
        text_needed(obj, "status"),
        text(obj, "type"),
        text(obj, "method"),
        flag_or_false(obj, "automatic"),
        currency,
        money_needed(obj, "amount", currency),
        moment(obj, "arrival_date"),
        reference(obj, "destination"),
        reference(obj, "balance_transaction"),
        reference(obj, "failure_balance_transaction"),
        text(obj, "failure_code"),
        text(obj, "reconciliation_status"),
        reference(obj, "original_payout"),
        reference(obj, "reversed_by"),
        text(part(obj, "trace_id"), "value"),
        text(obj, "description"),
        moment_needed(obj, "created"),
    )


def transfer_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Transfer in the order of `TRANSFERS.columns`; `charge_id` is the charge whose money it passes on.

    Raises:
        MalformedObjectError: id, currency, amount or created is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    return (
        object_id(obj),
        currency,
        money_needed(obj, "amount", currency),
        money(obj, "amount_reversed", currency) or Decimal(0),
        flag_or_false(obj, "reversed"),
        reference(obj, "destination"),
        reference(obj, "destination_payment"),
        reference(obj, "source_transaction"),
        text(obj, "transfer_group"),
        reference(obj, "balance_transaction"),
        text(obj, "description"),
        metadata(obj, "user_id"),
        metadata(obj, "payment_id"),
        moment_needed(obj, "created"),
    )


def reversal_id(obj: Mapping[str, Any]) -> str:
    """``tr_…/trr_…``: Stripe can read a reversal only through its transfer.

    Raises:
        MalformedObjectError: either id is missing.
    """
    transfer = reference(obj, "transfer")
    if transfer is None:
        raise MalformedObjectError("transfer is missing.")
    return f"{transfer}/{object_id(obj)}"


def reversal_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A transfer reversal in the order of `TRANSFER_REVERSALS.columns`.

    Raises:
        MalformedObjectError: an id, currency, amount or a time is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    return (
        reversal_id(obj),
        object_id(obj),
        reference(obj, "transfer"),
        currency,
        money_needed(obj, "amount", currency),
        reference(obj, "balance_transaction"),
        reference(obj, "source_refund"),
        reference(obj, "destination_payment_refund"),
        moment_needed(obj, "created"),
        moment_needed(obj, TRANSFER_CREATED),
    )


def balance_transaction_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A balance transaction in the order of `BALANCE_TRANSACTIONS.columns`.

    Raises:
        MalformedObjectError: id, status, type, currency, an amount or created is missing, or a field is of another
            type.
    """
    currency = text_needed(obj, "currency")
    return (
        object_id(obj),
        text_needed(obj, "status"),
        text_needed(obj, "type"),
        text(obj, "reporting_category"),
        text(obj, "balance_type"),
        currency,
        money_needed(obj, "amount", currency),
        money_needed(obj, "fee", currency),
        money_needed(obj, "net", currency),
        _rate(obj, "exchange_rate"),
        reference(obj, "source"),
        text(obj, "description"),
        moment(obj, "available_on"),
        moment_needed(obj, "created"),
    )


def _rate(obj: Mapping[str, Any], name: str) -> Decimal | None:
    """A rate, not an amount: Stripe sends a JSON number of few digits, which its shortest text gives back exactly."""
    value = obj.get(name)
    if value is None:
        return None
    return exact(str(value) if isinstance(value, float) else value, name)

"""What an automatic Stripe payout paid out: its balance transactions, which Stripe lists only by payout. Pure.

Belongs here: the spec of payout items and the reading of one. Does not belong here: how they are listed
(stripe_payout_lists.py), payouts and balance transactions themselves (stripe_objects_balance.py). A balance
transaction does not say which payout it left with; the only source is GET /v1/balance_transactions?payout=…, which
exists for automatic payouts once Stripe has reconciled them (https://docs.stripe.com/payouts/reconciliation,
https://docs.stripe.com/api/balance_transactions/list).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_fields import (
    flag_or_false,
    moment_needed,
    money_needed,
    object_id,
    reference,
    text,
    text_needed,
)

PAYOUT_ITEMS = ResourceSpec(
    provider="stripe",
    name="payout_items",
    table="stripe_payout_items",
    description=(
        "Which balance transactions each automatic Stripe payout paid out, read once Stripe has reconciled the payout. "
        "Listed by payout, so windows select by when the payout was made; object_id is payout/balance transaction. "
        "The payout's own transaction is among them. Stripe tells no event about them."
    ),
    columns=(
        "object_id", "payout_id", "balance_transaction_id", "type", "source_id", "currency", "amount", "fee", "net",
        "created_at", "payout_created_at",
    ),
    status_column=None,
    created_column="payout_created_at",
)  # fmt: skip

# Not Stripe's: added where an item is read.
PAYOUT = "payout"
PAYOUT_CREATED = "payout_created"
_KEPT = ("id", "object", "type", "source", "currency", "amount", "fee", "net", "created", PAYOUT, PAYOUT_CREATED)


def item_id(obj: Mapping[str, Any]) -> str:
    """``po_…/txn_…``.

    Raises:
        MalformedObjectError: either id is missing.
    """
    payout = reference(obj, PAYOUT)
    if payout is None:
        raise MalformedObjectError("payout is missing.")
    return f"{payout}/{object_id(obj)}"


def item_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """One item in the order of `PAYOUT_ITEMS.columns`; amounts in major units of the payout's currency.

    Raises:
        MalformedObjectError: an id, type, currency, an amount or a time is missing, or a field is of another type.
    """
    currency = text_needed(obj, "currency")
    return (
        item_id(obj),
        reference(obj, PAYOUT),
        object_id(obj),
        text_needed(obj, "type"),
        reference(obj, "source"),
        currency,
        money_needed(obj, "amount", currency),
        money_needed(obj, "fee", currency),
        money_needed(obj, "net", currency),
        moment_needed(obj, "created"),
        moment_needed(obj, PAYOUT_CREATED),
    )


def kept(obj: dict[str, Any]) -> dict[str, Any]:
    """The balance transaction is stored whole elsewhere; here only what says how it adds up."""
    return {name: obj[name] for name in _KEPT if name in obj}


def is_listed(payout: Mapping[str, Any]) -> bool:
    """Whether Stripe lists what the payout paid out, and all of it: automatic, and reconciled where it says so."""
    return flag_or_false(payout, "automatic") and text(payout, "reconciliation_status") in {None, "completed"}


def with_payout(obj: Any, payout: Mapping[str, Any]) -> Any:
    """The balance transaction as an item of `payout`; what is no object stays as it is."""
    if isinstance(obj, dict):
        return {**obj, PAYOUT: payout["id"], PAYOUT_CREATED: payout.get("created")}
    return obj

"""OKX objects as rows: which resources there are, and which field fills which column.

Belongs here: pure reading of one object as OKX sent it (ccxt's unified form loses states). Does not belong here: HTTP,
paging, canonical states. Source: https://www.okx.com/docs-v5/en/#funding-account-rest-api-get-deposit-history
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.fields import ObjectFields

DEPOSITS = ResourceSpec(
    provider="okx",
    name="deposits",
    table="okx_deposits",
    description="Crypto deposits to the OKX account, each as last read. Only state 2 is final.",
    columns=(
        "object_id",
        "status",
        "currency",
        "chain",
        "amount",
        "address",
        "tag",
        "tx_id",
        "from_address",
        "created_at",
    ),
    # What is suspended, frozen or intercepted may still be released, and OKX adds states.
    final_statuses=frozenset({"2"}),
)
OKX_SPECS: tuple[ResourceSpec, ...] = (DEPOSITS,)


def deposit_fields(obj: object) -> ObjectFields:
    """The readable fields of a deposit. Raises MalformedObjectError: it has no depId."""
    return ObjectFields(obj, what="okx deposit", id_field="depId")


def deposit_row(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    """A deposit in the order of ``DEPOSITS.columns``; amount in whole coins; `status` is OKX's own number as text.

    Raises:
        MalformedObjectError: a needed field is missing or malformed; names it.
    """
    fields = deposit_fields(obj)
    return (
        fields.id,
        fields.text("state"),
        fields.text("ccy"),
        fields.text_or_none("chain"),
        fields.amount("amt"),
        fields.text_or_none("to"),
        # Which name a coin's memo goes by differs: tag (XRP), pmtId (Monero), memo (TON).
        fields.text_or_none("tag", "pmtId", "memo"),
        fields.text_or_none("txId"),
        # Both are there only where the money came from another account of the exchange: who sent it, or its withdrawal.
        fields.text_or_none("from", "fromWdId"),
        fields.moment("ts"),
    )

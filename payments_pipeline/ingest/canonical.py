"""The canonical layer: raw snapshots of all providers as rows of recon.provider_transactions.

Belongs here: which statement runs when. Does not belong here: the rules, which stand in sql/canonical/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.db.sql import named

# In this order: refunds take their link from the payment they return.
SOURCES: tuple[tuple[str, str], ...] = (
    ("stripe", "stripe_payment_intents"),
    ("stripe", "stripe_refunds"),
    ("nowpayments", "nowpayments_payments"),
    ("okx", "okx_deposits"),
)
TIDY_FROM = 1_000
"""Rows written from which on the table is vacuumed at once instead of waiting for the server to do so."""


@dataclass(frozen=True, slots=True)
class CanonicalResult:
    """What a refresh wrote: rows inserted or changed, in all and by provider."""

    as_of: datetime
    rows_written: int
    by_provider: Mapping[str, int]


def refresh_provider_transactions(engine: Engine, as_of: datetime) -> CanonicalResult:
    """Bring recon.provider_transactions in line with the raw tables, the state map and the application's links.

    One transaction; writes only rows that differ, so a repeated refresh writes none. Two at once: one waits.

    Args:
        as_of: the moment the run reconciles for, UTC; kept in the result. The rows depend on the snapshots alone.
    """
    written: Counter[str] = Counter()
    with engine.begin() as connection:
        connection.execute(named("canonical/lock.sql"))
        for provider, table in SOURCES:
            written[provider] += connection.execute(named(f"canonical/provider_transactions_{table}.sql")).rowcount
    if written.total() >= TIDY_FROM:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(named("canonical/tidy.sql"))
    return CanonicalResult(as_of, written.total(), dict(written))

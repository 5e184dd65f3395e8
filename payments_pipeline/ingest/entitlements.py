"""The entitlements: what each user should have by the money, as rows of recon.entitlements.

Belongs here: which statement runs when. Does not belong here: the rules, which stand in sql/canonical/entitlements.sql
and in the view below it. Reports do not read this table: they judge payments as they are, so that a table that is an
hour old neither makes nor hides an anomaly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from payments_pipeline.db.sql import named

TOLERANCE = Decimal("0.02")
"""By how much a crypto payment may be short; the default of the reports' parameter of that name."""


@dataclass(frozen=True, slots=True)
class EntitlementResult:
    """What a refresh did: rows inserted or changed, rows removed because nothing runs any more."""

    as_of: datetime
    rows_written: int
    rows_removed: int


def refresh_entitlements(engine: Engine, as_of: datetime, users: Sequence[Any] | None = None) -> EntitlementResult:
    """Bring recon.entitlements in line with payments, providers and subscription events at `as_of` (UTC).

    One transaction; writes only rows that differ, so a repeated refresh writes none. Two at once: one waits.

    Args:
        users: only these, by the application's own ids and in their type (int, UUID, str); the cost follows their
            number. None: everybody. Rows of others keep their `judged_at`, and lapse by their `entitled_until`.
    """
    scope = "all" if users is None else "some"
    chosen = {} if users is None else {"users": list(users)}
    named_so = {} if users is None else {"user_refs": [str(user) for user in users]}
    with engine.begin() as connection:
        connection.execute(named("canonical/entitlements_lock.sql"))
        connection.execute(named(f"canonical/entitlements_scope_{scope}.sql"), {"as_of": as_of, **chosen})
        connection.execute(named("canonical/entitlements_scope_analyze.sql"))
        connection.execute(named("canonical/entitlements_verdicts.sql"), {"tolerance": TOLERANCE})
        connection.execute(named("canonical/entitlements_verdicts_analyze.sql"))
        connection.execute(named("canonical/entitlements.sql"), {"as_of": as_of})
        removed = connection.execute(named(f"canonical/entitlements_prune_{scope}.sql"), named_so).rowcount
        written = connection.execute(named("canonical/entitlements_merge.sql")).rowcount
    return EntitlementResult(as_of, written, removed)

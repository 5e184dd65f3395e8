"""Gaps in coverage: times of which nobody can say what was created in them.

Belongs here: asking the certificates. Does not belong here: filling gaps (backfill.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.base import Window

EVER = datetime(1, 1, 1, tzinfo=UTC)


def gaps(
    connection: Connection,
    provider: str,
    account: str,
    resource: str,
    window: Window,
    *,
    since: datetime = EVER,
) -> list[Window]:
    """Creation times within `window` that no complete certificate covers, oldest first; empty: all was read.

    Re-reads of single objects cover nothing, nor does a list speak of what was created after it began.

    Args:
        provider, account: as in `Account`, e.g. ``stripe``, ``acct_…``.
        since: count only fetches that began at or after this moment.
    """
    if window.start >= window.end:
        return []
    rows = connection.execute(
        named("ingest/gaps.sql"),
        {
            "provider": provider,
            "account": account,
            "resource": resource,
            "window_from": window.start,
            "window_to": window.end,
            "since": since,
        },
    )
    return [Window(row.starts, row.ends) for row in rows]

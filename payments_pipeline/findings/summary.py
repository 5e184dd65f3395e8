"""The daily summary: what opened and closed, how old the open is, what is at risk, what was read, how long it took.

Belongs here: gathering the figures and queueing one notification. Does not belong here: when it is due (the nightly job
calls it at its end), how it looks (notify/).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import latest

DAY = timedelta(days=1)


def queue_daily_summary(
    engine: Engine, *, as_of: datetime, ui_url: str, run_id: str | None = None, since: datetime | None = None
) -> bool:
    """Queue the summary of the time since the last one, or of a day; at most one for each `as_of`.

    Args:
        as_of: up to when, UTC and aware; the nightly run's.
        since: from when; None: the last summary's end, or a day before.

    Returns:
        False when the summary as of this time was queued before.
    """
    with engine.begin() as connection:
        begin = since or connection.execute(named("findings/summary_last.sql"), {"as_of": as_of}).scalar()
        body = summary(connection, since=begin or as_of - DAY, as_of=as_of)
        frame = {"report_url": f"{ui_url.rstrip('/')}/assets/findings", "run_id": run_id}
        queued = connection.execute(
            named("findings/summary_queue.sql"),
            {"body": orjson.dumps(body | frame, default=str).decode(), "as_of": as_of},
        ).rowcount
        return bool(queued)


def summary(connection: Connection, *, since: datetime, as_of: datetime) -> dict[str, Any]:
    """The figures, as the body of a notification."""
    window = {"since": since, "as_of": as_of}

    def counts(name: str) -> dict[str, int]:
        return {row[0]: row[1] for row in connection.execute(named(f"findings/summary_{name}.sql"), window)}

    opened, closed, ages = counts("opened"), counts("closed"), counts("ages")
    coverage = [f"{one.provider} {one.resource}: {one.error}" for one in latest(connection) if not one.complete]
    read = len(latest(connection))
    end = connection.execute(named("findings/summary_trail.sql")).one_or_none()
    return {
        "title": f"Daily summary: {sum(opened.values())} opened, {sum(closed.values())} closed, "
        f"{sum(ages.values())} open",
        "why": f"From {since:%Y-%m-%d %H:%M} to {as_of:%Y-%m-%d %H:%M} UTC.",
        "as_of": as_of.isoformat(),
        "opened": opened,
        "closed": closed,
        "open_by_age": ages,
        "open_by_report": counts("reports"),
        "amount_at_risk": _texts(connection, "amounts", window),
        "coverage": f"{read - len(coverage)} of {read} resources were read in full",
        "not_read_in_full": coverage,
        "durations": _texts(connection, "durations", window),
        "audit_trail": "empty" if end is None else f"{end.audit_id} rows, head {end.hash}",
    }


def _texts(connection: Connection, name: str, window: Mapping[str, Any]) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(named(f"findings/summary_{name}.sql"), window)}

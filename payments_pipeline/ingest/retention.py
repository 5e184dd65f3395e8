"""Retention of the provider's own words: bodies in recon.raw_json that were read too long ago are dropped.

Belongs here: walking the table in bounded steps. Does not belong here: when that happens, and how long bodies are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.db.sql import named

STRETCH = 2_000
"""Pages of the server (16 MB) that one transaction looks at: it ends within a second and locks few rows for long."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a run did, or would do: bodies dropped, and whether it came to the table's end."""

    bodies: int
    finished: bool


def forget_bodies(engine: Engine, *, before: datetime, most: int, dry_run: bool) -> Forgotten:
    """Drop bodies of objects whose stored state was read before `before`; their rows stay as they are.

    The table is read once from its beginning to its end, in order, a stretch a transaction, so the cost is that of one
    pass whatever is dropped. A body that is rewritten meanwhile was read just now, and is kept.

    Args:
        before: UTC and aware.
        most: no further stretch is begun once so many were dropped; the next run goes on.
        dry_run: count only.
    """
    statement = named("ingest/raw_json_old.sql" if dry_run else "ingest/raw_json_forget.sql")
    with engine.connect() as connection:
        pages = connection.execute(named("ingest/raw_json_pages.sql")).scalar_one()
    bodies = 0
    for first in range(0, pages, STRETCH):
        if bodies >= most:
            return Forgotten(bodies, False)
        with engine.begin() as connection:
            found = connection.execute(statement, {"first_page": first, "end_page": first + STRETCH, "before": before})
            bodies += found.scalar_one() if dry_run else found.rowcount
    return Forgotten(bodies, True)

"""Drops what nobody needs any more from our own tables: old notifications and old lines of history.

Belongs here: what may go. Does not belong here: providers' JSON (ingest/retention.py), Dagster's runs
(house_keeping_jobs.py), or anything that proves something: findings, coverage, actions and the audit trail stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.db.sql import named

TABLES = ("notifications", "report_runs")


def forget_history(engine: Engine, *, before: datetime, dry_run: bool) -> Mapping[str, int]:
    """Drop what ended before `before` (aware, UTC); a dry run only counts.

    Returns:
        table -> rows that were, or would be, dropped.
    """
    step = "old" if dry_run else "drop"
    found = {}
    for table in TABLES:
        with engine.begin() as connection:
            done = connection.execute(named(f"house_keeping/{step}_{table}.sql"), {"before": before})
            found[table] = int(done.scalar_one()) if dry_run else done.rowcount
    return found

"""The watchdog's looks for people at a terminal, and for who calls from outside: cron, a timer, a monitoring system.

Belongs here: opening Dagster's storage, a table or JSON, the exit code. Does not belong here: the looks (`watchdog/`).
Nothing is written: neither findings nor messages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.dev import dagster_environment
from payments_pipeline.errors import TransientError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.reconcile import quiet_dagster
from payments_pipeline.reports import load_reports
from payments_pipeline.screen import screen
from payments_pipeline.sensors import all_sensors, intervals
from payments_pipeline.watchdog import Look, Sight, looks


def show_health(settings: Settings, *, now: datetime, json: Path | None) -> int:
    """Look at everything; returns 1 when something is amiss, 0 when all is well.

    Raises:
        TransientError: the database, or Dagster's storage, can't be reached.
    """
    try:
        with sighted(settings, now) as sight:
            found = looks(sight)
    except SQLAlchemyError as error:
        raise TransientError(
            f"The database can't be asked: {type(error).__name__}.",
            where="DATABASE_URL, DAGSTER_POSTGRES_URL",
            remedy="Start it; then ask again.",
        ) from error
    amiss = any(one.amiss for one in found)
    write_json(json, {"healthy": not amiss, "looks": [_plain(one) for one in found]})
    if for_people(json):
        _table(found)
    return 1 if amiss else 0


@contextmanager
def sighted(settings: Settings, now: datetime) -> Iterator[Sight]:
    """Dagster's storage as the daemon uses it, and the rest that the watchdog's looks need."""
    os.environ.update(dagster_environment(settings))
    with quiet_dagster(), dg.DagsterInstance.get() as instance:
        yield Sight(get_engine(settings), instance, settings, now, intervals(all_sensors(load_reports())))


def _plain(one: Look) -> dict[str, Any]:
    return {
        "look": one.name,
        "amiss": [{"key": key, "severity": what.severity, **what.evidence} for key, what in sorted(one.amiss.items())],
    }


def _table(found: list[Look]) -> None:
    table = Table(title="Health", title_justify="left")
    for column in ("look", "severity", "state"):
        table.add_column(column)
    for one in found:
        if not one.amiss:
            table.add_row(one.name, "", "well", style="green")
        for key, what in sorted(one.amiss.items()):
            table.add_row(
                one.name, what.severity, escape(f"{key}: {what.evidence.get('reason', 'amiss')}"), style="red"
            )
    screen().print(table)

"""The watchdog's looks for people at a terminal, and for who calls from outside: cron, a timer, a monitoring system.

Belongs here: opening Dagster's storage, a table or JSON, the exit code. Does not belong here: the looks (`watchdog/`).
Nothing is written: neither findings nor messages.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.dev import dagster_environment
from payments_pipeline.errors import TransientError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.reconcile import quiet_dagster
from payments_pipeline.reports import load_reports
from payments_pipeline.screen import Table, screen
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
        _show(found)
    return 1 if amiss else 0


@contextmanager
def sighted(settings: Settings, now: datetime) -> Iterator[Sight]:
    """Dagster's storage as the daemon uses it, and the rest that the watchdog's looks need."""
    os.environ.update(dagster_environment(settings))
    with quiet_dagster(), dg.DagsterInstance.get() as instance:
        yield Sight(get_engine(settings), instance, settings, now, intervals(all_sensors(load_reports())))


def _plain(one: Look) -> dict[str, Any]:
    amiss = [{"key": key, "severity": what.severity, **what.evidence} for key, what in sorted(one.amiss.items())]
    return {"look": one.name, "amiss": amiss, "what_to_do": one.what_to_do if amiss else ""}


def _show(found: list[Look]) -> None:
    """A line a look, more where different things are amiss; then what to do about each."""
    table = Table(title="Health", title_justify="left")
    for column in ("look", "severity", "state"):
        table.add_column(column)
    for one in found:
        if not one.amiss:
            table.add_row(one.name, "", "well", style="green")
        for severity, state in _states(one):
            table.add_row(one.name, severity, escape(state), style="red")
    console = screen(soft_wrap=True, highlight=False)
    console.print(table)
    for one in found:
        if one.amiss:
            console.print(f"{one.name}: What to do: {one.what_to_do}", markup=False)


def _states(one: Look) -> Iterator[tuple[str, str]]:
    """Severity and words; keys of which the same is said stand together: a dead daemon is one trouble, not seven."""
    alike: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for key, what in sorted(one.amiss.items()):
        reason = str(what.evidence.get("reason", "amiss"))
        alike[what.severity, reason.replace(key, "...")].append((key, reason))
    for (severity, shared), members in alike.items():
        said = members[0][1] if len(members) == 1 else shared
        yield severity, f"{', '.join(key for key, _ in members)}: {said}"

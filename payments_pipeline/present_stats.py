"""Statistics at a terminal. Belongs here: laying them out. Does not belong here: computing them (stats.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.markup import escape

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import require_current
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.screen import Table, screen, span
from payments_pipeline.stats import STATS, compute, statistic

SHOWN = 15
SECONDS = "_seconds"
"""How columns end that are durations: people are told those in hours and days, machines in seconds."""


def show_stats(settings: Settings, names: Sequence[str], *, as_of: datetime, days: int, json: Path | None) -> None:
    """The named statistics, or all, over the last `days`.

    Raises:
        ConfigurationError: there is no such statistic.
    """
    stats, console, told = [statistic(name) for name in names] or list(STATS.values()), screen(), {}
    with get_engine(settings).connect() as connection:
        require_current(connection)
        for stat in stats:
            rows = compute(connection, stat, as_of=as_of, days=days)
            told[stat.name] = rows
            if not for_people(json):
                continue
            if not rows:
                console.print(f"{stat.title}: nothing in the last {days} days.")
                continue
            table = Table(title=f"{stat.title}, last {days} days", title_justify="left")
            for column, value in rows[0].items():
                name = column.removesuffix(SECONDS).replace("_", " ")
                table.add_column(name, justify="right" if _is_number(value) else "left")
            for row in rows[:SHOWN]:
                table.add_row(*(escape(_cell(column, value)) for column, value in row.items()))
            console.print(table)
            if len(rows) > SHOWN:
                console.print(f"and {len(rows) - SHOWN} more rows; --json has them all.")
    write_json(json, {"as_of": as_of, "days": days, "stats": told})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal)


def _cell(column: str, value: Any) -> str:
    if column.endswith(SECONDS) and _is_number(value):
        return span(float(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)

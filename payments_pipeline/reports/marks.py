"""Marks: as of when each report's table is, by which rules, and up to which transaction of the database.

Belongs here: reading and writing recon.report_marks. Does not belong here: what follows from a mark (intraday.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.reports.front_matter import AS_OF, Report

# A mark that is older than the newest by so much holds nothing back: its report gets a full run.
KEPT_DAYS = 2


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of the database: every transaction before `changed_from` is over; rules are all but the report's own."""

    changed_from: str
    cluster: str
    rules: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a report's table shows: the anomalies at `as_of`, of all that was committed before `changed_from`."""

    as_of: datetime
    changed_from: str
    rules: str


def moment(connection: Connection) -> Moment:
    """Now. To be asked before the report's query runs, so that a mark never claims too much."""
    return Moment(**connection.execute(named("reports/run/mark_now.sql")).mappings().one())


def marks(connection: Connection, now: Moment) -> dict[str, Mark]:
    """By report: those of this cluster whose table is there."""
    rows = connection.execute(named("reports/run/marks.sql"), {"cluster": now.cluster})
    return {row.report: Mark(row.as_of, row.changed_from, row.rules) for row in rows}


def rules(report: Report, params: Mapping[str, Any], now: Moment) -> str:
    """A digest of all that decides besides rows and time."""
    own = sorted((name, str(value)) for name, value in params.items() if name != AS_OF)
    parts = (report.sql, report.key, report.severity, own, now.rules)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def leave(connection: Connection, report: Report, params: Mapping[str, Any], now: Moment) -> None:
    """Say what the report's table shows from this transaction on; forget what everybody has seen."""
    values = {
        "report": report.name, "as_of": params[AS_OF], "changed_from": now.changed_from, "cluster": now.cluster,
        "rules": rules(report, params, now),
    }  # fmt: skip
    connection.execute(named("reports/run/mark.sql"), values)


def forget(connection: Connection) -> None:
    """Drop notes about changes that every report has seen."""
    connection.execute(named("reports/touched/forget.sql"), {"days": KEPT_DAYS})

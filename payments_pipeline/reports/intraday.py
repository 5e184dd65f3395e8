"""Brings report tables up to date between two nights: the whole of a fast query, or only what was touched since.

Belongs here: how a report's table is brought from one moment to the next in place. Does not belong here: what was
touched (touched.py), the table's making (materialise.py), or any report's rule (its .sql file). A run that can't build
on the last one (no mark, other rules, an earlier moment, too long ago, too much changed) makes the table anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import sql as pg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ReportError, TransientError
from payments_pipeline.reports.front_matter import AS_OF, Report
from payments_pipeline.reports.marks import Mark, Moment, forget, leave, marks, moment, rules
from payments_pipeline.reports.materialise import (
    SCHEMA,
    ReportResult,
    bound_params,
    bound_query,
    lock,
    materialise,
    query_columns,
    read_result,
    record,
    select_rows,
    translated,
)
from payments_pipeline.reports.scope import inside, scoped
from payments_pipeline.reports.touched import Touched, collect

# What ends or ripens with time is looked for between two refreshes; over so long a time the full query is cheaper.
LONGEST = timedelta(hours=12)
UNITS = {
    "grace_seconds": timedelta(seconds=1),
    "grace_minutes": timedelta(minutes=1),
    "grace_hours": timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class IntradayResult:
    """One report's refresh.

    Attributes:
        result: its table now; None where it failed.
        how: touched: what changed; full: the whole query, in place; anew: the table was made anew.
        changed: rows of the table that were added, or taken away.
        error: why it failed; its table and mark are as they were.
    """

    name: str
    result: ReportResult | None
    how: Literal["touched", "full", "anew"]
    changed: int
    error: ReportError | TransientError | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    report: Report
    params: Mapping[str, Any]


def refresh_intraday(
    engine: Engine,
    reports: Iterable[Report],
    *,
    as_of: datetime,
    overrides: Mapping[str, Mapping[str, Any]],
    run_id: str | None,
) -> list[IntradayResult]:
    """Bring the tables of these reports to `as_of`, each all or nothing; those that are nightly are left alone.

    The table of a `touched` report ends as a full run would leave it, but for columns that count time (say, seconds
    since something): in rows that nothing touched they stay as they were. Readers never wait. Of two runs at once one
    waits; the outcome is that of one after the other.

    Args:
        as_of: the moment reported on, UTC and aware; before that of the last run: a full run.
        overrides: by report, values for its params, e.g. ``Settings.report_params``.

    Raises:
        ReportError: an override makes no sense.
    """
    tasks = [
        _Task(report, bound_params(report, overrides.get(report.name, {})) | {AS_OF: as_of})
        for report in sorted(reports, key=lambda report: report.name)
        if report.intraday != "nightly"
    ]
    limited = [task for task in tasks if task.report.scope]
    done = _touched(engine, limited, run_id)
    for task in tasks:
        if task.report.name not in done:
            done[task.report.name] = _whole(engine, task, overrides.get(task.report.name, {}), run_id)
    return [done[task.report.name] for task in tasks]


def _touched(engine: Engine, tasks: Sequence[_Task], run_id: str | None) -> dict[str, IntradayResult]:
    """Refresh what can be refreshed by what was touched, from one look at that. Reports left out need a full run."""
    done: dict[str, IntradayResult] = {}
    with engine.begin() as connection:
        for task in tasks:
            lock(connection, task.report)
        now = moment(connection)
        known = marks(connection, now)
        ready = [task for task in tasks if _builds_on(known.get(task.report.name), task, now)]
        if not ready or _collect(connection, ready, known) is None:
            return {}
        for task in ready:
            began = time.perf_counter()
            try:
                with connection.begin_nested():
                    done[task.report.name] = _in_place(connection, task, now, began, run_id)
            except DBAPIError as error:
                done[task.report.name] = IntradayResult(
                    task.report.name, None, "touched", 0, translated(error, task.report)
                )
        forget(connection)
    return done


def _whole(engine: Engine, task: _Task, overrides: Mapping[str, Any], run_id: str | None) -> IntradayResult:
    """Run the whole query: into the table as it stands, or into a new one."""
    began = time.perf_counter()
    report, as_of = task.report, task.params[AS_OF]
    try:
        if report.scope is None:
            with engine.begin() as connection:
                lock(connection, report)
                now = moment(connection)
                mark = marks(connection, now).get(report.name)
                if mark is not None and mark.rules == rules(report, task.params, now):
                    return _in_place(connection, task, now, began, run_id)
        made = materialise(engine, report, as_of=as_of, overrides=overrides, run_id=run_id)
    except DBAPIError as error:
        return IntradayResult(report.name, None, "full", 0, translated(error, report))
    except (ReportError, TransientError) as error:
        return IntradayResult(report.name, None, "anew", 0, error)
    return IntradayResult(report.name, made, "anew", made.rows)


def _builds_on(mark: Mark | None, task: _Task, now: Moment) -> bool:
    if mark is None or mark.rules != rules(task.report, task.params, now):
        return False
    passed: timedelta = task.params[AS_OF] - mark.as_of
    return timedelta(0) <= passed <= LONGEST


def _collect(connection: Connection, tasks: Sequence[_Task], known: Mapping[str, Mark]) -> Touched | None:
    stood = [known[task.report.name] for task in tasks]
    return collect(
        connection,
        changed_from=min((mark.changed_from for mark in stood), key=int),
        last=min(mark.as_of for mark in stood),
        as_of=tasks[0].params[AS_OF],
        grace=max((_grace(task.params) for task in tasks), default=timedelta(0)),
        days=_days(tasks),
        object_days=_days([task for task in tasks if task.report.scope and task.report.scope.by == "transaction"]),
    )


def _days(tasks: Sequence[_Task]) -> set[int]:
    return {int(value) for task in tasks for name, value in task.params.items() if name.endswith("_days")}


def _grace(params: Mapping[str, Any]) -> timedelta:
    """For how long the report keeps silent about something new."""
    return max((float(params[name]) * unit for name, unit in UNITS.items() if name in params), default=timedelta(0))


def _in_place(connection: Connection, task: _Task, now: Moment, began: float, run_id: str | None) -> IntradayResult:
    """Add and take away the rows that differ; leaves a mark, and a line of history where something changed."""
    report, scope = task.report, task.report.scope
    columns = list(connection.execute(named("reports/run/columns.sql"), {"report": report.name}).scalars())
    own = query_columns(connection, report, task.params)
    before, after = _merge(report, own, columns)
    query = scoped(report.sql, scope) if scope else report.sql
    counts = connection.execute(bound_query(report, before, after, query), task.params).one()
    result = read_result(connection, report, columns, began)
    leave(connection, report, task.params, now)
    changed = int(counts.added + counts.gone)
    if changed:
        record(connection, result, task.params[AS_OF], run_id)
    return IntradayResult(report.name, result, "touched" if scope else "full", changed)


def _merge(report: Report, own: Sequence[str], columns: Sequence[str]) -> tuple[str, str]:
    """The statement around the report's query. Rows are compared as text, which every type has.

    Args:
        own: columns of the query.
        columns: columns of the table.
    """
    scope = report.scope
    before = pg.SQL("WITH fresh AS MATERIALIZED (") + select_rows(report, own) + pg.SQL("\n")
    after = pg.SQL(
        "\n) AS report_rows),"
        " wanted AS MATERIALIZED (SELECT f.*, CAST(f AS text) AS row_text FROM fresh AS f{fresh_inside}),"
        " stood AS MATERIALIZED (SELECT t.ctid AS place, CAST(t AS text) AS row_text FROM {table} AS t{table_inside}),"
        " gone AS (DELETE FROM {table} AS t USING stood AS s WHERE t.ctid = s.place"
        " AND NOT EXISTS (SELECT 1 FROM wanted AS w WHERE w.row_text = s.row_text) RETURNING 1),"
        " added AS (INSERT INTO {table} ({columns}) SELECT {columns} FROM wanted AS w"
        " WHERE NOT EXISTS (SELECT 1 FROM stood AS s WHERE s.row_text = w.row_text) RETURNING 1)"
        " SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM added) AS added"
    ).format(
        table=pg.Identifier(SCHEMA, report.name),
        columns=pg.SQL(", ").join(pg.Identifier(column) for column in columns),
        fresh_inside=pg.SQL(f" WHERE {inside('f', scope.by)}" if scope else ""),
        table_inside=pg.SQL(f" WHERE {inside('t', scope.by)}" if scope else ""),
    )
    return before.as_string(), after.as_string()

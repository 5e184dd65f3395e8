"""Runs a report into its table, `reports.<name>`, all or nothing, and keeps a line of history about the run.

Belongs here: the table's making, its totals and its preview. Does not belong here: what the rows lead to (findings/).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from psycopg import sql as pg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from payments_pipeline.core.states import Severity
from payments_pipeline.db.sql import named
from payments_pipeline.errors import ReportError, TransientError
from payments_pipeline.reports.front_matter import ADDED_COLUMNS, AS_OF, Param, Report, check_columns
from payments_pipeline.reports.marks import forget, leave, moment

PREVIEW_ROWS = 20
SCHEMA = "reports"


@dataclass(frozen=True)
class ReportResult:
    """One run of one report.

    Attributes:
        by_severity: severity -> rows; only severities that occur.
        amount_at_risk: currency -> sum of column amount, major units; empty for reports without amounts.
        seconds: duration of the run.
        preview: the first rows, the gravest first, as column -> value.
    """

    name: str
    rows: int
    by_severity: dict[str, int]
    amount_at_risk: dict[str, Decimal]
    seconds: float
    preview: list[dict[str, Any]]


def materialise(
    engine: Engine,
    report: Report,
    *,
    as_of: datetime,
    overrides: Mapping[str, Any],
    run_id: str | None,
) -> ReportResult:
    """Replace `reports.<name>` with the anomalies at `as_of`.

    Readers see the previous table until the new one is complete; it also stays when the query fails. Of two runs at
    once the second waits for the first.

    Args:
        as_of: the moment reported on, UTC and aware.
        overrides: values for the report's params, e.g. ``Settings.report_params[report.name]``.

    Raises:
        ReportError: the query fails (with PostgreSQL's message), or an override or a severity makes no sense.
        TransientError: the connection broke, or the query was cancelled; the same call may succeed later.
    """
    began = time.perf_counter()
    params = bound_params(report, overrides) | {AS_OF: as_of}
    try:
        with engine.begin() as connection:
            lock(connection, report)
            now = moment(connection)
            columns = _replace_table(connection, report, params)
            result = read_result(connection, report, columns, began)
            leave(connection, report, params, now)
            forget(connection)
            record(connection, result, as_of, run_id)
    except DBAPIError as error:
        raise translated(error, report) from error
    return result


def lock(connection: Connection, report: Report) -> None:
    """Wait for whoever is writing the report's table; until the transaction ends."""
    connection.execute(named("reports/run/lock.sql"), {"report": report.name})


def record(connection: Connection, result: ReportResult, as_of: datetime, run_id: str | None) -> None:
    """Add a line to the history of runs."""
    at_risk = {currency: f"{amount:f}" for currency, amount in result.amount_at_risk.items()}
    connection.execute(
        named("reports/run/record.sql"),
        {
            "report": result.name,
            "as_of": as_of,
            "rows": result.rows,
            "by_severity": orjson.dumps(result.by_severity).decode(),
            "amount_at_risk": orjson.dumps(at_risk).decode(),
            "seconds": Decimal(str(round(result.seconds, 3))),
            "run_id": run_id,
        },
    )


def bound_params(report: Report, overrides: Mapping[str, Any]) -> dict[str, Param | Decimal]:
    """The report's parameters with overrides; fractions become exact `Decimal`.

    Raises:
        ReportError: an override names no parameter, or is of another type than the default.
    """
    unknown = sorted(overrides.keys() - report.params.keys())
    if unknown:
        raise ReportError(
            f"Report {report.name} has no parameter {', '.join(unknown)}.",
            where="REPORT_PARAMS",
            remedy=f"Its parameters: {', '.join(report.params) or 'none'}.",
        )
    values = {**report.params, **overrides}
    for name, default in report.params.items():
        if _sort(values[name]) != _sort(default):
            raise ReportError(
                f"Parameter {name} of report {report.name} must be a {_sort(default)}, not {values[name]!r}.",
                where="REPORT_PARAMS",
                remedy=f"The default is {default!r}.",
            )
    return {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in values.items()}


def _sort(value: object) -> str:
    if isinstance(value, bool):
        return "truth value"
    return "number" if isinstance(value, int | float | Decimal) else type(value).__name__


def _replace_table(connection: Connection, report: Report, params: Mapping[str, Any]) -> list[str]:
    """Build the new table beside the old one and put it in its place; returns its columns."""
    own = query_columns(connection, report, params)
    create = pg.SQL("CREATE TABLE {} AS ").format(pg.Identifier(SCHEMA, f"{report.name}__next"))
    before = (create + select_rows(report, own)).as_string()
    connection.execute(bound_query(report, before + "\n", "\n) AS report_rows"), params)
    table, fresh = pg.Identifier(SCHEMA, report.name), pg.Identifier(SCHEMA, f"{report.name}__next")
    for step in (
        pg.SQL("DROP TABLE IF EXISTS {}").format(table),
        pg.SQL("ALTER TABLE {} RENAME TO {}").format(fresh, pg.Identifier(report.name)),
        pg.SQL("ANALYZE {}").format(table),
    ):
        connection.exec_driver_sql(step.as_string())
    return [*ADDED_COLUMNS, *(column for column in own if column not in ADDED_COLUMNS)]


def select_rows(report: Report, own: Sequence[str]) -> pg.Composed:
    """What makes rows of the report's table from those of its query, up to the parenthesis that the query follows.

    Args:
        own: columns of the query. A colon in a name of ours can't occur: names are checked.
    """
    return pg.SQL(
        "SELECT md5(concat_ws(chr(31), {key})) AS fingerprint,"
        " coalesce(CAST({severity} AS text), {default}) AS severity{columns} FROM ("
    ).format(
        key=pg.SQL(", ").join(
            pg.SQL("coalesce(CAST({} AS text), chr(30))").format(pg.Identifier(column)) for column in report.key
        ),
        severity=pg.Identifier("severity") if "severity" in own else pg.Literal(None),
        default=pg.Literal(report.severity.value),
        columns=pg.SQL("").join(
            pg.SQL(", {}").format(pg.Identifier(column)) for column in own if column not in ADDED_COLUMNS
        ),
    )


def query_columns(connection: Connection, report: Report, params: Mapping[str, Any]) -> list[str]:
    """Columns that the report's query gives; by the database's word where the text leaves them open.

    Raises:
        ReportError: they are not what the front matter speaks of.
    """
    if report.selects and all(column == column.lower() for column in report.selects):
        return list(report.selects)  # checked when the file was read; asking would plan the query once more
    probe = connection.execute(bound_query(report, "SELECT * FROM (\n", "\n) AS report_rows LIMIT 0"), params)
    own = list(probe.keys())
    try:
        check_columns(report.key, report.columns, tuple(own))
    except ValueError as error:
        raise ReportError(f"Report {report.path.name} can't be used: {error}.", where=str(report.path)) from None
    return own


def bound_query(report: Report, before: str, after: str, query: str | None = None) -> Any:
    """The report's query between two pieces of SQL of ours, ready to be executed with its parameters.

    Args:
        query: the report's own, limited; None: whole.

    Raises:
        ReportError: something in its comments or texts reads like a parameter that nobody declared.
    """
    statement = text(before + (query or report.sql) + after)
    strange = sorted(statement.compile().params.keys() - report.params.keys() - {AS_OF})
    if strange:
        raise ReportError(
            f"Report {report.path.name} can't be used: :{strange[0]} stands in a comment or text, like a parameter.",
            where=str(report.path),
            remedy=f"Put a space after the colon, or write \\:{strange[0]}.",
        )
    return statement


def read_result(connection: Connection, report: Report, columns: Sequence[str], began: float) -> ReportResult:
    """What the report's table holds now: totals and preview.

    Raises:
        ReportError: a severity is none of ours.
    """
    table = pg.Identifier(SCHEMA, report.name)
    by_severity, at_risk = stored_totals(connection, report.name, columns)
    strange = sorted(by_severity.keys() - set(Severity))
    if strange:
        raise ReportError(
            f"Report {report.path.name} gives severity {strange[0]!r}.",
            where=str(report.path),
            remedy=f"Use one of {', '.join(Severity)}.",
        )
    first = pg.SQL(
        "SELECT * FROM {} ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'], severity), fingerprint"
        " LIMIT {}"
    ).format(table, pg.Literal(PREVIEW_ROWS))
    preview = [dict(row._mapping) for row in connection.exec_driver_sql(first.as_string())]
    return ReportResult(
        name=report.name,
        rows=sum(by_severity.values()),
        by_severity=by_severity,
        amount_at_risk=at_risk,
        seconds=time.perf_counter() - began,
        preview=preview,
    )


def stored_totals(
    connection: Connection, name: str, columns: Sequence[str]
) -> tuple[dict[str, int], dict[str, Decimal]]:
    """Rows by severity, the gravest first, and amounts at risk by currency of what `reports.<name>` holds.

    Args:
        columns: of that table.
    """
    table = pg.Identifier(SCHEMA, name)
    severities = pg.SQL("SELECT severity, count(*) FROM {} GROUP BY severity").format(table).as_string()
    counted = {str(row[0]): int(row[1]) for row in connection.exec_driver_sql(severities)}
    known = [level.value for level in reversed(Severity) if level in counted]
    by_severity = {level: counted[level] for level in [*known, *sorted(counted.keys() - set(known))]}
    if not {"amount", "currency"} <= set(columns):
        return by_severity, {}
    sums = pg.SQL(
        "SELECT currency, CAST(sum(amount) AS numeric) FROM {}"
        " WHERE amount IS NOT NULL AND currency IS NOT NULL GROUP BY currency ORDER BY currency"
    ).format(table)
    return by_severity, {str(row[0]): row[1] for row in connection.exec_driver_sql(sums.as_string())}


def translated(error: DBAPIError, report: Report) -> ReportError | TransientError:
    """What PostgreSQL said of the report's query, as an error of ours."""
    diagnosis = getattr(error.orig, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error.orig).splitlines()[0]
    hint = getattr(diagnosis, "message_hint", None)
    if isinstance(error, OperationalError | InterfaceError):
        return TransientError(
            f"Report {report.path.name} was interrupted: {message}.", where=str(report.path), remedy="Run it again."
        )
    return ReportError(
        f"Report {report.path.name} failed in PostgreSQL: {message}.",
        where=str(report.path),
        remedy=f"Correct the query; the previous table stays.{f' Hint: {hint}' if hint else ''}",
    )

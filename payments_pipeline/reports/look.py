"""Looks at a report as of a time, and leaves no trace: no table, no history, no finding.

Belongs here: running the query for a person who asks. Does not belong here: making the report's table (materialise.py),
or writing the rows to files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql as pg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from payments_pipeline.reports.front_matter import AS_OF, Report
from payments_pipeline.reports.materialise import bound_params, bound_query, query_columns, translated

BATCH = 2000
# A cursor is planned for its first rows otherwise; a look takes them all.
BEFORE = ("SET TRANSACTION READ ONLY", "SET LOCAL cursor_tuple_fraction = 1")


@dataclass(frozen=True)
class Looked:
    """An open look: `columns` in order, severity first; `rows` to go through once, fetched as they are read."""

    columns: Sequence[str]
    rows: Iterator[dict[str, Any]]


@contextmanager
def looking(engine: Engine, report: Report, *, as_of: datetime, overrides: Mapping[str, Any]) -> Iterator[Looked]:
    """The anomalies at `as_of`, from what is stored now, however many there are: only some are in memory at a time.

    The gravest come first, then in the order of the report's key. The transaction is read-only.

    Args:
        as_of: the moment reported on, UTC and aware.
        overrides: values for the report's params, as for `materialise`.

    Raises:
        ReportError: the query fails, or an override makes no sense.
        TransientError: the connection broke, or the query was cancelled.
    """
    params = bound_params(report, overrides) | {AS_OF: as_of}
    try:
        with engine.connect() as connection:
            for statement in BEFORE:
                connection.execute(text(statement))
            own = query_columns(connection, report, params)
            columns = ["severity", *(name for name in own if name != "severity")]
            with closing(_rows(connection, report, params, own, columns)) as rows:
                yield Looked(columns, rows)
    except DBAPIError as error:
        raise translated(error, report) from error


def look(engine: Engine, report: Report, *, as_of: datetime, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows of `looking` at once, for those who need them so."""
    with looking(engine, report, as_of=as_of, overrides=overrides) as looked:
        return list(looked.rows)


def _rows(
    connection: Connection, report: Report, params: Mapping[str, Any], own: Sequence[str], columns: Sequence[str]
) -> Generator[dict[str, Any], None, None]:
    severity = pg.Identifier("severity") if "severity" in own else pg.Literal(None)
    before = pg.SQL("SELECT coalesce(CAST({severity} AS text), {default}) AS severity{columns} FROM (").format(
        severity=severity,
        default=pg.Literal(report.severity.value),
        columns=pg.SQL("").join(pg.SQL(", {}").format(pg.Identifier(name)) for name in columns[1:]),
    )
    after = pg.SQL(
        ") AS report_rows ORDER BY array_position(ARRAY['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'],"
        " coalesce(CAST({severity} AS text), {default})), {key}"
    ).format(
        severity=severity,
        default=pg.Literal(report.severity.value),
        key=pg.SQL(", ").join(
            pg.SQL('CAST({} AS text) COLLATE "C"').format(pg.Identifier(name)) for name in report.key
        ),
    )
    statement = bound_query(report, before.as_string() + "\n", "\n" + after.as_string())
    streamed = {"stream_results": True, "max_row_buffer": BATCH}
    with connection.execute(statement, params, execution_options=streamed) as result:
        for row in result.mappings():
            yield {name: row[name] for name in columns}

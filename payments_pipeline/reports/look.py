"""Looks at a report as of a time, and leaves no trace: no table, no history, no finding.

Belongs here: running the query for a person who asks. Does not belong here: making the report's table (materialise.py),
or writing the rows to files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from payments_pipeline.core.states import Severity
from payments_pipeline.reports.front_matter import AS_OF, Report
from payments_pipeline.reports.materialise import bound_params, bound_query, translated


def look(engine: Engine, report: Report, *, as_of: datetime, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The anomalies at `as_of`, from what is stored now; severity first, then the report's own columns.

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
            connection.execute(text("SET TRANSACTION READ ONLY"))
            found = connection.execute(bound_query(report, "", ""), params).mappings().all()
    except DBAPIError as error:
        raise translated(error, report) from error
    default = report.severity.value
    rows = [{"severity": row.get("severity") or default, **_own(row)} for row in found]
    ranks = {level.value: rank for rank, level in enumerate(reversed(Severity))}
    rows.sort(key=lambda row: (ranks.get(row["severity"], len(ranks)), *(str(row[column]) for column in report.key)))
    return rows


def _own(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "severity"}

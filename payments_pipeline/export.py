"""One report as of a time, for a person or a file: a table, CSV, JSON or Parquet. Nothing else is touched.

Belongs here: laying rows out. Does not belong here: running the report (`reports.look`) or the nightly table.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import STDOUT, unwritable, write_json
from payments_pipeline.present import COLOURS
from payments_pipeline.reports import Report, load_reports, look

Rows = Sequence[Mapping[str, Any]]
SHOWN_ROWS = 50
# Of twenty columns a screen has room for these, beside the key; files have them all.
SHOWN_COLUMNS = ("severity", "username", "payment_id", "amount", "currency", "reason")


def run_report(settings: Settings, name: str, *, as_of: datetime, files: Mapping[str, Path | None]) -> int:
    """Show a report, or write it to the files that are named.

    Args:
        files: form (csv, json, parquet) -> file; None where that form is not wanted, STDOUT to print it.

    Returns:
        Number of rows.

    Raises:
        ConfigurationError: there is no such report, a file can't be written, or Parquet is not at hand.
        ReportError: the report's query fails.
    """
    reports = load_reports()
    if name not in reports:
        raise ConfigurationError(
            f"There is no report {name!r}.", where="report", remedy=f"The reports are: {', '.join(reports)}."
        )
    report = reports[name]
    wanted = {form: file for form, file in files.items() if file is not None}
    if "parquet" in wanted:
        _need_parquet(wanted["parquet"])
    if list(wanted.values()).count(STDOUT) > 1:
        raise ConfigurationError(
            "Only one form can be printed at once.", where="report", remedy="Name files for the others."
        )
    rows = look(get_engine(settings), report, as_of=as_of, overrides=settings.report_params.get(name, {}))
    for form, file in wanted.items():
        _write(form, file, report, rows)
    if not wanted:
        _show(Console(emoji=False), report, rows, as_of)
    return len(rows)


def _write(form: str, file: Path, report: Report, rows: Rows) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[form](file, _columns(report, rows), rows)
    except OSError as error:
        raise unwritable(file, error.strerror or type(error).__name__) from None


def _columns(report: Report, rows: Rows) -> list[str]:
    """In the order of the query where there are rows, as the front matter describes them where there are none."""
    own = list(rows[0]) if rows else list(report.columns)
    return ["severity", *(name for name in own if name != "severity")]


def _csv(file: Path, columns: list[str], rows: Rows) -> None:
    opened = nullcontext(sys.stdout) if file == STDOUT else file.open("w", newline="", encoding="utf-8")
    with opened as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows([_plain(row[name]) for name in columns] for row in rows)


def _json(file: Path, columns: list[str], rows: Rows) -> None:
    write_json(file, [{name: row[name] for name in columns} for row in rows])


def _parquet(file: Path, columns: list[str], rows: Rows) -> None:
    import pandas as pd

    pd.DataFrame([dict(row) for row in rows], columns=columns).to_parquet(file, index=False)


def _plain(value: Any) -> Any:
    """Amounts stay exact, times carry their offset."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


_WRITERS: dict[str, Callable[[Path, list[str], Rows], None]] = {"csv": _csv, "json": _json, "parquet": _parquet}


def _need_parquet(file: Path) -> None:
    if file == STDOUT:
        raise ConfigurationError(
            "Parquet can't be printed.", where="report --parquet", remedy="Name a file, or use --csv or --json."
        )
    try:
        import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "Parquet needs the package pyarrow.",
            where="report --parquet",
            remedy="Install it (pip install pyarrow), or use --csv or --json.",
        ) from None


def _show(console: Console, report: Report, rows: Rows, as_of: datetime) -> None:
    console.print(f"[bold]{report.title}[/], as of {as_of:%Y-%m-%d %H:%M:%S} UTC: {len(rows)} rows")
    if not rows:
        return
    own = _columns(report, rows)
    columns = [name for name in own if name in SHOWN_COLUMNS or name in report.key]
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        cells = ["" if row[name] is None else str(_plain(row[name])) for name in columns[1:]]
        table.add_row(f"[{COLOURS[row['severity']]}]{row['severity']}[/]", *(escape(cell) for cell in cells))
    console.print(table)
    if len(rows) > SHOWN_ROWS:
        console.print(f"... and {len(rows) - SHOWN_ROWS} more; --csv, --json and --parquet write them all.")

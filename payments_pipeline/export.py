"""One report as of a time, for a person or a file: a table, CSV, JSON or Parquet. Nothing else is touched.

Belongs here: laying rows out. Does not belong here: running the report (`reports.look`) or the nightly table.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from payments_pipeline.config import Settings
from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import require_current
from payments_pipeline.db.sql import named
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import STDOUT, for_people, in_json, unwritable, write_json
from payments_pipeline.present import COLOURS
from payments_pipeline.reports import Looked, Report, load_reports, looking
from payments_pipeline.screen import Table, screen

Row = Mapping[str, Any]
Write = Callable[[Row], object]
SHOWN_ROWS = 50
LAST_RUNS = named("present/last_report_runs.sql")
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
            f"There is no report {name!r}.",
            where="report",
            remedy=did_you_mean(name, reports, "payments-pipeline report lists all of them."),
        )
    report = reports[name]
    wanted = {form: file for form, file in files.items() if file is not None}
    if "parquet" in wanted:
        _need_parquet(wanted["parquet"])
    if list(wanted.values()).count(STDOUT) > 1:
        raise ConfigurationError(
            "Only one form can be printed at once.", where="report", remedy="Name files for the others."
        )
    engine, overrides = get_engine(settings), settings.report_params.get(name, {})
    with engine.connect() as connection:
        require_current(connection)
    with looking(engine, report, as_of=as_of, overrides=overrides) as looked:
        if not wanted:
            return _show(screen(), report, looked, as_of)
        return _write(wanted, looked)


def list_reports(settings: Settings, *, json: Path | None) -> None:
    """Every report with its severity, what it says, and what its last run found (empty: it never ran)."""
    reports, last = load_reports(), _last_runs(settings)
    listed = [
        {"report": name, "severity": one.severity.value, "title": one.title, "action": one.action, **last.get(name, {})}
        for name, one in reports.items()
    ]
    write_json(json, listed)
    if not for_people(json):
        return
    table = Table(title=f"{len(listed)} reports; payments-pipeline report NAME shows one", title_justify="left")
    for column in ("report", "severity", "rows", "says"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for line in listed:
        severity = f"[{COLOURS[line['severity']]}]{line['severity']}[/]"
        table.add_row(line["report"], severity, str(line.get("rows", "not run")), escape(str(line["title"])))
    screen().print(table)


def _last_runs(settings: Settings) -> dict[str, dict[str, Any]]:
    with get_engine(settings).connect() as connection:
        require_current(connection)
        return {row.report: {"rows": row.row_count, "as_of": row.as_of} for row in connection.execute(LAST_RUNS)}


def _write(wanted: Mapping[str, Path], looked: Looked) -> int:
    """Every row to every file as it comes, so that memory does not grow with them."""
    count, file = 0, Path()
    rows = chain(list(islice(looked.rows, 1)), looked.rows)  # a query that fails does so before anything is opened
    try:
        with ExitStack() as opened:
            writers = []
            for form, file in wanted.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                writers.append(opened.enter_context(_WRITERS[form](file, looked.columns)))
            for count, row in enumerate(rows, 1):  # noqa: B007  (counted to the last)
                for write in writers:
                    write(row)
    except BrokenPipeError:  # whoever read it has seen enough: `| head`
        raise
    except OSError as error:
        raise unwritable(Path(error.filename or file), error.strerror or type(error).__name__) from None
    return count


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if file == STDOUT:
        yield sys.stdout
        return
    if file.exists() and not file.is_file():  # a pipe, a device
        with file.open("w", newline="", encoding="utf-8") as out:
            yield out
        return
    part = file.resolve().with_name(f".{file.name}.part")  # what was there stays, unless all rows come
    try:
        with part.open("w", newline="", encoding="utf-8") as out:
            yield out
        part.replace(file.resolve())
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _csv(file: Path, columns: Sequence[str]) -> Iterator[Write]:
    with _opened(file) as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        yield lambda row: writer.writerow([_plain(row[name]) for name in columns])


@contextmanager
def _json(file: Path, columns: Sequence[str]) -> Iterator[Write]:
    with _opened(file) as out:
        before = "[\n  "

        def write(row: Row) -> None:
            nonlocal before
            out.write(before + in_json({name: row[name] for name in columns}).replace("\n", "\n  "))
            before = ",\n  "

        yield write
        out.write("\n]\n" if before.startswith(",") else "[]\n")


@contextmanager
def _parquet(file: Path, columns: Sequence[str]) -> Iterator[Write]:
    """By way of a file beside it: a column's type, and how exact its amounts are, is known at the last row."""
    from payments_pipeline.parquet import Spool

    with Spool(file, columns) as spool:
        yield spool.add


def _plain(value: Any) -> Any:
    """Amounts stay exact, times carry their offset."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


_WRITERS: Mapping[str, Callable[[Path, Sequence[str]], AbstractContextManager[Write]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}


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


def _show(console: Console, report: Report, looked: Looked, as_of: datetime) -> int:
    shown = list(islice(looked.rows, SHOWN_ROWS))
    rows = len(shown) + sum(1 for _ in looked.rows)
    console.print(f"[bold]{escape(report.title)}[/], as of {as_of:%Y-%m-%d %H:%M:%S} UTC: {rows} rows")
    if not rows:
        return rows
    columns = [name for name in looked.columns if name in SHOWN_COLUMNS or name in report.key]
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in shown:
        cells = ["" if row[name] is None else str(_plain(row[name])) for name in columns[1:]]
        table.add_row(f"[{COLOURS[row['severity']]}]{row['severity']}[/]", *(escape(cell) for cell in cells))
    console.print(table)
    if rows > SHOWN_ROWS:
        console.print(f"... and {rows - SHOWN_ROWS} more; --csv, --json and --parquet write them all.")
    return rows

"""Backfill and coverage on the command line: a progress bar, tables for people, JSON for machines, exit codes.

Belongs here: showing what `ingest/` did and knows. Does not belong here: doing it, or parsing of arguments (cli.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy import Connection

from payments_pipeline.config import Settings
from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.ingest.across import Reading, Request, Run, backfill_across, checked
from payments_pipeline.ingest.backfill import RangeDone
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.standing import Standing, standings
from payments_pipeline.json_output import console as console_for
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.providers.base import Clock, Window
from payments_pipeline.providers.catalogue import SPECS, build_providers, configured_providers
from payments_pipeline.screen import Table, screen, span

STALE = timedelta(hours=26)
"""What was created longer ago than this must have been read: the nightly run comes every 24 hours."""
GAPS_SHOWN = 5
"""Of each resource; the JSON has them all."""


def run_backfill(settings: Settings, request: Request, *, clock: Clock, json: Path | None) -> int:
    """Backfill, with a progress bar a resource.

    Returns:
        0 all was read, 1 something was not: the same command goes on where it stopped.

    Raises:
        PaymentsPipelineError: the request makes no sense, or no account answers.
    """
    engine = get_engine(settings)
    accounts = build_providers(settings, clock, engine)
    own = checked(request, accounts, clock())
    upgrade(engine, settings.contract_dir)
    run = Run(engine, clock(), None, clock, settings.keep_raw_json)
    console = console_for(json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        readings = backfill_across(run, request, own, _Bars(bars).note)
    _show_readings(console, readings)
    write_json(json, {"window": _window(request.window), "resources": [_reading(one) for one in readings]})
    return 0 if all(one.complete for one in readings) else 1


def run_coverage(
    settings: Settings, *, provider: str | None, since: datetime | None, now: datetime, json: Path | None
) -> int:
    """Show what is known of every account's resources.

    Args:
        since: look for gaps from here on; None: from the first time that was ever read.

    Returns:
        0 everything configured was read without a gap, 1 something was not.

    Raises:
        ConfigurationError: there is no such provider.
    """
    names = sorted({spec.provider for spec in SPECS})
    if provider is not None and provider not in names:
        raise ConfigurationError(
            f"There is no provider {provider!r}.",
            where="coverage",
            remedy=did_you_mean(provider, names, f"Choose one of {', '.join(names)}."),
        )
    engine = get_engine(settings)
    upgrade(engine, settings.contract_dir)
    with engine.connect() as connection:
        lines = standing_lines(connection, configured_providers(settings), now, since)
    lines = [line for line in lines if provider in {None, line["provider"]}]
    if for_people(json):
        _show_standings(screen(), lines)
    write_json(json, {"as_of": now.isoformat(), "resources": lines})
    return 0 if all(line["state"] in {"complete", "not configured"} and not line["gaps"] for line in lines) else 1


def standing_lines(
    connection: Connection, configured: frozenset[str], now: datetime, since: datetime | None = None
) -> list[dict[str, Any]]:
    """One line a resource of each account that was ever read, and of each that never was, as JSON-able values."""
    known = standings(connection, since, now - STALE)
    lines = []
    for spec in SPECS:
        own = [(one, more) for one, more in known if (one.provider, one.resource) == (spec.provider, spec.name)]
        lines += [_line(one, more, now) for one, more in own]
        if not own:
            state = "never read" if spec.provider in configured else "not configured"
            lines.append({"provider": spec.provider, "resource": spec.name, "state": state, "gaps": []})
    return sorted(lines, key=lambda line: (line["provider"], line.get("account", "")))


class _Bars:
    """A progress bar a reading, made when its first range is done: how many there are is known then."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def note(self, reading: Reading, step: RangeDone) -> None:
        key = (reading.label, reading.resource)
        if key not in self._tasks:
            name = f"{reading.provider} {reading.label} {reading.resource}"
            self._tasks[key] = self._progress.add_task(name, total=step.total, told="")
        self._progress.update(self._tasks[key], completed=step.done, told=f"{reading.objects} objects")


def _show_readings(console: Console, readings: Sequence[Reading]) -> None:
    table = Table(title="Backfill", title_justify="left")
    for column in ("account", "resource", "state", "ranges", "objects", "written", "rejected"):
        table.add_column(column, justify="right" if column in {"ranges", "objects", "written", "rejected"} else "left")
    for one in readings:
        state = "[green]complete[/]" if one.complete else "[red]incomplete[/]"
        numbers = (f"{one.done}/{one.total}", str(one.objects), str(one.rows_written), str(one.rejected))
        table.add_row(escape(one.label), one.resource, state, *numbers)
    console.print(table)
    for one in readings:
        if one.problem is not None:
            console.print(f"{one.label} {one.resource}: {one.problem}", style="red", markup=False)
    if not all(one.complete for one in readings):
        console.print("The same command goes on where this one stopped.")


def _reading(one: Reading) -> dict[str, Any]:
    return {
        "provider": one.provider, "label": one.label, "account": one.account, "resource": one.resource,
        "complete": one.complete, "ranges_done": one.done, "ranges_total": one.total, "objects": one.objects,
        "rows_written": one.rows_written, "rejected": one.rejected, "error": one.problem,
    }  # fmt: skip


def _line(one: Coverage, more: Standing, now: datetime) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "account": one.account,
        "mode": "live" if one.livemode else "test",
        "resource": one.resource,
        "state": "complete" if one.complete else "incomplete",
        "error": one.error,
        "read_by": one.mode,
        "read_at": one.finished_at.isoformat(),
        "window": _window(Window(one.window_from, one.window_to)),
        "objects": one.objects,
        "rejected": more.rejected,
        "covered": {"from": _iso(more.covered_from), "to": _iso(more.covered_to)},
        "gaps": [_window(gap) for gap in more.gaps],
        "missed_by_feed": more.missed_by_feed,
        "swept_at": _iso(more.swept_at),
        "watermark": {
            "listed_to": _iso(more.listed_to),
            "told_to": _iso(more.told_to),
            "seconds_behind": None if more.listed_to is None else round((now - more.listed_to).total_seconds()),
        },
    }


def _show_standings(console: Console, lines: Sequence[Mapping[str, Any]]) -> None:
    """A table an account, then what is wrong, one line each."""
    for (provider, account, mode), own in groupby(
        lines, key=lambda line: (line["provider"], line.get("account", ""), line.get("mode", ""))
    ):
        table = Table(title=escape(f"{provider} {account} {mode}".rstrip()), title_justify="left")
        for column in ("resource", "state", "newest", "covered", "gaps", "objects", "missed", "watermark"):
            table.add_column(column, justify="right" if column in {"gaps", "objects", "missed"} else "left")
        for line in own:
            table.add_row(*_cells(line))
        console.print(table)
    for text in _problems(lines):
        console.print(text, markup=False)


def _cells(line: Mapping[str, Any]) -> Iterable[str]:
    colour = {"complete": "green", "not configured": "dim"}.get(line["state"], "red")
    yield line["resource"]
    yield f"[{colour}]{line['state']}[/]"
    if "window" not in line:
        return
    behind = line["watermark"]["seconds_behind"]
    yield f"{line['read_by']} {line['read_at'][:16]}"
    yield f"{(line['covered']['from'] or 'nothing')[:10]} to {(line['covered']['to'] or '')[:16]}"
    yield str(len(line["gaps"]))
    yield str(line["objects"])
    yield "" if line["missed_by_feed"] is None else str(line["missed_by_feed"])
    yield "none" if behind is None else f"{span(behind)} ago"


def _problems(lines: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for line in lines:
        name = " ".join(str(line[part]) for part in ("provider", "account", "resource") if part in line)
        if line.get("error"):
            yield f"{name}: {line['error']}"
        if line.get("rejected"):
            yield f"{name}: {line['rejected']} objects can't be read. What to do: see recon.rejected_objects."
        for gap in line["gaps"][:GAPS_SHOWN]:
            yield f"{name}: nobody read {gap['from']} to {gap['to']}. What to do: payments-pipeline backfill."
        if len(line["gaps"]) > GAPS_SHOWN:
            yield f"{name}: and {len(line['gaps']) - GAPS_SHOWN} more gaps; --json lists them."


def _window(window: Window) -> dict[str, str]:
    return {"from": window.start.isoformat(), "to": window.end.isoformat()}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

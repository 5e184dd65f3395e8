"""What needs eyes now: payers without access this minute, open findings, what was not read, what waits to be sent.

Belongs here: the commands `check` and `watch`. They judge with the report's own query on what is stored, and change
nothing. Does not belong here: reading providers, opening findings (both happen in runs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text
from sqlalchemy import Connection, Engine

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import require_current
from payments_pipeline.db.sql import named
from payments_pipeline.errors import TransientError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.present import COLOURS, coverage_lines
from payments_pipeline.providers.base import Clock
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.reports import Report, load_reports, look
from payments_pipeline.screen import Table, screen, span

GAPS = "activation_gaps"
SHOWN = 20
"""Gaps on the screen; the JSON has them all."""
UNREAD = {"incomplete", "never read"}


@dataclass(frozen=True)
class QuickLook:
    """How things stand at `at`.

    Attributes:
        gaps: rows of activation_gaps, judged at `at` on what is stored, those that wait longest first.
        live: live findings by report and severity: report, severity, findings, oldest.
        unread: what of the configured providers was not read in full, in words.
        waiting: notifications not sent yet. given_up: notifications that could not be delivered.
        proposed: repairs that wait for people.
    """

    at: datetime
    gaps: Sequence[Mapping[str, Any]]
    live: Sequence[Mapping[str, Any]]
    unread: Sequence[str]
    waiting: int
    given_up: int
    proposed: int

    @property
    def found(self) -> bool:
        """Whether somebody should look."""
        return bool(self.gaps or self.live or self.given_up)

    def as_json(self) -> dict[str, Any]:
        """One JSON-able object; `write_json` writes times as ISO 8601 and amounts as text."""
        return {
            "at": self.at, "gaps": list(self.gaps), "live_findings": list(self.live), "unread": list(self.unread),
            "notifications": {"waiting": self.waiting, "given_up": self.given_up}, "proposed_actions": self.proposed,
        }  # fmt: skip


def run_check(settings: Settings, *, now: datetime, json: Path | None) -> int:
    """One quick look; returns 1 when there is anything to look at, else 0."""
    found = quick_look(get_engine(settings), settings, load_reports(), now)
    write_json(json, found.as_json())
    if for_people(json):
        screen().print(_laid_out(found))
    return 1 if found.found else 0


def run_watch(
    settings: Settings, *, every: float, rounds: int | None, clock: Clock, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Look again and again, on one screen where there is one; returns as `run_check` for the last look.

    A database that is away for a moment is said so and asked again.

    Args:
        every: seconds between looks.
        rounds: stop after so many; None: until interrupted.
    """
    engine, reports, console = get_engine(settings), load_reports(), screen()
    found, seen = False, 0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            try:
                looked = quick_look(engine, settings, reports, clock())
                found, shown = looked.found, _laid_out(looked)
            except TransientError as error:
                shown = Text(f"{clock():%H:%M:%S} {error}", style="red")
            if console.is_terminal:
                live.update(shown, refresh=True)
            else:
                console.print(shown)
            seen += 1
            if rounds is not None and seen >= rounds:
                return 1 if found else 0
            try:
                sleep(every)
            except KeyboardInterrupt:
                return 1 if found else 0


def quick_look(engine: Engine, settings: Settings, reports: Mapping[str, Report], now: datetime) -> QuickLook:
    """How things stand now.

    Raises:
        SchemaError: the database is not at this code's revision.
        TransientError: the database went away.
    """
    gaps: list[dict[str, Any]] = []
    with engine.connect() as connection:
        require_current(connection)
        live = [dict(row) for row in connection.execute(named("present/live_by_report.sql")).mappings()]
        outbox = _counts(connection, "outbox_by_state")
        actions = _counts(connection, "actions_by_state")
        lines = coverage_lines(connection, configured_providers(settings))
    if GAPS in reports:
        gaps = look(engine, reports[GAPS], as_of=now, overrides=settings.report_params.get(GAPS, {}))
        gaps.sort(key=lambda row: (row["paid_at"] is None, row["paid_at"] or now))
    unread = [
        f"{line['provider']} {line['resource']}: {line['state']}{': ' + line['error'] if line.get('error') else ''}"
        for line in lines
        if line["state"] in UNREAD
    ]
    waiting = outbox.get("pending", 0) + outbox.get("sending", 0)
    return QuickLook(now, gaps, live, unread, waiting, outbox.get("dead", 0), actions.get("proposed", 0))


def _counts(connection: Connection, name: str) -> dict[str, int]:
    return {str(state): int(number) for state, number in connection.execute(named(f"present/{name}.sql")).all()}


def _laid_out(found: QuickLook) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{found.at:%Y-%m-%d %H:%M:%S} UTC", style="bold")]
    if found.gaps:
        parts.append(_gaps_table(found))
        if len(found.gaps) > SHOWN:
            parts.append(Text(f"and {len(found.gaps) - SHOWN} more: payments-pipeline report {GAPS}"))
    else:
        parts.append(Text("Every payer has access.", style="green"))
    parts.append(_live_table(found) if found.live else Text("No finding is open.", style="green"))
    parts += [Text(f"Not read in full: {line}", style="yellow") for line in found.unread]
    if found.given_up:
        parts.append(
            Text(f"{found.given_up} alerts could not be delivered: payments-pipeline outbox requeue CHANNEL", "red")
        )
    parts.append(Text(f"Alerts waiting: {found.waiting}. Repairs that wait for people: {found.proposed}."))
    return Group(*parts)


def _gaps_table(found: QuickLook) -> Table:
    table = Table(title=f"Paid, without access: {len(found.gaps)}", title_justify="left")
    for column in ("user", "plan", "amount", "since payment", "reason"):
        table.add_column(column, justify="right" if column in {"amount", "since payment"} else "left")
    for row in found.gaps[:SHOWN]:
        paid = "" if row["paid_at"] is None else span((found.at - row["paid_at"]).total_seconds())
        table.add_row(
            escape(f"{row['user_id']} {row['username'] or ''}"), escape(str(row["plan"] or "unknown")),
            escape(f"{row['amount']:f} {row['currency']}") if row["amount"] is not None else "", paid,
            escape(str(row["reason"] or "")),
        )  # fmt: skip
    return table


def _live_table(found: QuickLook) -> Table:
    table = Table(title="Open findings", title_justify="left")
    for column in ("severity", "report", "findings", "oldest"):
        table.add_column(column, justify="right" if column == "findings" else "left")
    for row in found.live:
        severity = f"[{COLOURS[row['severity']]}]{row['severity']}[/]"
        table.add_row(severity, row["report"], str(row["findings"]), f"{row['oldest']:%Y-%m-%d %H:%M}")
    return table

"""Findings for people at a terminal: a list, one finding with its whole story, and what people do with one.

Belongs here: laying it out, as tables or as JSON. Not here: parsing arguments (cli.py), deciding (triage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from payments_pipeline import triage
from payments_pipeline.config import Settings
from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.core.people import person
from payments_pipeline.db.engine import get_engine
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.findings import Finding, Wanted, count_live, finding_story, live_findings
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.notify.channels import build_channels
from payments_pipeline.notify.outbox import requeue
from payments_pipeline.reports import load_reports
from payments_pipeline.screen import Table, screen

_COLOURS = {"CRITICAL": "red", "HIGH": "dark_orange", "MEDIUM": "yellow", "LOW": "white"}


def show_list(settings: Settings, wanted: Wanted, *, limit: int, json: Path | None) -> int:
    """Live findings, the gravest and oldest first; returns 1 when there are any.

    Raises:
        ConfigurationError: nothing is of the report that was named, for there is no such report.
    """
    with get_engine(settings).connect() as connection:
        found = live_findings(connection, wanted, limit)
        every = len(found) if len(found) < limit else count_live(connection, wanted)
    if not found and wanted.report is not None:
        _require_report(wanted.report)
    write_json(json, [asdict(one) for one in found])
    if for_people(json):
        screen().print(_listed(found, every) if found else "No such finding is open.")
    return 1 if found else 0


def _require_report(name: str) -> None:
    from payments_pipeline.watchdog.rounds import WATCHES

    known = [*load_reports(), *sorted(WATCHES)]
    if name not in known:
        raise ConfigurationError(
            f"There is no report {name!r}.",
            where="--report",
            remedy=did_you_mean(name, known, "payments-pipeline report lists all of them."),
        )


def _listed(found: Sequence[Finding], every: int) -> Table:
    more = f"; the first {len(found)} of them, --limit {every} shows all" if every > len(found) else ""
    table = Table(title=f"Live findings: {every}{more}", title_justify="left")
    for column in ("id", "report", "severity", "status", "user", "amount", "opened", "seen", "reason"):
        table.add_column(column, justify="right" if column in {"id", "amount", "seen"} else "left")
    for one in found:
        amount = f"{one.amount:f} {one.currency or ''}" if one.amount is not None else ""
        table.add_row(
            str(one.finding_id), _plain(one.report), f"[{_COLOURS[one.severity]}]{one.severity}[/]", one.status,
            _plain(one.user_ref), _plain(amount), f"{one.opened_at:%Y-%m-%d %H:%M}", str(one.times_seen),
            _plain(one.evidence.get("reason") or ""),
        )  # fmt: skip
    return table


def show_story(settings: Settings, finding_id: int, *, json: Path | None) -> None:
    """One finding as it was found and as it is now, with the certificates that proved it and all that happened.

    Raises:
        PermanentError: there is no such finding.
    """
    with get_engine(settings).connect() as connection:
        story = finding_story(connection, finding_id)
    write_json(json, asdict(story))
    if not for_people(json):
        return
    console, finding = screen(), story.finding
    console.print(
        f"[bold]Finding {finding['finding_id']}[/]: {_plain(finding['report'])}, episode {finding['episode']}, "
        f"[{_COLOURS[finding['severity']]}]{finding['severity']}[/], {finding['status']}; opened "
        f"{finding['opened_at']:%Y-%m-%d %H:%M:%S}, last seen {finding['last_seen_at']:%Y-%m-%d %H:%M:%S} UTC, "
        f"{finding['times_seen']} times"
    )
    known = load_reports().get(str(finding["report"]))
    if known is not None:
        console.print(f"{escape(known.title)}. What to do: {escape(known.what_to_do)}", soft_wrap=True)
    if finding["resolved_at"]:
        console.print(_plain(f"Resolved by {finding['resolved_by']}: {finding['resolution']}"))
    _evidence(console, finding["found_evidence"] or finding["evidence"], finding["evidence"])
    _table(console, "Read in full when it was found", story.coverage,
           ("coverage_id", "provider", "account", "resource", "mode", "window_to", "objects"))  # fmt: skip
    _table(console, "Episodes", story.episodes,
           ("finding_id", "episode", "status", "opened_at", "resolved_at", "resolved_by", "resolution"))  # fmt: skip
    _table(console, "What was done", story.events, ("at", "actor", "event", "reason"))
    _table(console, "What was told", story.messages, ("created_at", "channel", "kind", "state", "sent_at"))


def handle(settings: Settings, finding_id: int, act: str, **values: Any) -> str:
    """Acknowledge, snooze, resolve or reopen; returns what to say.

    Args:
        act: the function of triage.py.
        values: its arguments.

    Raises:
        PermanentError: as that function.
    """
    acts: Mapping[str, Callable[..., int | None]] = {
        "acknowledge": triage.acknowledge, "snooze": triage.snooze, "resolve": triage.resolve, "reopen": triage.reopen,
    }  # fmt: skip
    values["actor"] = person(values["actor"])
    opened = acts[act](get_engine(settings), finding_id, **values)
    said = {"acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved", "reopen": "open again"}[act]
    return f"Finding {finding_id} is {said}" + (f" as finding {opened}." if opened else ".")


def requeue_channel(settings: Settings, channel: str, *, at: datetime) -> str:
    """Give the messages of a channel that were given up another life.

    Raises:
        ConfigurationError: the channel is not configured, and none of its messages was given up.
    """
    number, known = requeue(get_engine(settings), channel, clock=lambda: at), build_channels(settings)
    if not number and channel not in known:
        raise ConfigurationError(
            f"There is no channel {channel!r}.", where="CHANNEL", remedy=f"Configured: {', '.join(known) or 'none'}."
        )
    return f"{number} messages to {channel} will be sent again."


def _evidence(console: Console, found: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    table = Table(title="Evidence", title_justify="left")
    for column in ("column", "as found", "now"):
        table.add_column(column)
    for key in dict(found) | dict(now):
        first, last = found.get(key), now.get(key)
        table.add_row(_plain(key), _plain(first), "" if first == last else _plain(last))
    console.print(table)


def _table(console: Console, title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_plain(row[column]) for column in columns))
    console.print(table)


def _plain(value: Any) -> str:
    """Text without rich's markup coming alive."""
    if value is None:
        return ""
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    return escape(text)

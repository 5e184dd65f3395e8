"""A user's or a payment's story at a terminal: tables and a timeline for people, JSON for machines.

Belongs here: laying it out. Does not belong here: reading it (lookup/), parsing words (operator_cli.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import require_current
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.lookup import Story, payment_story, timeline, user_story
from payments_pipeline.lookup.stories import Row
from payments_pipeline.screen import Table, screen

_COLOURS = {"CRITICAL": "red", "HIGH": "dark_orange", "MEDIUM": "yellow", "LOW": "white"}
_SIDES = {"provider": "cyan", "application": "green", "webhook": "magenta", "finding": "red", "repair": "yellow"}
_PAYMENTS = ("payment_id", "provider", "provider_ref", "status", "amount", "currency", "plan_name", "created_at")
_OBJECTS = ("provider", "kind", "provider_ref", "state", "amount", "currency", "link_method", "payment_ref")


def show_user(settings: Settings, word: str, *, json: Path | None) -> int:
    """A user from all sides; returns 1 when findings about the user are live.

    Raises:
        PermanentError: the word names nobody, or several.
    """
    with get_engine(settings).connect() as connection:
        require_current(connection)
        story = user_story(connection, word)
    return _show(story, json=json)


def show_payment(settings: Settings, word: str, *, json: Path | None) -> int:
    """A payment at both sides; returns 1 when findings about it are live.

    Raises:
        PermanentError: neither side knows it.
    """
    with get_engine(settings).connect() as connection:
        require_current(connection)
        story = payment_story(connection, word)
    return _show(story, json=json)


def _show(story: Story, *, json: Path | None) -> int:
    write_json(json, asdict(story) | {"timeline": [asdict(moment) for moment in timeline(story)]})
    if for_people(json):
        _lay_out(story)
    return 1 if story.live else 0


def _lay_out(story: Story) -> None:
    console = screen(soft_wrap=True, highlight=False)
    for line in (*_user_lines(story), *_entitlement_lines(story)):
        console.print(line)
    _table(console, "Payments in the application", story.payments, _PAYMENTS)
    _table(console, "At the providers", story.objects, _OBJECTS)
    _findings(console, story.live)
    table = Table(title="Timeline (UTC)", title_justify="left")
    for column in ("when", "side", "what"):
        table.add_column(column)
    for moment in timeline(story):
        side = f"[{_SIDES[moment.side]}]{moment.side}[/]"
        table.add_row(f"{moment.at:%Y-%m-%d %H:%M:%S}", side, escape(moment.what))
    console.print(table)


def _user_lines(story: Story) -> list[str]:
    user = story.user
    if user is None:
        return ["[yellow]No user of the application is linked to it.[/]"]
    access = "[green]has access[/]" if user["has_access"] else "[red]has no access[/]"
    told = [
        f"[bold]User {escape(user['user_id'])}[/] {escape(user['username'] or '')} {escape(user['email'] or '')}: "
        f"{access}, status {escape(str(user['subscription_status']))}, tier {escape(str(user['subscription_tier']))}, "
        f"plan {escape(str(user['plan_name'] or 'none'))}, renews {_cell(user['subscription_renewal_date']) or 'never'}"
    ]
    if user["is_internal"]:
        told.append("An internal account: it need not pay.")
    if user["access_override_until"]:
        told.append(f"Access was given by hand until {_cell(user['access_override_until'])}.")
    if user["trial_ends_at"]:
        told.append(f"Trial until {_cell(user['trial_ends_at'])}.")
    return told


def _entitlement_lines(story: Story) -> list[str]:
    owed = story.entitlement
    if owed is None:
        return [] if story.user is None else ["By the money: nothing paid for a plan is running."]
    until = _cell(owed["entitled_until"]) or "for ever"
    verdict = "is entitled to" if owed["is_entitled"] else "is [bold]not[/] entitled to"
    return [
        f"By the money: {verdict} tier {escape(str(owed['tier']))} until {until}: {escape(owed['why'])} "
        f"(judged {_cell(owed['judged_at'])})"
    ]


def _findings(console: Console, findings: Sequence[Row]) -> None:
    if not findings:
        console.print("[green]No finding is open.[/]")
        return
    table = Table(title="Open findings", title_justify="left")
    for column in ("id", "report", "severity", "status", "opened", "reason"):
        table.add_column(column)
    for one in findings:
        table.add_row(
            str(one["finding_id"]), one["report"], f"[{_COLOURS[one['severity']]}]{one['severity']}[/]", one["status"],
            _cell(one["opened_at"]), escape(one["reason"] or ""),
        )  # fmt: skip
    console.print(table)


def _table(console: Console, title: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    if not rows:
        console.print(f"{title}: none.")
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right" if column == "amount" else "left")
    for row in rows:
        table.add_row(*(escape(_cell(row[column])) for column in columns))
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else str(value)

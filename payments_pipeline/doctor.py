"""Examines an installation and says what to do about each thing that is not well.

Belongs here: one function an examination, each of which turns what it saw, errors too, into lines. Does not belong
here: mending anything, or judging the application's data (the reports do).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import dagster as dg
import requests
from rich.markup import escape
from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from payments_pipeline import __version__
from payments_pipeline.config import Settings
from payments_pipeline.db.contract import CONTRACT, missing_columns
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import require_current
from payments_pipeline.db.sql import named, read_sql, sql_root
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.notify.channels import build_channels
from payments_pipeline.present_health import sighted
from payments_pipeline.providers.accounts import ConfiguredProvider, identified
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.screen import screen
from payments_pipeline.watchdog.machinery import daemons

State = Literal["ok", "warning", "failed", "skipped"]
OLDEST_SERVER = 140_000
"""PostgreSQL 14: range_agg over multiranges."""
SKEW = timedelta(seconds=5)
LOOK_BACK = timedelta(days=1)
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
_SEQUENTIAL = "Seq Scan"


@dataclass(frozen=True)
class Line:
    """One thing that was examined. `remedy` is empty where it is well."""

    part: str
    state: State
    what: str
    remedy: str = ""


def run_doctor(settings: Settings, *, now: datetime, post: bool, json: Path | None) -> int:
    """Examine everything, show it as it comes, and count it; returns 1 when a line is a warning or failed, else 0."""
    console, lines = screen(soft_wrap=True, highlight=False), []
    for line in examine(settings, now=now, post=post):
        lines.append(line)
        if not for_people(json):
            continue
        remedy = f" What to do: {escape(line.remedy)}" if line.remedy else ""
        console.print(f"[{_COLOURS[line.state]}]{line.state:8}[/] {line.part}: {escape(line.what)}{remedy}")
    if for_people(json):
        states = Counter(str(line.state) for line in lines)
        told = ", ".join(f"[{colour}]{states[state]} {state}[/]" for state, colour in _COLOURS.items())
        console.print(f"{len(lines)} lines: {told}.")
    write_json(json, {"at": now, "lines": [asdict(line) for line in lines]})
    return 1 if any(line.state in {"warning", "failed"} for line in lines) else 0


def examine(settings: Settings, *, now: datetime, post: bool) -> Iterator[Line]:
    """All examinations in order; what fails for a reason of its own leaves the others.

    Args:
        post: also send a message to Discord; nothing else is ever written anywhere.
    """
    yield _installation()
    engine = None
    try:
        engine = get_engine(settings)
        with engine.connect() as connection:
            yield from _server(connection, now)
    except (PaymentsPipelineError, SQLAlchemyError) as error:
        yield _broken("database", error, "Check DATABASE_URL, and that the server runs and lets us in.")
        engine = None
    if engine is not None:
        yield from _guarded("database", engine, _migrated)
        for view in CONTRACT:
            yield from _guarded("contract", engine, partial(_view, view=view))
        yield from _guarded("indexes", engine, _indexes)
        yield from _guarded("webhooks", engine, partial(_webhooks, now=now))
        yield from _daemon(settings, now)
    yield from _providers(settings, now)
    yield from _discord(settings, post=post)


def _server(connection: Connection, now: datetime) -> Iterator[Line]:
    row = connection.execute(named("doctor/server.sql")).one()
    if row.version < OLDEST_SERVER:
        yield Line("database", "failed", f"PostgreSQL {row.words} is too old.", "Use PostgreSQL 14 or newer.")
    else:
        yield Line("database", "ok", f"PostgreSQL {row.words} answers: {_place(connection.engine.url)}.")
    skew = row.at - now
    if abs(skew) > SKEW:
        ahead = "ahead of" if skew > timedelta(0) else "behind"
        yield Line(
            "clocks", "warning", f"The database's clock is {abs(skew)} {ahead} this machine's.",
            "Run a time service (chrony, systemd-timesyncd) on both: grace periods and deadlines rest on the clocks.",
        )  # fmt: skip
    else:
        yield Line("clocks", "ok", "This machine and the database agree on the time.")


def _installation() -> Line:
    """Which version reads which settings: two checkouts or two folders are easily taken for each other."""
    file = Path(".env").absolute()
    settings = f"settings are those of {file} and the environment" if file.is_file() else "no .env in this folder"
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Line("installation", "ok", f"payments-pipeline {__version__}, {system}; {settings}.")


def _place(url: URL) -> str:
    """Which database it is, without user or password."""
    host = url.host or str(url.query.get("host", "this machine"))
    return f"database {url.database} on {host}{f', port {url.port}' if url.port else ''}"


def _migrated(connection: Connection) -> Iterator[Line]:
    require_current(connection)
    yield Line("database", "ok", "The schema is at this version's revision.")


def _view(connection: Connection, view: str) -> Iterator[Line]:
    missing = missing_columns(connection, view)
    if missing:
        yield Line(
            "contract", "failed", f"recon.{view} lacks {', '.join(missing)}.",
            "Add them to the view (docs/adapting.md), then: payments-pipeline db upgrade",
        )  # fmt: skip
        return
    connection.execute(text(f"SELECT * FROM recon.{view} LIMIT 1"))  # noqa: S608  (one of our seven constants)
    yield Line("contract", "ok", f"recon.{view} answers with its columns.")


def _indexes(connection: Connection) -> Iterator[Line]:
    """By the planner's own word: with sequential scans forbidden, a view that is still scanned has no index for it."""
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    connection.execute(text("SET LOCAL jit = off"))
    absent = 0
    for path in sorted((sql_root() / "doctor" / "indexes").glob("*.sql")):
        source = read_sql(f"doctor/indexes/{path.name}")
        plan = connection.execute(text(f"EXPLAIN (FORMAT JSON) {source}")).scalar_one()
        if _SEQUENTIAL in str(plan):
            absent += 1
            wanted, _, why = source.splitlines()[0].removeprefix("-- ").partition(": ")
            yield Line(
                "indexes", "warning", f"No index serves {wanted}: {why}",
                "Create one on the application's table, on the view's own expression; sql/reference/application.sql "
                "shows them.",
            )  # fmt: skip
    if not absent:
        yield Line("indexes", "ok", "The application's tables have the indexes that runs lean on.")


def _webhooks(connection: Connection, now: datetime) -> Iterator[Line]:
    rows = connection.execute(named("doctor/webhook_flow.sql"), {"now": now}).all()
    if not rows:
        yield Line(
            "webhooks", "warning", "The inbox recorded nothing in the last day.",
            "If the application was paid since, its webhook handler is down or not logged: see the provider's "
            "dashboard.",
        )  # fmt: skip
    for row in rows:
        told = f"{row.provider}: {row.webhooks} in the last day, the newest at {row.newest:%Y-%m-%d %H:%M} UTC"
        if row.refused:
            yield Line(
                "webhooks", "warning", f"{told}; {row.refused} with a refused signature.",
                "Compare the webhook secret with the provider's dashboard.",
            )  # fmt: skip
        elif row.failed:
            yield Line(
                "webhooks", "warning", f"{told}; {row.failed} failed.",
                "payments-pipeline report failed_webhooks tells why.",
            )  # fmt: skip
        else:
            yield Line("webhooks", "ok", f"{told}.")


def _daemon(settings: Settings, now: datetime) -> Iterator[Line]:
    try:
        with sighted(settings, now) as sight:
            silent = daemons(sight)
    except (PaymentsPipelineError, SQLAlchemyError, dg.DagsterError) as error:
        yield _broken("daemon", error, "Check DAGSTER_POSTGRES_URL and DAGSTER_HOME.")
        return
    if silent:
        reasons = [str(what.evidence.get("reason", "silent")) for _, what in sorted(silent.items())]
        more = f" The same of {', '.join(sorted(silent)[1:])}." if len(silent) > 1 else ""
        yield Line("daemon", "warning", f"{reasons[0]}{more}",
                   "Start it (make dev, or docs/operations.md), unless you run without it.")  # fmt: skip
    else:
        yield Line("daemon", "ok", "dagster-daemon is alive. Everything it must do: payments-pipeline health")


def _providers(settings: Settings, now: datetime) -> Iterator[Line]:
    try:
        providers = build_providers(settings, lambda: now)
    except PaymentsPipelineError as error:
        yield _broken("providers", error)
        return
    if not providers:
        yield Line("providers", "skipped", "No provider is configured.", "Set credentials: see .env.example.")
    for one in identified(providers):
        name = f"{one.provider.name} {one.provider.label}"
        if one.error is not None or one.account is None:
            yield _broken("providers", one.error or "no answer", at=name)
            continue
        mode = "live" if one.account.livemode else "test"
        yield Line("providers", "ok", f"{name} is account {one.account.account}, {mode} mode.")
        yield from _scopes(one.provider, name, now)


def _scopes(provider: ConfiguredProvider, name: str, now: datetime) -> Iterator[Line]:
    """One page of each resource: what a key may not read shows here and not in the night."""
    readable = []
    for resource_name, resource in provider.resources.items():
        try:
            next(iter(resource.pages(Window(now - LOOK_BACK, now))), None)
        except PaymentsPipelineError as error:
            yield _broken("providers", error, at=f"{name} {resource_name}")
        else:
            readable.append(resource_name)
    if readable:
        yield Line("providers", "ok", f"{name} may read {', '.join(readable)}.")


def _discord(settings: Settings, *, post: bool) -> Iterator[Line]:
    try:
        channels = build_channels(settings)
    except PaymentsPipelineError as error:
        yield _broken("alerts", error)
        return
    if not channels:
        yield Line(
            "alerts", "warning", "No channel is configured: alerts wait in the outbox.", "Set DISCORD_WEBHOOK_URL."
        )
        return
    if settings.discord_webhook_url is not None:
        yield _webhook_valid(settings, post=post)
    for name in channels:
        if name != "discord":
            yield Line("alerts", "skipped", f"{name} can't be asked without sending; its address is well formed.")


def _webhook_valid(settings: Settings, *, post: bool) -> Line:
    from payments_pipeline.notify.discord import webhook_address

    assert settings.discord_webhook_url is not None  # noqa: S101  (the caller looked)
    address = webhook_address(settings.discord_webhook_url.get_secret_value(), settings.discord_api_base)
    remedy = "Copy the address from the channel's settings again (Integrations, Webhooks)."
    try:
        if post:
            body = {"content": "payments-pipeline doctor: a test message.", "allowed_mentions": {"parse": []}}
            answer = requests.post(address, json=body, timeout=settings.http_timeout_seconds)
        else:
            answer = requests.get(address, timeout=settings.http_timeout_seconds)
    except requests.RequestException as error:
        return Line(
            "alerts", "failed", f"Discord does not answer ({type(error).__name__}).",
            "Check the network and DISCORD_API_BASE.",
        )  # fmt: skip
    if not answer.ok:
        return Line("alerts", "failed", f"Discord refuses the webhook: HTTP {answer.status_code}.", remedy)
    return Line("alerts", "ok", "Discord took a test message." if post else "Discord knows the webhook.")


def _guarded(part: str, engine: Engine, look: Callable[[Connection], Iterator[Line]]) -> Sequence[Line]:
    """What `look` says, in a read-only transaction of its own; an error becomes a line."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            return list(look(connection))
    except (PaymentsPipelineError, SQLAlchemyError) as error:
        return [_broken(part, error, "Run: payments-pipeline db upgrade")]


def _broken(part: str, error: Exception | str, remedy: str = "", at: str = "") -> Line:
    place = f"{at}: " if at else ""
    if isinstance(error, PaymentsPipelineError):
        where = f" [{error.where}]" if error.where else ""
        return Line(part, "failed", f"{place}{error.what}{where}", error.remedy or remedy)
    message = str(error.orig).strip().splitlines()[0] if isinstance(error, DBAPIError) else str(error).splitlines()[0]
    return Line(part, "failed", f"{place}{message}", remedy)

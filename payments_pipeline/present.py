"""What a reconciliation found, gathered from the database and shown: tables for people, one JSON object for machines.

Belongs here: reading results and laying them out. Does not belong here: running anything but what the command asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from sqlalchemy import Connection

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.json_output import console as console_for
from payments_pipeline.json_output import write_json
from payments_pipeline.providers.catalogue import SPECS, configured_providers
from payments_pipeline.reports import Report, load_reports, stored_totals
from payments_pipeline.screen import Table

PROBLEMS_SHOWN = 5
REMEDY = "payments-pipeline doctor examines database, keys and accounts; then run it again."
COLOURS = {"CRITICAL": "red", "HIGH": "dark_orange", "MEDIUM": "yellow", "LOW": "white"}


def run_reconcile(settings: Settings, *, as_of: datetime | None, repair: bool, json: Path | None) -> int:
    """One reconciliation over the configured providers and database.

    Returns:
        0 nothing open, 1 findings are open, 2 a configured provider could not be read in full.
    """
    from payments_pipeline.assets.canonical import NIGHTLY
    from payments_pipeline.reconcile import local_runs  # Dagster: seconds that other commands need not pay

    console = console_for(json)
    engine = get_engine(settings)
    upgrade(engine, settings.contract_dir)
    with local_runs(settings, as_of) as runs:
        whole, problems = runs.run(NIGHTLY), runs.problems
        if repair:
            runs.tick("repairs_due")
            runs.tick("proposals_due")
        runs.tick("alerts_due")
    with engine.connect() as connection:
        summary = gather(connection, settings, load_reports())
    show_coverage(console, summary["coverage"])
    show_reports(console, summary["reports"])
    console.print(
        f"Open findings: {summary['open_findings']}. Waiting notifications: {summary['outbox'].get('pending', 0)}."
    )
    _what_next(console, settings, summary)
    write_json(json, summary)
    if not whole:
        for problem in problems[:PROBLEMS_SHOWN]:
            console.print(problem, style="red", markup=False, highlight=False)
        console.print(f"The run did not end well. What to do: {REMEDY}")
        return 2
    return 1 if summary["open_findings"] else 0


def _what_next(console: Console, settings: Settings, summary: Mapping[str, Any]) -> None:
    if not configured_providers(settings):
        console.print("No provider is configured: only what the application wrote was judged. payments-pipeline init")
    if summary["open_findings"]:
        console.print("Next: payments-pipeline findings list, findings show ID, actions list; report NAME for rows.")


def gather(connection: Connection, settings: Settings, reports: Mapping[str, Report]) -> dict[str, Any]:
    """Coverage, reports, open findings and outbox as they are now, as plain JSON-able values."""
    statuses = connection.execute(named("present/findings_by_status.sql")).all()
    live: dict[str, int] = defaultdict(int)
    for row in statuses:
        live[row.status] += row.findings
    return {
        "coverage": coverage_lines(connection, configured_providers(settings)),
        "reports": {name: _report_line(connection, report) for name, report in reports.items()},
        "open_findings": sum(number for status, number in live.items() if status != "resolved"),
        "findings": dict(live),
        "outbox": dict(connection.execute(named("present/outbox_by_state.sql")).all()),
        "actions": dict(connection.execute(named("present/actions_by_state.sql")).all()),
    }


def coverage_lines(connection: Connection, configured: frozenset[str]) -> list[dict[str, Any]]:
    """One line a known resource of each account: read in full, read in part, never read, or not configured."""
    fetched = latest(connection)
    lines: list[dict[str, Any]] = []
    for spec in SPECS:
        name = {"provider": spec.provider, "resource": spec.name}
        own = [one for one in fetched if (one.provider, one.resource) == (spec.provider, spec.name)]
        if spec.provider not in configured:
            lines.append(name | {"state": "not configured"})
        elif not own:
            lines.append(name | {"state": "never read"})
        else:
            lines += [name | _coverage_line(one) for one in own]
    return lines


def _coverage_line(coverage: Coverage) -> dict[str, Any]:
    return {
        "state": "complete" if coverage.complete else "incomplete",
        "account": coverage.account,
        "mode": "live" if coverage.livemode else "test",
        "from": coverage.window_from.isoformat(),
        "to": coverage.window_to.isoformat(),
        "pages": coverage.pages,
        "objects": coverage.objects,
        "rows_written": coverage.rows_written,
        "rejected": coverage.rejected,
        "error": coverage.error,
    }


def show_coverage(console: Console, lines: Sequence[Mapping[str, Any]]) -> None:
    """Coverage as a table, with the accounts where a provider has several."""
    table = Table(title="Coverage: what was read of each provider", title_justify="left")
    several = len({(line["provider"], line["resource"]) for line in lines}) < len(lines)
    columns = ["provider", "account", "resource", "state", "mode", "pages", "objects", "written", "error"]
    for column in [name for name in columns if several or name != "account"]:
        table.add_column(column, justify="right" if column in {"pages", "objects", "written"} else "left")
    for line in _gathered(lines):
        colour = {"complete": "green", "not configured": "dim"}.get(line["state"], "red")
        numbers = [str(line.get(name, "")) for name in ("pages", "objects", "rows_written")]
        state = f"[{colour}]{line['state']}[/]"
        names = (line["provider"], *([escape(line.get("account", ""))] if several else []), line["resource"])
        table.add_row(*names, state, line.get("mode", ""), *numbers, escape(line.get("error") or ""))
    console.print(table)


def _gathered(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One line for a provider that is not configured, not one for each of its resources."""
    idle = {line["provider"]: {**line, "resource": "all"} for line in lines if line["state"] == "not configured"}
    return [*(line for line in lines if line["state"] != "not configured"), *idle.values()]


def show_reports(console: Console, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Reports as a table: rows by severity and the amount at risk."""
    table = Table(title="Reports: each row is an anomaly", title_justify="left")
    for column in ("report", "rows", "by severity", "amount at risk"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for name, line in reports.items():
        severities = ", ".join(
            f"[{COLOURS[level]}]{number} {level}[/]" for level, number in line["by_severity"].items()
        )
        risk = ", ".join(escape(f"{amount} {currency}") for currency, amount in line["amount_at_risk"].items())
        table.add_row(name, str(line["rows"]), severities or "[green]none[/]", risk)
    console.print(table)


def _report_line(connection: Connection, report: Report) -> dict[str, Any]:
    """Counted by the database: a report of a bad day may have more rows than fit into memory."""
    name = {"table": f"reports.{report.name}"}
    columns = [row.attname for row in connection.execute(named("assets/columns.sql"), name)]
    by_severity, at_risk = stored_totals(connection, report.name, columns) if columns else ({}, {})
    return {
        "title": report.title,
        "rows": sum(by_severity.values()),
        "by_severity": by_severity,
        "amount_at_risk": {currency: f"{amount:f}" for currency, amount in at_risk.items() if currency},
    }

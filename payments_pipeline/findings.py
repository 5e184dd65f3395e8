"""The lifecycle of findings: a report's rows open, refresh, reopen and resolve them, and queue what people are told.

Belongs here: one transaction that brings recon.findings and the outbox in line with a materialised report, and whom to
believe. Does not belong here: what an anomaly is (the report's SQL), sending (notify/), or repairing (remediation/).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from psycopg import sql as pg
from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ReportError
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.reports import Report

CHANNEL = "discord"
# More changes than this in one refresh, as after an outage, are told in one message (failure catalogue, M15).
DIGEST_ABOVE = 20
DIGEST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """What one refresh did, as counts of findings.

    Attributes:
        opened: first episodes.
        reopened: further episodes of anomalies that had been resolved.
        withheld: rows and findings left as they are, because their provider was not read in full, or the very object
            they are about could not be read.
    """

    opened: int
    refreshed: int
    reopened: int
    resolved: int
    withheld: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A live finding. `evidence` is the report's row: fractions as text, times as ISO 8601 in UTC."""

    finding_id: int
    report: str
    fingerprint: str
    episode: int
    status: str
    severity: str
    provider: str | None
    user_ref: str | None
    payment_ref: str | None
    amount: Decimal | None
    currency: str | None
    action: str | None
    evidence: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    times_seen: int


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a report can't believe now.

    Attributes:
        untrusted: providers whose rows neither open nor resolve anything.
        any_untrusted: the same for rows that name no provider.
    """

    untrusted: frozenset[str]
    any_untrusted: bool


def trust(report: Report, coverage: Iterable[Coverage], configured: Collection[str]) -> Trust:
    """Who may be believed: a provider that was read in full, or whose credentials the report can do without.

    Args:
        coverage: the newest certificate of each provider, account and resource.
        configured: providers with credentials.
    """
    certificates: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for certificate in coverage:
        certificates[certificate.provider, certificate.resource].append(certificate.complete)

    def believed(provider: str) -> bool:
        if provider not in configured:
            return report.unconfigured == "judge"
        needed = [certificates[provider, resource] for resource in report.coverage[provider]]
        return all(complete and all(complete) for complete in needed)

    untrusted = frozenset(provider for provider in report.coverage if not believed(provider))
    nobody_reads = bool(report.coverage) and not set(report.coverage) & set(configured)
    return Trust(untrusted, bool(untrusted & set(configured)) or (nobody_reads and bool(untrusted)))


def refresh(
    engine: Engine,
    report: Report,
    *,
    as_of: datetime,
    configured: Collection[str],
    ui_url: str,
    run_id: str | None,
) -> FindingChanges:
    """Bring the findings of `report` in line with its table, and queue one message a change.

    All or nothing. Running it again with the same rows changes only when, and how often, a finding was seen; of two at
    once the second waits for the first. A report as of the past is a look back: it changes no finding that was judged
    later.

    Args:
        as_of: time of the changes, UTC and aware.
        configured: providers with credentials.
        ui_url: where links in messages point to.

    Raises:
        ReportError: the report has not been materialised yet.
    """
    frame = _frame(report, ui_url, run_id)
    with engine.begin() as connection:
        connection.execute(named("findings/lock.sql"), {"report": report.name})
        if _judged_since(connection, report, as_of):
            return FindingChanges(opened=0, refreshed=0, reopened=0, resolved=0, withheld=0)
        whom = trust(report, latest(connection), configured)
        beliefs = {"untrusted": sorted(whom.untrusted), "any_untrusted": whom.any_untrusted}
        _stage(connection, report, beliefs)
        values = {"report": report.name, "action": report.action, "as_of": as_of}
        refreshed = connection.execute(named("findings/refresh_seen.sql"), values).rowcount
        opened = connection.execute(named("findings/open.sql"), values).all()
        gone = connection.execute(
            named("findings/resolve.sql"), {"report": report.name, "as_of": as_of} | beliefs
        ).scalars()
        resolved = list(gone)
        withheld = connection.execute(named("findings/withheld.sql"), {"report": report.name}).scalar_one()
        _tell_opened(connection, [row.finding_id for row in opened], frame, as_of)
        _tell_resolved(connection, resolved, frame, as_of)
    first = sum(1 for row in opened if row.episode == 1)
    return FindingChanges(
        opened=first,
        refreshed=refreshed,
        reopened=len(opened) - first,
        resolved=len(resolved),
        withheld=withheld,
    )


def live_findings(connection: Connection, report: str | None = None, limit: int = 1000) -> list[Finding]:
    """Findings that are not resolved, the gravest and oldest first; of one report, or of all."""
    rows = connection.execute(named("findings/live.sql"), {"report": report, "most": limit}).mappings()
    return [Finding(**row) for row in rows]


def _judged_since(connection: Connection, report: Report, as_of: datetime) -> bool:
    """Whether findings of this report were brought in line as of a later time already."""
    newest = connection.execute(named("findings/newest_judgement.sql"), {"report": report.name}).scalar()
    return newest is not None and newest > as_of


def _stage(connection: Connection, report: Report, beliefs: Mapping[str, Any]) -> None:
    """Copy the report's table into the temporary table that all further statements read."""
    columns = connection.execute(named("findings/stage_columns.sql"), {"report": report.name}).all()
    if not columns:
        raise ReportError(
            f"Report {report.name} has no table yet.",
            where=f"reports.{report.name}",
            remedy=f"Materialise the asset {report.name} first, then its findings.",
        )
    exact = [row.column_name for row in columns if row.is_fraction]
    evidence: pg.Composable = pg.SQL("to_jsonb(r) - 'fingerprint'")
    for column in exact:
        evidence += pg.SQL(" || jsonb_build_object({}, CAST({} AS text))").format(
            pg.Literal(column), pg.Identifier("r", column)
        )
    view = pg.SQL(
        "CREATE TEMPORARY VIEW staged_json AS SELECT r.fingerprint, r.severity, {} AS evidence FROM {} AS r"
    ).format(evidence, pg.Identifier("reports", report.name))
    needed = [(provider, name) for provider, names in report.coverage.items() for name in names]
    connection.execute(
        named("findings/stage_unreadable.sql"),
        {"providers": [provider for provider, _ in needed], "resources": [name for _, name in needed]},
    )
    connection.execute(named("findings/stage_create.sql"))
    connection.exec_driver_sql(view.as_string())
    connection.execute(named("findings/stage_fill.sql"), beliefs)
    # Dropped at once: the report's table could not be replaced while a view reads it.
    connection.exec_driver_sql("DROP VIEW staged_json")
    connection.exec_driver_sql("ANALYZE report_rows")


def _frame(report: Report, ui_url: str, run_id: str | None) -> str:
    """What every message about this report says, as JSON."""
    return orjson.dumps(
        {
            "report": report.name,
            "title": report.title,
            "why": report.why,
            "what_to_do": report.what_to_do,
            "report_url": f"{ui_url.rstrip('/')}/assets/{report.name}",
            "run_id": run_id,
        }
    ).decode()


def _tell_opened(connection: Connection, findings: Sequence[int], frame: str, as_of: datetime) -> None:
    if len(findings) > DIGEST_ABOVE:
        _digest(connection, findings, "opened", frame, as_of)
    else:
        _each(connection, findings, "opened", frame, as_of)


def _tell_resolved(connection: Connection, findings: Sequence[int], frame: str, as_of: datetime) -> None:
    """A finding with a message of its own has that message edited, however many; the others are told as new ones."""
    alone = set(
        connection.execute(named("findings/told_alone.sql"), {"findings": list(findings), "channel": CHANNEL}).scalars()
    )
    in_digest = [finding for finding in findings if finding not in alone]
    if len(in_digest) > DIGEST_ABOVE:
        _digest(connection, in_digest, "resolved", frame, as_of)
        findings = sorted(alone)
    _each(connection, findings, "resolved", frame, as_of)


def _each(connection: Connection, findings: Sequence[int], kind: str, frame: str, as_of: datetime) -> None:
    if findings:
        connection.execute(
            named("findings/notify_each.sql"),
            {"findings": list(findings), "kind": kind, "channel": CHANNEL, "frame": frame, "as_of": as_of},
        )


def _digest(connection: Connection, findings: Sequence[int], change: str, frame: str, as_of: datetime) -> None:
    connection.execute(
        named("findings/notify_digest.sql"),
        {
            "findings": list(findings),
            "change": change,
            "channel": CHANNEL,
            "frame": frame,
            "as_of": as_of,
            "examples": DIGEST_EXAMPLES,
        },
    )

"""Brings findings in line with rows: opens, refreshes, reopens and resolves them, and queues what people are told.

Belongs here: the one transaction, and its order. Does not belong here: whom to believe (trust.py), what is told
(telling.py), what people do (triage.py). All statements are set-based: ten thousand rows cost a handful of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import sql as pg
from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ReportError
from payments_pipeline.findings.telling import FLAP_WINDOW, THREAD_MOST, Teller, frame_of
from payments_pipeline.findings.trust import Trust, proof, trust
from payments_pipeline.ingest.coverage import latest
from payments_pipeline.notify.routing import HOLD_BACK
from payments_pipeline.reports import Report


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
class Judgement:
    """Under what staged rows are judged.

    Attributes:
        source: the report, or the watch, whose findings they are.
        action: the repair its findings ask for.
        as_of: time of the changes, UTC and aware.
        frame: what every message about it says, as JSON.
        certificates: coverage ids by provider; see `trust.proof`.
        complete: rows that are not staged are gone; otherwise only what is staged is judged.
    """

    source: str
    action: str | None
    as_of: datetime
    frame: str
    whom: Trust
    certificates: Mapping[str, Sequence[int]]
    run_id: str | None
    complete: bool = True


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
    later. A finding that a person resolved stays resolved while its row is there and no word, amount or severity of it
    says more than it did then.

    Args:
        as_of: time of the changes, UTC and aware.
        configured: providers with credentials.
        ui_url: where links in messages point to.

    Raises:
        ReportError: the report has not been materialised yet.
    """
    with engine.begin() as connection:
        lock(connection, report.name)
        if _judged_since(connection, report, as_of):
            return FindingChanges(opened=0, refreshed=0, reopened=0, resolved=0, withheld=0)
        coverage = latest(connection)
        whom = trust(report, coverage, configured)
        _stage(connection, report, _beliefs(whom))
        frame = frame_of(report, ui_url, run_id)
        certificates = proof(report, coverage)
        return judge(connection, Judgement(report.name, report.action, as_of, frame, whom, certificates, run_id))


def judge(connection: Connection, judgement: Judgement) -> FindingChanges:
    """Bring findings in line with the rows staged in `report_rows`; the caller holds the source's lock."""
    source, beliefs = {"report": judgement.source}, _beliefs(judgement.whom)
    values = source | {"action": judgement.action, "as_of": judgement.as_of}
    seen = connection.execute(named("findings/refresh_seen.sql"), values).one()
    resolved: dict[int, bool] = {}
    withheld = 0
    if judgement.complete:
        resolved = _resolve(connection, judgement, only=None)
        connection.execute(named("findings/unsettle.sql"), source | beliefs)
        withheld = connection.execute(named("findings/withheld.sql"), source).scalar_one()
    more = {
        "certificates": orjson.dumps(dict(judgement.certificates)).decode(),
        "run_id": judgement.run_id,
        "flap_window": FLAP_WINDOW,
        "thread_most": THREAD_MOST,
    }
    opened = connection.execute(named("findings/open.sql"), values | more).all()
    woken = list(connection.execute(named("findings/wake.sql"), source | {"as_of": judgement.as_of}).scalars())
    tell = Teller(connection, judgement.source, judgement.frame, judgement.as_of)
    tell.opened([row.finding_id for row in opened if row.thread_id is None])
    tell.reopened([row.finding_id for row in opened if row.thread_id is not None])
    tell.risen(seen.risen)
    tell.woken(woken)
    _tell_resolved(tell, resolved)
    first = sum(1 for row in opened if row.episode == 1)
    return FindingChanges(
        opened=first,
        refreshed=seen.refreshed,
        reopened=len(opened) - first,
        resolved=len(resolved),
        withheld=withheld,
    )


def resolve_one(connection: Connection, judgement: Judgement, key: str) -> bool:
    """Resolve the live finding with this key, if there is one, whatever is staged of others."""
    resolved = _resolve(connection, judgement, only=key)
    _tell_resolved(Teller(connection, judgement.source, judgement.frame, judgement.as_of), resolved)
    return bool(resolved)


def wake_snoozed(engine: Engine, *, as_of: datetime) -> int:
    """Open again what was snoozed until now, of all reports, also of those that no run judges; returns how many."""
    woken = 0
    with engine.begin() as connection:
        sources = list(connection.execute(named("findings/snoozed_over.sql"), {"as_of": as_of}).scalars())
    for source in sources:
        with engine.begin() as connection:
            lock(connection, source)
            found = list(connection.execute(named("findings/wake.sql"), {"report": source, "as_of": as_of}).scalars())
            Teller(connection, source, known_frame(connection, source), as_of).woken(found)
            woken += len(found)
    return woken


def lock(connection: Connection, source: str) -> None:
    """One change of a source's findings at a time, until the transaction ends."""
    connection.execute(named("findings/lock.sql"), {"report": source})


def known_frame(connection: Connection, source: str) -> str:
    """What messages about this source said of it last, as JSON; only its name where none was written yet."""
    body = connection.execute(named("findings/frame_of.sql"), {"report": source}).scalar() or {}
    kept = ("report", "title", "why", "what_to_do", "report_url")
    return orjson.dumps({"report": source} | {key: body[key] for key in kept if key in body}).decode()


def stage_unreadable(connection: Connection, coverage: Mapping[str, Collection[str]]) -> None:
    """What could not be read of these resources by provider, in `unreadable_refs`, which the judgement reads."""
    needed = [(provider, name) for provider, names in coverage.items() for name in names]
    connection.execute(
        named("findings/stage_unreadable.sql"),
        {"providers": [provider for provider, _ in needed], "resources": [name for _, name in needed]},
    )


def _tell_resolved(tell: Teller, resolved: Mapping[int, bool]) -> None:
    """What is over by itself may flutter; what was repaired is good news at once."""
    tell.resolved([finding for finding, repaired in resolved.items() if not repaired], hold_back=HOLD_BACK)
    tell.resolved([finding for finding, repaired in resolved.items() if repaired])


def _resolve(connection: Connection, judgement: Judgement, only: str | None) -> dict[int, bool]:
    """The findings that are over now, and whether a verified repair did it."""
    values = {"report": judgement.source, "as_of": judgement.as_of, "key": only} | _beliefs(judgement.whom)
    return {row.finding_id: row.repaired for row in connection.execute(named("findings/resolve.sql"), values)}


def _beliefs(whom: Trust) -> dict[str, Any]:
    return {"untrusted": sorted(whom.untrusted), "any_untrusted": whom.any_untrusted}


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
    evidence: pg.Composable = pg.SQL("to_jsonb(r) - 'fingerprint'")
    for column in [row.column_name for row in columns if row.is_fraction]:
        evidence += pg.SQL(" || jsonb_build_object({}, CAST({} AS text))").format(
            pg.Literal(column), pg.Identifier("r", column)
        )
    words = [row.column_name for row in columns if row.is_material]
    material = pg.SQL("jsonb_build_array({})").format(
        pg.SQL(", ").join(pg.SQL("CAST({} AS text)").format(pg.Identifier("r", word)) for word in words)
    )
    view = pg.SQL(
        "CREATE TEMPORARY VIEW staged_json AS"
        " SELECT r.fingerprint, r.severity, {} AS evidence, {} AS material FROM {} AS r"
    ).format(evidence, material, pg.Identifier("reports", report.name))
    stage_unreadable(connection, report.coverage)
    connection.execute(named("findings/stage_create.sql"))
    connection.exec_driver_sql(view.as_string())
    connection.execute(named("findings/stage_fill.sql"), beliefs)
    # Dropped at once: the report's table could not be replaced while a view reads it.
    connection.exec_driver_sql("DROP VIEW staged_json")
    connection.exec_driver_sql("ANALYZE report_rows")

"""Looks again, right after repairs, at what they repaired, so that their findings resolve within seconds.

Belongs here: which objects are read anew at the provider, which reports run again, and their findings. Does not belong
here: repairing (rounds.py, actions.py). Nothing is taken for granted: a finding resolves because its report, run on
what was read, has no such row any more, and only inside a complete coverage, as in any other run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.findings import refresh
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.snapshot import reread
from payments_pipeline.providers.base import Clock
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.kinds import Touching
from payments_pipeline.remediation.registry import KINDS
from payments_pipeline.reports import Report, materialise


@dataclass(frozen=True, slots=True)
class Looker:
    """Who can look again.

    Attributes:
        configured: providers with credentials.
        clock: the present; when something was read is told by it.
        judged_by: the time that reports and findings are as of.
    """

    engine: Engine
    settings: Settings
    desk: Desk
    reports: Mapping[str, Report]
    configured: Collection[str]
    clock: Clock
    judged_by: Clock
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What looking again came to: reports that ran, findings resolved, objects read again."""

    reports: Sequence[str]
    resolved: int
    objects: int


def look_again(by: Looker, actions: Collection[int]) -> Look:
    """Read anew what these verified actions changed, and run the reports that have live findings about it.

    Args:
        actions: their ids; those that are not verified are passed over.

    Raises:
        PaymentsPipelineError: a report fails, or the database is lost. What the provider does not tell now stands in
        the certificate of that reading, and keeps its findings open.
    """
    if not actions:
        return Look((), 0, 0)
    with by.engine.connect() as connection:
        rows = connection.execute(named("remediation/to_look_at.sql"), {"actions": sorted(actions)}).all()
        touched = _touched(rows)
        names = _reports(connection, rows)
    objects = sum(_read(by, account, resource, ids) for (account, resource), ids in sorted(touched.items()))
    if names:
        refresh_provider_transactions(
            by.engine,
            by.judged_by(),
            applications=by.settings.application_names,
            checkout_reference=by.settings.checkout_reference,
        )
    wanted = [by.reports[name] for name in names if name in by.reports]
    return Look(tuple(report.name for report in wanted), sum(_judge(by, report) for report in wanted), objects)


def not_looked_at(engine: Engine, at: datetime) -> list[int]:
    """Actions verified within a day before `at` whose findings nobody judged since."""
    with engine.connect() as connection:
        return list(connection.execute(named("remediation/not_looked_at.sql"), {"at": at}).scalars())


def _touched(rows: Sequence[Any]) -> dict[tuple[str, str], set[str]]:
    """Ids by Stripe account and resource."""
    touched: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        kind: object = KINDS.get(row.kind)
        if not isinstance(kind, Touching) or not row.facts:
            continue
        account, objects = kind.touched(row.facts)
        for resource, ids in objects.items():
            touched[account, resource] |= set(ids)
    return touched


def _reports(connection: Connection, rows: Sequence[Any]) -> list[str]:
    names: set[str] = set()
    for row in rows:
        facts = row.facts or {}
        payment = facts.get("payment") or {}
        about = {
            "finding_id": row.finding_id,
            "user_ref": row.target.get("user_id"),
            "payment_ref": row.target.get("payment_id") or payment.get("payment_id"),
        }
        names |= set(connection.execute(named("remediation/reports_about.sql"), about).scalars())
    return sorted(names)


def _read(by: Looker, account: str, resource: str, ids: Collection[str]) -> int:
    provider, who = by.desk.stripe_account(account)
    if resource not in provider.resources:
        return 0
    certificate = reread(
        by.engine, provider, who, resource, sorted(ids),
        as_of=by.judged_by(), mode="reread", run_id=by.run_id, clock=by.clock, keep_raw=by.settings.keep_raw_json,
    )  # fmt: skip
    return certificate.objects


def _judge(by: Looker, report: Report) -> int:
    """How many of its findings are over."""
    as_of = by.judged_by()
    materialise(
        by.engine, report, as_of=as_of, overrides=by.settings.report_params.get(report.name, {}), run_id=by.run_id
    )  # fmt: skip
    changes = refresh(
        by.engine, report, as_of=as_of, configured=by.configured, ui_url=by.settings.dagster_ui_url, run_id=by.run_id
    )  # fmt: skip
    return changes.resolved

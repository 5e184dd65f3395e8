"""Findings: one asset a report, which opens, refreshes and resolves them, and one that shows what is open in all.

A report's findings have an asset of their own, so that a report whose SQL fails leaves the other reports' findings as
they should be. Belongs here: calling `findings.refresh` and showing what it did. Does not belong here: the lifecycle.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
from sqlalchemy import Row

from payments_pipeline.assets.findings_chart import bands, chart, span
from payments_pipeline.assets.presentation import (
    FRESHNESS,
    OWNERS,
    PREVIEW_ROWS,
    amounts,
    counts,
    glance,
    table_schema,
)
from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.findings import Finding, live_findings, refresh
from payments_pipeline.reports import Report
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

CHART_DAYS = 30
LOOKED_AT_FIRST = ("id", "severity", "report", "user", "amount", "open for")


def findings_key(report: str) -> dg.AssetKey:
    """Key of the asset that keeps the findings of `report`."""
    return dg.AssetKey(["findings", report])


def finding_assets(reports: Mapping[str, Report]) -> list[dg.AssetsDefinition]:
    """One asset a report."""
    return [_finding_asset(report) for report in reports.values()]


def _finding_asset(report: Report) -> dg.AssetsDefinition:
    @dg.asset(
        key=findings_key(report.name),
        group_name="findings",
        deps=[report.name],
        description=(
            f"Findings of `{report.name}`: a row seen for the first time opens one and queues an alert; a row that is "
            "gone resolves it, but only where its provider was read in full."
        ),
        kinds={"sql", "postgres"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        metadata={"dagster/table_name": "recon.findings", "dagster/column_schema": table_schema("findings")},
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
        providers: ProvidersResource,
    ) -> dg.MaterializeResult[Any]:
        changes = refresh(
            database.engine,
            report,
            as_of=clock.now(),
            configured=providers.configured,
            ui_url=settings.dagster_ui_url,
            run_id=context.run.run_id,
        )
        return dg.MaterializeResult(
            metadata={
                "opened": changes.opened,
                "refreshed": changes.refreshed,
                "reopened": changes.reopened,
                "resolved": changes.resolved,
                "withheld": changes.withheld,
            }
        )

    return build


def findings_overview(reports: Mapping[str, Report]) -> dg.AssetsDefinition:
    """The asset at the end of the graph: what is open now."""

    @dg.asset(
        key="findings",
        group_name="findings",
        deps=[findings_key(name) for name in reports],
        description="Every anomaly that is open now, of all reports: identity, lifetime, evidence.",
        kinds={"sql", "postgres"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        metadata={
            "dagster/table_name": "recon.findings",
            "dagster/column_schema": table_schema("findings"),
        },
    )
    def build(clock: ClockResource, database: DatabaseResource) -> dg.MaterializeResult[Any]:
        now = clock.now()
        with database.connect() as connection:
            rows = connection.execute(named("assets/live_findings.sql")).all()
            days = connection.execute(named("assets/open_by_day.sql"), {"now": now, "days": CHART_DAYS}).all()
            times = connection.execute(named("assets/times.sql"), {"since": now - timedelta(days=CHART_DAYS)}).one()
            worst = live_findings(connection, limit=PREVIEW_ROWS)
        shown = {
            "open_findings": glance([_row(one, now) for one in worst], LOOKED_AT_FIRST),
            "open_over_time": chart(*bands(days)),
            "mean_time_to_detect": span(times.to_detect, times.detected),
            "mean_time_to_resolve": span(times.to_resolve, times.resolved),
        }
        return dg.MaterializeResult(metadata=overview(rows) | shown | by_report(rows))

    return build


def _row(one: Finding, now: datetime) -> dict[str, Any]:
    return {
        "id": one.finding_id,
        "severity": one.severity,
        "report": one.report,
        "status": one.status,
        "user": one.user_ref,
        "payment": one.payment_ref,
        "amount": "" if one.amount is None else f"{one.amount:f} {one.currency or ''}",
        "open for": span((now - one.opened_at).total_seconds(), 1).partition(" (")[0],
        "reason": one.evidence.get("reason"),
    }


def overview(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Metadata from rows of (report, severity, currency, findings, amount)."""
    severities: dict[str, int] = defaultdict(int)
    risk: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        severities[row.severity] += row.findings
        if row.currency is not None:
            risk[row.currency] += row.amount
    return {
        "dagster/row_count": sum(severities.values()),
        "by_severity": counts(severities),
        "amount_at_risk": amounts(risk),
    }


def by_report(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Metadata from the same rows: how many findings of each report, the most first."""
    reports: dict[str, int] = defaultdict(int)
    for row in rows:
        reports[row.report] += row.findings
    most_first = sorted(reports.items(), key=lambda one: (-one[1], one[0]))
    return {"by_report": ", ".join(f"{name} {number}" for name, number in most_first) or "none"}

"""Findings: one asset a report, which opens, refreshes and resolves them, and one that shows what is open in all.

A report's findings have an asset of their own, so that a report whose SQL fails leaves the other reports' findings as
they should be. Belongs here: calling `findings.refresh` and showing what it did. Does not belong here: the lifecycle.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg
from sqlalchemy import Row

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, amounts, column_schema, counts, table_columns
from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.findings import refresh
from payments_pipeline.reports import Report
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource


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
        metadata={"dagster/table_name": "recon.findings"},
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
            "dagster/column_schema": column_schema(table_columns()["findings"]),
        },
    )
    def build(database: DatabaseResource) -> dg.MaterializeResult[Any]:
        with database.connect() as connection:
            rows = connection.execute(named("assets/live_findings.sql")).all()
        return dg.MaterializeResult(metadata=overview(rows))

    return build


def overview(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Metadata from rows of (report, severity, currency, findings, amount)."""
    severities: dict[str, int] = defaultdict(int)
    reports: dict[str, int] = defaultdict(int)
    risk: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        severities[row.severity] += row.findings
        reports[row.report] += row.findings
        if row.currency is not None:
            risk[row.currency] += row.amount
    return {
        "dagster/row_count": sum(reports.values()),
        "by_severity": counts(severities),
        "by_report": dict(sorted(reports.items())),
        "amount_at_risk": amounts(risk),
    }

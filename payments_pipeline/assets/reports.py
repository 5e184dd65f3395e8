"""One asset a report file: the anomalies that exist now, as a table.

Belongs here: turning a `Report` into an asset with its lineage and metadata. Does not belong here: reading report
files or running their SQL (`payments_pipeline.reports`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import (
    FRESHNESS,
    OWNERS,
    amounts,
    column_schema,
    counts,
    glance,
    made_columns,
    preview,
    sparkline,
    stored_columns,
)
from payments_pipeline.assets.report_chart import Past, plots, report_chart
from payments_pipeline.config import Settings
from payments_pipeline.db.contract import CONTRACT
from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.reports import Report, ReportResult, materialise, refresh_intraday
from payments_pipeline.resources import ClockResource, DatabaseResource

HISTORY_RUNS = 30
MINUTE = "%Y-%m-%d %H:%M"
# The job that looks at two reports between two nights, as soon as a payer without access is seen.
PROBE = "probe_activations"
ADDED = {
    "fingerprint": "Identity of the row: the hash of its key columns. A finding is known by it.",
    "severity": "CRITICAL, HIGH, MEDIUM or LOW.",
}
# What our own views rest on: they are no assets themselves.
VIEWS = {
    "plan_terms": ("app_plans",),
    "payment_verdicts": (
        "app_payments",
        "app_plans",
        "app_subscription_events",
        "app_users",
        "deposit_matches",
        "provider_transactions",
        "stripe_disputes",
        "stripe_payment_intents",
        "coverage",
    ),
    "payment_objects": ("app_payments", "provider_transactions", "stripe_payment_intents"),
    "payment_retries": ("app_payments", "provider_transactions", "stripe_payment_intents"),
    "live_providers": ("coverage",),
}


def report_asset(report: Report) -> dg.AssetsDefinition:
    """The asset that materialises `reports.<name>`."""

    @dg.asset(
        key=report.name,
        group_name="reports",
        deps=lineage(report.tables),
        description=_description(report),
        kinds={"sql", "postgres"},
        owners=OWNERS,
        tags={"severity": report.severity.lower()},
        freshness_policy=FRESHNESS,
        metadata={
            "dagster/table_name": _table(report),
            "dagster/column_schema": _columns(report, made_columns(_table(report), _names(report))),
        },
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
    ) -> dg.MaterializeResult[Any]:
        result = _made(context.run, report, clock, settings, database)
        with database.connect() as connection:
            known = {"report": report.name, "max_runs": HISTORY_RUNS}
            history = [Past(*row) for row in connection.execute(named("assets/report_history.sql"), known)]
            past: dict[str, Any]
            if context.run.job_name == PROBE:  # seconds count there
                past = {"last_runs": sparkline([run.row_count for run in history])}
            else:
                past = {
                    "chart_of_last_runs": report_chart(history, HISTORY_RUNS),
                    "coverage": covered(report, latest(connection)),
                    "dagster/column_schema": _columns(report, stored_columns(connection, _table(report))),
                }
        return dg.MaterializeResult(metadata=_metadata(result, past))

    return build


def _table(report: Report) -> str:
    return f"reports.{report.name}"


def _names(report: Report) -> list[str]:
    own = report.selects or tuple(report.columns)
    return [*ADDED, *(name for name in own if name not in ADDED)]


def _columns(report: Report, types: Mapping[str, str]) -> dg.TableSchema:
    return column_schema(types, {**ADDED, **report.columns})


def _made(
    run: dg.DagsterRun, report: Report, clock: ClockResource, settings: Settings, database: DatabaseResource
) -> ReportResult:
    """The whole report; in the probe what was touched, where that is enough."""
    overrides = settings.report_params.get(report.name, {})
    if run.job_name == PROBE and report.intraday != "nightly":
        (done,) = refresh_intraday(
            database.engine, [report], as_of=clock.now(), overrides={report.name: overrides}, run_id=run.run_id
        )
        if done.error is not None:
            raise done.error
        assert done.result is not None  # noqa: S101  (it did not fail)
        return done.result
    return materialise(database.engine, report, as_of=clock.now(), overrides=overrides, run_id=run.run_id)


def covered(report: Report, fetches: Sequence[Coverage]) -> dg.MarkdownMetadataValue:
    """What the report needs of providers, and from when to when that was read."""
    needed = {(provider, name) for provider, names in report.coverage.items() for name in names}
    lines = [
        f"- {one.provider} {one.resource}, {one.account}: {one.window_from:{MINUTE}} to {one.window_to:{MINUTE}}, "
        + ("read in full" if one.complete else f"not read in full: {one.error}")
        for one in fetches
        if (one.provider, one.resource) in needed
    ]
    empty = "nothing was read of a provider" if needed else "the application is asked alone"
    return dg.MetadataValue.md("\n".join(lines) or empty)


def lineage(tables: Iterable[str]) -> list[str]:
    """Asset keys among the tables a query reads (with or without schema); constants such as state_map are none."""
    known = {*CONTRACT, "provider_transactions", "deposit_matches", *(spec.table for spec in SPECS)}
    read = {table.rsplit(".", 1)[-1] for table in tables}
    names = read | {source for view in read for source in VIEWS.get(view, ())}
    return sorted(names & known)


def _description(report: Report) -> str:
    action = f"\n\n**Repair**: `{report.action}`" if report.action else ""
    return f"**{report.title}**\n\n{report.why}\n\n**What to do**: {report.what_to_do}{action}"


def _metadata(result: ReportResult, past: Mapping[str, Any]) -> dict[str, Any]:
    """In the order in which people read: what there is now, how it went, the rows, then plain numbers for plots."""
    return {
        "dagster/row_count": result.rows,
        "by_severity": counts(result.by_severity),
        "amount_at_risk": amounts(result.amount_at_risk),
        "first_rows": glance(result.preview),
        **past,
        "preview": preview(result.preview),
        "seconds": round(float(result.seconds), 3),
        **plots(result.by_severity, result.amount_at_risk),
    }

"""Reports between two nights: one asset that brings the intra-day reports and their findings up to now.

Belongs here: running `reports.refresh_intraday` and `findings.refresh` one after the other, and showing what they did,
a row a report, and on the pages of the reports that changed. Does not belong here: which reports are intra-day (their
front matter), or what was touched. One asset and not one a report, because every five minutes thirty steps of Dagster
would cost more than their queries. The nightly run makes every report anew and leaves this asset out.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import OWNERS, counts, preview
from payments_pipeline.assets.reports import lineage
from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.findings import FindingChanges, refresh
from payments_pipeline.reports import IntradayResult, Report, refresh_intraday
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

KEY = "intraday_reports"
# Due every five minutes (schedules.py).
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1), warn_window=timedelta(minutes=30))


def intraday_asset(reports: Mapping[str, Report]) -> dg.AssetsDefinition:
    """The asset that keeps the intra-day reports up to date."""
    chosen = [report for report in reports.values() if report.intraday != "nightly"]

    @dg.asset(
        key=KEY,
        group_name="reports",
        deps=lineage(sorted({table for report in chosen for table in report.tables})),
        description=(
            "The reports that need not wait for the night, brought up to now: the whole of those that are fast on any "
            "history, of the others what was touched since the last run. Opens and resolves their findings."
        ),
        kinds={"sql", "postgres"},
        owners=OWNERS,
        freshness_policy=FRESH,
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
        providers: ProvidersResource,
    ) -> dg.MaterializeResult[Any]:
        now, run_id = clock.now(), context.run.run_id
        results = refresh_intraday(database.engine, chosen, as_of=now, overrides=settings.report_params, run_id=run_id)
        with database.connect() as connection:
            live = {row.report for row in connection.execute(named("assets/live_findings.sql"))}
        changes: dict[str, FindingChanges] = {}
        for one in results:
            # Without rows and findings there is nothing to bring in line.
            if one.result is not None and (one.result.rows or one.name in live):
                changes[one.name] = refresh(
                    database.engine, reports[one.name], as_of=now, configured=providers.configured,
                    ui_url=settings.dagster_ui_url, run_id=run_id,
                )  # fmt: skip
            if one.result is not None and one.changed:
                context.log_event(dg.AssetObservation(one.name, metadata=_observed(one)))
        metadata = intraday_metadata(results, changes)
        failed = [one for one in results if one.error is not None]
        if failed:
            raise dg.Failure("; ".join(str(one.error) for one in failed), metadata=metadata, allow_retries=False)
        return dg.MaterializeResult(metadata=metadata)

    return build


def intraday_metadata(results: Sequence[IntradayResult], changes: Mapping[str, FindingChanges]) -> dict[str, Any]:
    """Totals, and a row a report that changed or failed. Pure."""
    rows = [
        {
            "report": one.name, "how": one.how, "rows": one.result.rows if one.result else "",
            "changed": one.changed, "seconds": round(one.result.seconds, 3) if one.result else "",
            "problem": one.error or "",
        }
        for one in results
        if one.changed or one.error
    ]  # fmt: skip
    slowest = max((one for one in results if one.result), key=lambda one: one.result.seconds, default=None)  # type: ignore[union-attr]
    return {
        "reports": len(results),
        "rows_changed": sum(one.changed for one in results),
        "made_anew": ", ".join(one.name for one in results if one.how == "anew") or "none",
        "opened": sum(one.opened + one.reopened for one in changes.values()),
        "resolved": sum(one.resolved for one in changes.values()),
        "withheld": sum(one.withheld for one in changes.values()),
        "slowest": f"{slowest.name}, {slowest.result.seconds:.3f} s" if slowest and slowest.result else "none",
        "changes": preview(rows) if rows else dg.MetadataValue.md("nothing changed"),
    }


def _observed(one: IntradayResult) -> dict[str, Any]:
    """For the report's own page: an observation, because a materialization is the nightly run's to claim."""
    assert one.result is not None  # noqa: S101  (the caller asked)
    return {
        "dagster/row_count": one.result.rows,
        "by_severity": counts(one.result.by_severity),
        "changed": one.changed,
        "how": one.how,
    }

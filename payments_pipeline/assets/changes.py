"""What changed at the providers, read every few minutes: the incremental way in, as an asset of its own.

Belongs here: running `ingest.across.catch_up` and showing what it did, also on the raw tables' own pages. Does not
belong here: what is read, and when watermarks move (`ingest/`).

The nightly sweep reads what this asset reads and more, so that job leaves it out. The step fails only in the run in
which a list that could be trusted no longer can: one alert an outage, not one every few minutes. While the outage
lasts, the reason stands in the metadata here, and the night's verdict repeats it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import OWNERS, preview, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.ingest.across import Reading, Run, catch_up
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

KEY = "provider_changes"
TABLES = {(spec.provider, spec.name): spec.table for spec in SPECS}
# Due every five minutes (schedules.py).
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1), warn_window=timedelta(minutes=30))


@dg.asset(
    name=KEY,
    group_name="providers",
    description=(
        "What was created or changed since the last run, of every configured account: new objects by listing, changed "
        "ones by the provider's feed of events, open ones by asking again. The table says how far each list has come."
    ),
    kinds={"postgres"},
    owners=OWNERS,
    freshness_policy=FRESH,
    metadata={
        "dagster/table_name": "recon.watermarks",
        "dagster/column_schema": table_schema("watermarks"),
    },
)
def provider_changes(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
    providers: ProvidersResource,
) -> dg.MaterializeResult[Any]:
    """Bring the raw tables up to now."""
    accounts = providers.all_accounts(clock.present)
    run = Run(database.engine, clock.now(), context.run.run_id, clock.present, settings.keep_raw_json)
    with database.connect() as connection:
        before = latest(connection)
    readings = catch_up(run, accounts)
    with database.connect() as connection:
        broken = newly_broken(before, latest(connection))
    for reading in readings:
        if reading.rows_written or not reading.complete:
            context.log_event(_observed(reading))
    metadata = changes_metadata(readings)
    if broken:
        raise dg.Failure("No longer read in full: " + "; ".join(broken), metadata=metadata, allow_retries=False)
    return dg.MaterializeResult(metadata=metadata)


def newly_broken(before: Sequence[Coverage], after: Sequence[Coverage]) -> list[str]:
    """What was worth something before a run and is not now: provider, resource and why. Pure.

    Args:
        before, after: the newest certificates, from `ingest.coverage.latest`.
    """
    stood = {(one.provider, one.account, one.resource) for one in before if one.complete}
    return [
        f"{one.provider} {one.resource}: {one.error or 'incomplete'}"
        for one in after
        if not one.complete and (one.provider, one.account, one.resource) in stood
    ]


def changes_metadata(readings: Sequence[Reading]) -> dict[str, Any]:
    """Totals, and a row a resource of which something was written or could not be read."""
    rows = [
        {
            "provider": one.provider, "account": one.account or one.label, "resource": one.resource,
            "objects": one.objects, "rows written": one.rows_written, "problem": one.problem,
        }
        for one in readings
        if one.rows_written or not one.complete
    ]  # fmt: skip
    return {
        "complete": all(one.complete for one in readings),
        "objects": sum(one.objects for one in readings),
        "rows_written": sum(one.rows_written for one in readings),
        "rejected": sum(one.rejected for one in readings),
        "changes": preview(rows) if rows else dg.MetadataValue.md("nothing changed"),
    }


def _observed(reading: Reading) -> dg.AssetObservation:
    """For the raw table's own page: an observation, because a materialization is the nightly sweep's to claim."""
    return dg.AssetObservation(
        TABLES[reading.provider, reading.resource],
        metadata={
            "account": reading.account or reading.label,
            "complete": reading.complete,
            "error": reading.problem or "none",
            "objects": reading.objects,
            "rows_written": reading.rows_written,
            "rejected": reading.rejected,
        },
    )

"""Raw tables, one asset a provider resource: what the provider had when it was last read.

Belongs here: turning `providers.catalogue.SPECS` into assets. Does not belong here: fetching or loading (`ingest/`) and
judging whether a fetch can be trusted (`checks.py`).

A provider without credentials gives external assets: visible, labelled, and nothing to run. A fetch that fails does
not fail its step: Dagster would then skip everything downstream, and one provider's outage would hide what the others
show. Its coverage is incomplete instead, which withholds that provider's findings, turns the asset's check red, and
fails the run at its end.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, column_schema, table_columns
from payments_pipeline.config import Settings
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.ingest.unread import certify_unread
from payments_pipeline.providers.base import ResourceSpec, Window
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource


def snapshot_assets(configured: frozenset[str]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """One asset for each known resource; external where the provider is not configured."""
    return [_snapshot_asset(spec) if spec.provider in configured else _not_configured(spec) for spec in SPECS]


def _metadata(spec: ResourceSpec) -> dict[str, Any]:
    return {
        "dagster/table_name": f"recon.{spec.table}",
        "dagster/column_schema": column_schema(table_columns().get(spec.table, {})),
    }


def _not_configured(spec: ResourceSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        spec.table,
        group_name="providers",
        kinds={spec.provider, "postgres"},
        owners=OWNERS,
        metadata=_metadata(spec),
        description=(
            f"**Not configured**: {spec.provider} has no credentials, so it is not read and nothing is said about what "
            f"it lacks. Set them (see `.env.example`) and reload the code location.\n\n{spec.description}"
        ),
        tags={"configured": "no"},
    )


def _snapshot_asset(spec: ResourceSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.table,
        group_name="providers",
        kinds={spec.provider, "postgres"},
        owners=OWNERS,
        metadata=_metadata(spec),
        description=spec.description,
        tags={"configured": "yes"},
        freshness_policy=FRESHNESS,
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
        providers: ProvidersResource,
    ) -> dg.MaterializeResult[Any]:
        as_of = clock.now()
        window = Window(as_of - timedelta(days=settings.snapshot_window_days), as_of)
        origin: dict[str, Any] = {"as_of": as_of, "mode": "sweep", "run_id": context.run.run_id, "clock": clock.now}
        try:
            provider = providers.named(spec.provider, clock.now)
            account = provider.identify()
        except PaymentsPipelineError as error:
            context.log.error(f"{spec.provider} {spec.name} was not read: {error}")
            certify_unread(database.engine, spec.provider, spec.name, window, error, **origin)
            return dg.MaterializeResult(metadata={"complete": False, "error": str(error)})
        coverage = snapshot(database.engine, provider, account, spec.name, window, **origin)
        if coverage.error:
            context.log.error(f"{spec.provider} {spec.name} was not read in full: {coverage.error}")
        return dg.MaterializeResult(metadata=coverage_metadata(coverage))

    return build


def coverage_metadata(coverage: Coverage) -> Mapping[str, Any]:
    """What a fetch is worth, for the asset's page."""
    return {
        "complete": coverage.complete,
        "error": coverage.error or "none",
        "account": coverage.account,
        "mode": "live" if coverage.livemode else "test",
        "window": f"{coverage.window_from.isoformat()} to {coverage.window_to.isoformat()}",
        "as_of": dg.MetadataValue.timestamp(coverage.as_of),
        "pages": coverage.pages,
        "objects": coverage.objects,
        "rows_written": coverage.rows_written,
        "rejected": coverage.rejected,
    }

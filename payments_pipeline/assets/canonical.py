"""The one table in which all providers' money has one form. The SQL is in `sql/canonical/`; this only runs it."""

from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, contents, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource

NIGHTLY = "nightly_reconciliation"


class RefreshConfig(dg.Config):
    """How much a refresh looks at; the table ends the same."""

    everything: bool | None = Field(
        default=None,
        description="True: all objects; false: what changed since the last refresh; unset: all in the nightly job.",
    )


@dg.asset(
    group_name="canonical",
    deps=[*(spec.table for spec in SPECS), "provider_changes", "open_crypto_payments", "app_users", "app_payments"],
    description=(
        "Every provider object in canonical form: exact amount, currency, canonical state, times, link to user and "
        "payment. An unknown provider status reads `unknown`, never a guess."
    ),
    kinds={"sql", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    metadata={
        "dagster/table_name": "recon.provider_transactions",
        "dagster/column_schema": table_schema("provider_transactions"),
    },
)
def provider_transactions(
    context: dg.AssetExecutionContext,
    config: RefreshConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> dg.MaterializeResult[Any]:
    """Bring the canonical table up to the raw tables."""
    result = refresh_provider_transactions(
        database.engine,
        clock.now(),
        applications=settings.application_names,
        checkout_reference=settings.checkout_reference,
        everything=context.run.job_name == NIGHTLY if config.everything is None else config.everything,
    )
    return dg.MaterializeResult(
        metadata={
            "everything": result.everything,
            "rows_written": result.rows_written,
            **{f"rows_{provider}": rows for provider, rows in sorted(result.by_provider.items())},
            **contents(database.engine, "provider_transactions"),
        }
    )

"""The one table in which all providers' money has one form. The SQL is in `sql/canonical/`; this only runs it."""

from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, column_schema, contents, table_columns
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource


@dg.asset(
    group_name="canonical",
    deps=[*(spec.table for spec in SPECS), "provider_changes", "app_users", "app_payments"],
    description=(
        "Every provider object in canonical form: exact amount, currency, canonical state, times, link to user and "
        "payment. An unknown provider status reads `unknown`, never a guess."
    ),
    kinds={"sql", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    metadata={
        "dagster/table_name": "recon.provider_transactions",
        "dagster/column_schema": column_schema(table_columns()["provider_transactions"]),
    },
)
def provider_transactions(clock: ClockResource, database: DatabaseResource) -> dg.MaterializeResult[Any]:
    """Bring the canonical table up to the raw tables."""
    result = refresh_provider_transactions(database.engine, clock.now())
    return dg.MaterializeResult(
        metadata={
            "rows_written": result.rows_written,
            **{f"rows_{provider}": rows for provider, rows in sorted(result.by_provider.items())},
            **contents(database.engine, "provider_transactions"),
        }
    )

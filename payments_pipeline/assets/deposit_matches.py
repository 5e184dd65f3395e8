"""Which deposit settles which payment, as a table. The rules are in `core/matching.py`; this only runs them."""

from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, contents, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.core.deposits import Rules
from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline.resources import ClockResource, DatabaseResource


@dg.asset(
    group_name="canonical",
    deps=["provider_transactions", "okx_deposits", "app_payments"],
    description=(
        "Each final deposit with the payment that it settles: the best assignment overall by coin, network, address, "
        "memo, time and amount. Where two are equally good it reads `ambiguous` and a person decides."
    ),
    kinds={"python", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    metadata={
        "dagster/table_name": "recon.deposit_matches",
        "dagster/column_schema": table_schema("deposit_matches"),
    },
)
def deposit_matches(
    settings: dg.ResourceParam[Settings], clock: ClockResource, database: DatabaseResource
) -> dg.MaterializeResult[Any]:
    """Judge the deposits that changed, and all that compete with them."""
    rules = Rules(
        tolerance=settings.deposit_tolerance,
        tolerance_by_coin=dict(sorted(settings.deposit_tolerance_by_coin.items())),
    )
    result = refresh_deposit_matches(database.engine, clock.now(), rules)
    return dg.MaterializeResult(
        metadata={
            "judged": result.judged,
            "rows_written": result.written,
            **{f"judged_{state}": count for state, count in sorted(result.states.items())},
            **contents(database.engine, "deposit_matches"),
        }
    )

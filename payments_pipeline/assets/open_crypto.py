"""Open crypto payments, asked for once a minute while there are any.

Belongs here: running `ingest.across.catch_up` for the crypto providers alone, and showing what it did. Does not belong
here: what is read (`ingest/`). An outage is told by `provider_changes`, whose step fails when one begins; here it only
stands in the metadata.
"""

from typing import Any

import dagster as dg

from payments_pipeline.assets.changes import changes_metadata
from payments_pipeline.assets.presentation import OWNERS, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.ingest.across import Run, catch_up
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

KEY = "open_crypto_payments"
CRYPTO = frozenset({"nowpayments", "okx"})


@dg.asset(
    name=KEY,
    group_name="providers",
    description=(
        "New and open payments of NOWPayments, new and unconfirmed deposits of OKX: asked for every minute while a "
        "crypto payment of the application waits for its money."
    ),
    kinds={"postgres"},
    owners=OWNERS,
    metadata={"dagster/table_name": "recon.watermarks", "dagster/column_schema": table_schema("watermarks")},
)
def open_crypto_payments(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
    providers: ProvidersResource,
) -> dg.MaterializeResult[Any]:
    """Bring the crypto providers' raw tables up to now."""
    accounts = [one for one in providers.all_accounts(clock.present) if one.name in CRYPTO]
    run = Run(database.engine, clock.now(), context.run.run_id, clock.present, settings.keep_raw_json)
    return dg.MaterializeResult(metadata=changes_metadata(catch_up(run, accounts)))

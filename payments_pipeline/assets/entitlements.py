"""What each user should have by the money, as a table people can look things up in. The SQL is in `sql/canonical/`."""

from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, column_schema, contents, table_columns
from payments_pipeline.ingest.entitlements import refresh_entitlements
from payments_pipeline.resources import ClockResource, DatabaseResource

COLUMNS = {
    "user_ref": "The user, as the application's id in text.",
    "is_entitled": "Whether the user should have access now.",
    "tier": "Tier that was bought last, or that the user changed to since; empty when the plan is not known.",
    "plan_ref": "The plan that goes with it.",
    "plan_name": "Its name; empty when there is no such plan.",
    "entitled_from": "Since when (UTC): the oldest payment for this tier that still runs.",
    "entitled_until": "Until when (UTC); empty: for ever. When it ended, where is_entitled is false.",
    "why": "The payment that gives it, and what was considered: refunds, disputes, events since.",
    "payment_ref": "The payment that decides, as the application's id in text.",
    "provider": "Who took the money.",
    "provider_ref": "The provider's id of the payment.",
    "amount": "Paid, in major units, as the application wrote it down.",
    "currency": "Currency of the amount.",
    "paid_at": "When it was paid (UTC).",
    "judged_at": "When this judgement was first reached (UTC).",
}


@dg.asset(
    group_name="canonical",
    deps=[
        "provider_transactions", "deposit_matches", "stripe_disputes", "app_users", "app_plans", "app_payments",
        "app_subscription_events",
    ],
    description=(
        "What each user should have now according to the money: tier, from, until, and why. Reports judge the payments "
        "themselves and do not wait for this table; it is for people, and for other systems that want to know."
    ),
    kinds={"sql", "postgres"},
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    metadata={
        "dagster/table_name": "recon.entitlements",
        "dagster/column_schema": column_schema(table_columns()["entitlements"], COLUMNS),
    },
)  # fmt: skip
def entitlements(clock: ClockResource, database: DatabaseResource) -> dg.MaterializeResult[Any]:
    """Judge every user anew; writes only what changed."""
    result = refresh_entitlements(database.engine, clock.now())
    return dg.MaterializeResult(
        metadata={
            "rows_written": result.rows_written,
            "rows_removed": result.rows_removed,
            **contents(database.engine, "entitlements"),
        }
    )

"""The application's own tables as Dagster shows them: external assets, one a contract view.

Belongs here: their names and descriptions for the lineage graph. Does not belong here: reading them; the views are in
`sql/contract/`.
"""

import dagster as dg

from payments_pipeline.assets.columns import meanings
from payments_pipeline.assets.presentation import OWNERS, column_schema, made_columns
from payments_pipeline.db.contract import CONTRACT

DESCRIPTIONS = {
    "app_plans": "What can be bought: tier, period, price.",
    "app_users": "Who has access to what now, as the application sees it.",
    "app_payments": "The application's own record of each payment.",
    "app_bookings": "Paid services between two users.",
    "app_payouts": "Money sent on to payees.",
    "app_webhook_logs": "Webhooks as the application's inbox recorded them.",
    "app_subscription_events": "What happened to a user's subscription, and who did it.",
}


def application_specs() -> list[dg.AssetSpec]:
    """One external asset for each contract view."""
    return [
        dg.AssetSpec(
            view,
            group_name="application",
            description=(f"{DESCRIPTIONS[view]} The application writes it; `sql/contract/{view}.sql` maps it."),
            kinds={"postgres", "view"},
            owners=OWNERS,
            metadata={
                "dagster/table_name": f"recon.{view}",
                "dagster/column_schema": column_schema(made_columns(f"recon.{view}", columns), meanings(view, columns)),
            },
        )
        for view, columns in CONTRACT.items()
    ]

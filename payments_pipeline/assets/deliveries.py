"""Telling, in the run that found: what is in the outbox is sent at the end of an intra-day run.

Belongs here: a round of delivery as the last asset of a run, and what it did. Does not belong here: sending
(`notify/`). A run of its own, started by a sensor, would be seconds later; that sensor (`alerts_due`) sees to what is
left. Whatever goes wrong here is not the run's failure: the messages stay in the outbox and are tried again.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.presentation import OWNERS, table_schema
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.findings.watching import watch_undelivered
from payments_pipeline.notify.outbox import Delivery, deliver
from payments_pipeline.reports import Report
from payments_pipeline.resources import ChannelsResource, ClockResource, DatabaseResource

KEY = "deliveries"
# A channel that hangs must not hold up the next probe: the rest is the delivery run's.
ROUND = 100
PATIENCE_SECONDS = 5.0


def deliver_round(
    database: DatabaseResource,
    channels: ChannelsResource,
    clock: ClockResource,
    *,
    limit: int,
    patience: float,
    run_id: str,
) -> Delivery:
    """Send what is due; what had to be given up becomes a finding.

    Args:
        limit, patience: see `notify.outbox.deliver`.
    """
    engine = database.engine
    outcome = deliver(
        engine, channels.channels(), clock=clock.present, plan=channels.plan(), limit=limit, patience=patience
    )
    watch_undelivered(engine, at=clock.present(), ui_url=channels.settings.dagster_ui_url, run_id=run_id)
    return outcome


def shown(outcome: Delivery) -> dict[str, Any]:
    """As metadata."""
    return {
        "sent": outcome.sent,
        "retried": outcome.retried,
        "dead": outcome.dead,
        "waiting": outcome.waiting,
        "unconfigured": outcome.unconfigured,
    }


def deliveries(reports: Mapping[str, Report], *more: str) -> dg.AssetsDefinition:
    """The asset after all findings.

    Args:
        more: further assets whose findings it tells.
    """

    @dg.asset(
        key=KEY,
        group_name="findings",
        deps=[*(findings_key(name) for name in reports), *more],
        description="What was told at the end of an intra-day run, in all channels; nightly, a run of its own does it.",
        kinds={"postgres"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": "recon.notifications",
            "dagster/column_schema": table_schema("notifications"),
        },
    )
    def build(
        context: dg.AssetExecutionContext,
        clock: ClockResource,
        database: DatabaseResource,
        channels: ChannelsResource,
    ) -> dg.MaterializeResult[Any]:
        try:
            outcome = deliver_round(
                database, channels, clock, limit=ROUND, patience=PATIENCE_SECONDS, run_id=context.run.run_id
            )
        except (PaymentsPipelineError, SQLAlchemyError) as error:
            context.log.warning(f"Left to the delivery run: {type(error).__name__}")
            return dg.MaterializeResult(metadata={"problem": type(error).__name__})
        for channel, reason in outcome.down.items():
            context.log.warning(f"{channel} is paused: {reason}")
        return dg.MaterializeResult(metadata=shown(outcome))

    return build

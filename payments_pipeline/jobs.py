"""Jobs: what can be launched, by a schedule, a sensor or a person at the launchpad.

Belongs here: selections of assets, and the op that delivers notifications. Does not belong here: repairs
(repair_jobs.py, action_jobs.py). Every job runs in process: a step of its own process would pay all imports again.
"""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from payments_pipeline.assets import BETWEEN_NIGHTS
from payments_pipeline.assets.changes import KEY as CHANGES
from payments_pipeline.assets.deliveries import KEY as DELIVERIES
from payments_pipeline.assets.deliveries import deliver_round, shown
from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.intraday import KEY as INTRADAY
from payments_pipeline.reports import Report
from payments_pipeline.resources import ChannelsResource, ClockResource, DatabaseResource

# One run at a time in each lane (dagster.yaml); lanes do not wait for each other.
LANE = "payments_pipeline/lane"
INGEST_CHANGES = "ingest_changes"
ACTIVATION_REPORT = "activation_gaps"
PROBED = (ACTIVATION_REPORT, "wrong_tier")
REPAIRS = "repairs"
PATIENCE_SECONDS = 30.0


def asset_jobs(reports: Mapping[str, Report]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs that materialise assets."""
    found = [dg.AssetKey(name) for name in reports] + [findings_key(name) for name in reports]
    return [
        dg.define_asset_job(
            "nightly_reconciliation",
            selection=dg.AssetSelection.all() - dg.AssetSelection.assets(CHANGES, *BETWEEN_NIGHTS, REPAIRS),
            executor_def=dg.in_process_executor,
            tags={LANE: "reconciliation"},
            description=(
                "Read every configured provider, bring all to canonical form, run every report, open and resolve "
                "findings. A provider that can't be read withholds its own findings only; the run then ends as failed."
            ),
        ),
        dg.define_asset_job(
            INGEST_CHANGES,
            selection=dg.AssetSelection.assets(
                CHANGES, "provider_transactions", "deposit_matches", INTRADAY, DELIVERIES, REPAIRS
            ).without_checks(),
            executor_def=dg.in_process_executor,
            tags={LANE: "changes"},
            description=(
                "Read what is new or changed at every configured provider since the last run, bring it to canonical "
                "form, bring the intra-day reports and their findings up to now, tell of them, and repair what policy "
                "lets be repaired by itself; launched by hand, that last part is a dry run. Cheap when nothing "
                "changed; the nightly run reads and judges everything again."
            ),
        ),
        dg.define_asset_job(
            "refresh_reports",
            selection=dg.AssetSelection.assets(
                "provider_transactions", "entitlements", "deposit_matches", *found, "findings"
            ).without_checks(),
            executor_def=dg.in_process_executor,
            tags={LANE: "reconciliation"},
            description="Run every report on what was last read of the providers, without asking them again.",
        ),
    ]


class DeliveryConfig(dg.Config):
    """How much one round of delivery sends."""

    limit: int = Field(default=200, ge=1, description="Attempts in this round.")


@dg.op
def deliver_notifications(
    context: dg.OpExecutionContext,
    config: DeliveryConfig,
    clock: ClockResource,
    database: DatabaseResource,
    channels: ChannelsResource,
) -> None:
    """Send what is due in the outbox; what had to be given up becomes a finding."""
    run_id = context.run.run_id
    outcome = deliver_round(database, channels, clock, limit=config.limit, patience=PATIENCE_SECONDS, run_id=run_id)
    context.log.info(
        f"sent {outcome.sent}, to be retried {outcome.retried}, given up {outcome.dead}, waiting {outcome.waiting}, "
        f"for channels not configured {outcome.unconfigured}"
    )
    for channel, reason in outcome.down.items():
        context.log.warning(f"{channel} is paused: {reason}")
    context.add_output_metadata(shown(outcome))


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "alerts"},
    description="Send what waits in the outbox. A channel that is down is retried later; nothing is lost.",
)
def deliver_alerts() -> None:
    """One round of delivery."""
    deliver_notifications()


OP_JOBS = (deliver_alerts,)

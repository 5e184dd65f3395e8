"""Jobs between two nights that a sensor starts: look, judge, and tell in the same run.

Belongs here: selections of assets, and the small ops beside them. Does not belong here: when they start
(payment_sensors.py, watch_sensors.py), what is found.
"""

from collections.abc import Mapping
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from payments_pipeline.assets.deliveries import KEY as DELIVERIES
from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.health import KEY as HEALTH
from payments_pipeline.assets.open_crypto import CRYPTO
from payments_pipeline.assets.open_crypto import KEY as OPEN_CRYPTO
from payments_pipeline.config import Settings
from payments_pipeline.findings import queue_daily_summary, wake_snoozed
from payments_pipeline.jobs import ACTIVATION_REPORT, INGEST_CHANGES, LANE, PROBED, REPAIRS
from payments_pipeline.reports import Report
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.watchdog.stores import SILENCE

PRIORITY = "dagster/priority"  # which of several queued runs starts first
PROBE_JOB = "probe_activations"
CRYPTO_JOB = "check_crypto_payments"
WATCHDOG_JOB = "watchdog"
TELLING = (PROBE_JOB, CRYPTO_JOB, WATCHDOG_JOB, INGEST_CHANGES)
"""Jobs whose runs send what they found themselves."""

__all__ = [
    "CRYPTO",
    "CRYPTO_JOB",
    "PROBE_JOB",
    "TELLING",
    "WATCHDOG_JOB",
    "WATCH_OP_JOBS",
    "intraday_jobs",
]


def intraday_jobs(reports: Mapping[str, Report]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs that materialise assets."""
    jobs = []
    if ACTIVATION_REPORT in reports:
        jobs.append(
            _job(
                PROBE_JOB,
                [name for name in PROBED if name in reports],
                lane="probe",
                first=True,
                repairs=True,
                description=(
                    "Look for payers without what they paid for, between two nightly runs, tell of them, and give it "
                    "to them in the same run, as far as policy lets that happen by itself. Launched by hand, that "
                    "last part is a dry run."
                ),
            )
        )
    crypto = [name for name, report in reports.items() if report.coverage and set(report.coverage) <= CRYPTO]
    probed = [name for name in PROBED if name in reports]
    jobs.append(
        _job(
            CRYPTO_JOB,
            [*crypto, *probed],
            OPEN_CRYPTO, "provider_transactions", "deposit_matches",
            # Two readings at once would do no harm; they would only do everything twice.
            lane="changes",
            repairs=True,
            description=(
                "Ask NOWPayments and OKX about open and new payments, match deposits, run the crypto reports and look "
                "for payers without access; tell of what is found, and repair what policy lets be repaired by "
                "itself. Launched by hand, that last part is a dry run."
            ),
        )
    )  # fmt: skip
    jobs.append(
        _job(
            WATCHDOG_JOB,
            [name for name in reports if name == SILENCE],
            HEALTH,
            lane="watch",
            checked=HEALTH,
            description=(
                "Look after ourselves: the night's run, readings, webhooks, sensors, the outbox, clocks; tell of it."
            ),
        )
    )
    return jobs


def _job(
    name: str,
    reports: list[str],
    *before: str,
    lane: str,
    description: str,
    checked: str | None = None,
    first: bool = False,
    repairs: bool = False,
) -> UnresolvedAssetJobDefinition:
    chosen = dg.AssetSelection.assets(*before, *reports, *map(findings_key, reports), DELIVERIES).without_checks()
    if checked is not None:
        chosen |= dg.AssetSelection.checks_for_assets(checked)
    if repairs:
        chosen |= dg.AssetSelection.assets(REPAIRS)
    return dg.define_asset_job(
        name,
        selection=chosen,
        executor_def=dg.in_process_executor,
        tags={LANE: lane} | ({PRIORITY: "10"} if first else {}),
        description=description,
    )


@dg.op
def wake_findings(context: dg.OpExecutionContext, clock: ClockResource, database: DatabaseResource) -> None:
    """Open what was snoozed until now."""
    context.log.info(f"{wake_snoozed(database.engine, as_of=clock.now())} findings are open again")


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "watch"},
    description="Open findings whose snooze is over; they are told anew.",
)
def wake_snoozed_findings() -> None:
    """One round."""
    wake_findings()


class SummaryConfig(dg.Config):
    """Up to when it tells."""

    as_of: str | None = Field(default=None, description="ISO 8601 with offset; empty: now. One summary for each time.")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=10))
def queue_summary(
    context: dg.OpExecutionContext,
    config: SummaryConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """What opened, what closed, what is open, since the last summary."""
    as_of = datetime.fromisoformat(config.as_of) if config.as_of else clock.now()
    queued = queue_daily_summary(
        database.engine, as_of=as_of, ui_url=settings.dagster_ui_url, run_id=context.run.run_id
    )
    context.log.info("queued" if queued else "was queued before")


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "watch"},
    description="Queue the daily summary: what opened and closed, what is open by age, at risk, read, and how long.",
)
def daily_summary() -> None:
    """One summary."""
    queue_summary()


WATCH_OP_JOBS = (wake_snoozed_findings, daily_summary)

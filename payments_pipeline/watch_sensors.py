"""Sensors of the findings' own clock: snoozes that end, the summary after the night, the watch over ourselves.

Belongs here: for each one cheap question and what follows from it. Does not belong here: the work (intraday_jobs.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.intraday_jobs import WATCHDOG_JOB, SummaryConfig, daily_summary, wake_snoozed_findings
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.schedules import UNDER_WAY
from payments_pipeline.ticks import late
from payments_pipeline.watchdog.machinery import ENDED, NIGHTLY

RUNNING = dg.DefaultSensorStatus.RUNNING
WATCH_SECONDS = 300
SCHEDULED = "dagster/scheduled_execution_time"


@dg.sensor(
    job_name=wake_snoozed_findings.name,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description="Opens findings whose snooze is over, also where no run judges. On by default: it only tells.",
)
def snoozes_over(clock: ClockResource, database: DatabaseResource) -> dg.RunRequest | dg.SkipReason:
    """A snooze has ended."""
    now = clock.now()
    with database.connect() as connection:
        due = connection.execute(named("sensors/snoozes_over.sql"), {"now": now}).one()
    if not due.findings:
        return dg.SkipReason("No snooze is over.")
    since = int(due.latest.timestamp())
    return dg.RunRequest(run_key=f"wake:{due.first_id}:{due.findings}:{since}:{late(due.earliest, now)}")


@dg.sensor(
    job_name=daily_summary.name,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description="Queues the daily summary once a night, when the nightly run has ended, however it ended.",
)
def night_over(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """The nightly run has ended."""
    night = dg.RunsFilter(job_name=NIGHTLY, statuses=ENDED)
    newest = next(iter(context.instance.get_run_records(night, limit=1)), None)
    if newest is None or newest.dagster_run.run_id == context.cursor:
        return dg.SensorResult(skip_reason="No night has ended since the last summary.", cursor=context.cursor)
    ended = datetime.fromtimestamp(newest.end_time or newest.update_timestamp.timestamp(), UTC)
    scheduled = newest.dagster_run.tags.get(SCHEDULED)
    night_of = datetime.fromisoformat(scheduled) if scheduled else newest.create_timestamp
    day = night_of.astimezone(ZoneInfo(settings.nightly_timezone)).date()
    request = dg.RunRequest(
        run_key=f"summary:{day.isoformat()}",
        run_config=dg.RunConfig(ops={"queue_summary": SummaryConfig(as_of=ended.isoformat())}),
    )
    return dg.SensorResult(run_requests=[request], cursor=newest.dagster_run.run_id)


@dg.sensor(
    job_name=WATCHDOG_JOB,
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=RUNNING,
    description=(
        "Every five minutes: does what must happen by itself happen? The daemon's own death can't be seen from in "
        "here: call `payments-pipeline health` from outside."
    ),
)
def watchdog_due(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Time to look after ourselves."""
    if context.instance.get_runs(dg.RunsFilter(job_name=WATCHDOG_JOB, statuses=UNDER_WAY), limit=1):
        return dg.SkipReason("The round before has not ended.")
    return dg.RunRequest(run_key=f"watchdog:{int(datetime.now(UTC).timestamp()) // WATCH_SECONDS}")

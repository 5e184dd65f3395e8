"""Sensors: what starts a run because something happened.

Belongs here: for each sensor one indexed query (`sql/sensors/`), a pure function that decides, and a thin tick around
both; those that watch payments are in payment_sensors.py, those of the findings' own clock in watch_sensors.py, repairs
in repair_sensors.py. Does not belong here: the work itself; it happens in runs. A run key carries what was seen and how
often it was tried, because Dagster never starts a run for the same key again. Where nothing changed although it should
have, the key changes after 10, 20, 40, … minutes, so that a run that died before it did anything gets a successor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.intraday_jobs import TELLING
from payments_pipeline.jobs import ACTIVATION_REPORT, deliver_alerts
from payments_pipeline.payment_sensors import activation_sensor, open_crypto_payments
from payments_pipeline.repair_sensors import REPAIR_SENSORS
from payments_pipeline.reports import Report
from payments_pipeline.resources import ChannelsResource, ClockResource, DatabaseResource
from payments_pipeline.schedules import UNDER_WAY
from payments_pipeline.ticks import late
from payments_pipeline.watch_sensors import night_over, snoozes_over, watchdog_due
from payments_pipeline.watchdog import run_ended_badly

RUNNING = dg.DefaultSensorStatus.RUNNING
# A message so young may be on its way in the run that wrote it.
LEFT_TO_RUNS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DueNotifications:
    """What waits in the outbox now: how many, the ids at both ends, attempts so far, and since when."""

    waiting: int
    oldest_id: int
    newest_id: int
    attempts: int
    due_since: datetime
    newest_due: datetime


def alert_request(due: DueNotifications | None, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """One delivery run for all that waits."""
    if due is None or due.waiting == 0:
        return dg.SkipReason("Nothing waits to be sent.")
    key = (
        f"alerts:{due.oldest_id}-{due.newest_id}:{due.attempts}:{int(due.newest_due.timestamp())}"
        f":{late(due.due_since, now)}"
    )
    return dg.RunRequest(run_key=key, tags={"notifications": str(due.waiting)})


@dg.sensor(
    job_name=deliver_alerts.name,
    minimum_interval_seconds=15,
    default_status=RUNNING,
    description="Starts a delivery run when a notification is due. On by default: it only tells.",
)
def alerts_due(
    context: dg.SensorEvaluationContext, clock: ClockResource, database: DatabaseResource, channels: ChannelsResource
) -> dg.RunRequest | dg.SkipReason:
    """Something waits in the outbox."""
    configured = sorted(channels.channels())
    if not configured:
        return dg.SkipReason("No channel is configured: set DISCORD_WEBHOOK_URL. Notifications wait in the outbox.")
    now = clock.present()
    with database.connect() as connection:
        parameters = {"now": now, "channels": configured}
        row = connection.execute(named("sensors/notifications_due.sql"), parameters).mappings().one()
    due = DueNotifications(**row) if row["waiting"] else None
    if due is not None and now - due.due_since < LEFT_TO_RUNS and _tells_itself(context.instance):
        return dg.SkipReason("A run is under way that tells what it found.")
    return alert_request(due, now)


def _tells_itself(instance: dg.DagsterInstance) -> bool:
    return any(instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNDER_WAY), limit=1) for job in TELLING)


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=RUNNING,
    description=(
        "Opens a finding for a job whose run failed: told once, however often it fails, and over when a run succeeds. "
        "Not for delivery runs, whose alert would have to take the way that is broken: they retry by themselves."
    ),
)
def run_failed(
    context: dg.RunFailureSensorContext,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """A run ended badly."""
    run = context.dagster_run
    if run.job_name == deliver_alerts.name:
        return
    error = context.failure_event.message or "no message"
    run_ended_badly(database.engine, settings.dagster_ui_url, run.job_name, run.run_id, error, clock.now())


def all_sensors(reports: Mapping[str, Report]) -> list[dg.SensorDefinition]:
    """Every sensor whose job exists."""
    probes = [activation_sensor(reports)] if ACTIVATION_REPORT in reports else []
    watches = [snoozes_over, night_over, watchdog_due]
    return [*probes, open_crypto_payments, alerts_due, *REPAIR_SENSORS, run_failed, *watches]


def intervals(sensors: Sequence[dg.SensorDefinition]) -> dict[str, int]:
    """Names of those that are on by default, with the seconds between two ticks: what should tick, if all is well."""
    return {one.name: one.minimum_interval_seconds or 30 for one in sensors if one.default_status == RUNNING}

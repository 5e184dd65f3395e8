"""Sensors: what starts a run because something happened.

Belongs here: for each sensor one indexed query (`sql/sensors/`), a pure function that decides, and a thin tick around
both. Does not belong here: repairs (repair_sensors.py), the work itself; it happens in runs. A run key carries what was
seen and how often it was tried, because Dagster never starts a run for the same key again. Where nothing changed
although it should have, the key changes after 10, 20, 40, … minutes, so that a run that died before it did anything
gets a successor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.jobs import PROBE_REPAIRS, PROBED, deliver_alerts
from payments_pipeline.repair_sensors import POLICY, REPAIR_SENSORS
from payments_pipeline.reports import Report
from payments_pipeline.resources import ChannelsResource, ClockResource, DatabaseResource
from payments_pipeline.ticks import late

RUNNING = dg.DefaultSensorStatus.RUNNING
ACTIVATION_GRACE = timedelta(seconds=120)  # the webhook's own time to arrive; as in activation_gaps
ACTIVATION_FIRST_LOOK = timedelta(hours=1)
IN_EARNEST = {"dry_run": False, "actor": POLICY}


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


def activation_window(cursor: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Which payments a tick looks at: changed since the last tick, and old enough for their webhook to have come."""
    until = now - ACTIVATION_GRACE
    since = datetime.fromisoformat(cursor) if cursor else until - ACTIVATION_FIRST_LOOK
    return min(since, until), until


def activation_request(suspects: int, newest_payment: str | None, until: datetime) -> dg.RunRequest | dg.SkipReason:
    """A probe when a payer in the window is without the access that was paid for."""
    if not suspects:
        return dg.SkipReason("Every payer of this window has access.")
    key = f"activation:{newest_payment}:{int(until.timestamp())}"
    return dg.RunRequest(run_key=key, run_config={"ops": {PROBE_REPAIRS: {"config": IN_EARNEST}}})


@dg.sensor(
    job_name=deliver_alerts.name,
    minimum_interval_seconds=15,
    default_status=RUNNING,
    description="Starts a delivery run when a notification is due. On by default: it only tells.",
)
def alerts_due(
    clock: ClockResource, database: DatabaseResource, channels: ChannelsResource
) -> dg.RunRequest | dg.SkipReason:
    """Something waits in the outbox."""
    configured = sorted(channels.channels())
    if not configured:
        return dg.SkipReason("No channel is configured: set DISCORD_WEBHOOK_URL. Notifications wait in the outbox.")
    now = clock.present()
    with database.connect() as connection:
        parameters = {"now": now, "channels": configured}
        row = connection.execute(named("sensors/notifications_due.sql"), parameters).mappings().one()
    return alert_request(DueNotifications(**row) if row["waiting"] else None, now)


@dg.sensor(
    job_name="probe_activations",
    minimum_interval_seconds=15,
    default_status=RUNNING,
    description="Looks every 15 seconds at payments that changed: a payer without access starts the activation probe.",
)
def activation_probe(
    context: dg.SensorEvaluationContext, clock: ClockResource, database: DatabaseResource
) -> dg.SensorResult:
    """Payers of the last moments who have no access."""
    since, until = activation_window(context.cursor, clock.now())
    with database.connect() as connection:
        seen = connection.execute(named("sensors/activation_suspects.sql"), {"since": since, "until": until}).one()
    request = activation_request(seen.suspects, seen.newest_payment, until)
    if isinstance(request, dg.SkipReason):
        return dg.SensorResult(skip_reason=request, cursor=until.isoformat())
    return dg.SensorResult(run_requests=[request], cursor=until.isoformat())


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=RUNNING,
    description=(
        "Queues an alert for each run that failed. Not for delivery runs, whose alert would have to take the way that "
        "is broken: they retry by themselves, and messages given up are counted in their metadata."
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
    with database.engine.begin() as connection:
        connection.execute(
            named("sensors/queue_run_failure.sql"),
            {
                "job": run.job_name,
                "run_id": run.run_id,
                "url": f"{settings.dagster_ui_url.rstrip('/')}/runs/{run.run_id}",
                "error": context.failure_event.message,
                "now": clock.now(),
            },
        )


def all_sensors(reports: Mapping[str, Report]) -> list[dg.SensorDefinition]:
    """Every sensor whose job exists."""
    probes = [activation_probe] if set(PROBED) <= set(reports) else []
    return [alerts_due, *REPAIR_SENSORS, *probes, run_failed]

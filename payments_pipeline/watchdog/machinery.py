"""Is Dagster doing its part: the night's run, the sensors' ticks, the daemon's heartbeat. Read from its storage.

Belongs here: those three looks. Does not belong here: our own tables and the clocks (stores.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData, TickStatus

from payments_pipeline.findings import Amiss
from payments_pipeline.watchdog.sight import Sight

NIGHTLY = "nightly_reconciliation"
NIGHTLY_HOUR = 2
NIGHT_LATE = timedelta(minutes=30)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
TICKS_MISSED = 10
SILENT_AT_LEAST = timedelta(minutes=5)
FAILED_TICKS = 3
# Each daemon says that it lives every 30 seconds; Dagster itself calls one dead after 30 minutes.
HEARTBEAT_LATE = timedelta(minutes=3)
FAILURES_KEPT = timedelta(days=7)
FAILURES_MOST = 200
OURS = "payments_pipeline/lane"  # a tag that every job of ours has; other projects may share the storage


def night(sight: Sight) -> dict[str, Amiss]:
    """The nightly run is missed, or failed."""
    due = last_due(sight.now, sight.settings.nightly_timezone)
    newest = next(iter(sight.instance.get_run_records(dg.RunsFilter(job_name=NIGHTLY), limit=1)), None)
    if newest is None:
        return {"nightly": Amiss("MEDIUM", {"reason": "The nightly run has never run: is its schedule on?"})}
    if newest.create_timestamp < due and sight.now > due + NIGHT_LATE:
        reason = f"The run of {due:%Y-%m-%d %H:%M} UTC did not start: is the daemon up, and the schedule on?"
        return {"nightly": Amiss("HIGH", {"reason": reason, "last_run_at": newest.create_timestamp})}
    done = next(iter(sight.instance.get_run_records(dg.RunsFilter(job_name=NIGHTLY, statuses=ENDED), limit=1)), None)
    if done is None or done.dagster_run.status == dg.DagsterRunStatus.SUCCESS:
        return {}
    return {"nightly": night_failure(done.dagster_run.status, done.dagster_run.run_id)}


def night_failure(status: dg.DagsterRunStatus, run_id: str) -> Amiss:
    """A nightly run that failed or was stopped."""
    return Amiss("HIGH", {"reason": f"The last nightly run ended as {status.value.lower()}.", "run_id": run_id})


def failed(sight: Sight) -> dict[str, Amiss]:
    """Jobs whose last run to end failed, the nightly apart. One that nobody starts any more is let go after a week."""
    recent = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=sight.now - FAILURES_KEPT)
    runs = sight.instance.get_runs(recent, limit=FAILURES_MOST)
    amiss = {}
    for job in sorted({run.job_name for run in runs if OURS in run.tags} - {NIGHTLY}):
        last = next(iter(sight.instance.get_runs(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)), None)
        if last is not None and last.status == dg.DagsterRunStatus.FAILURE:
            amiss[job] = run_failure(job, last.run_id, None)
    return amiss


def run_failure(job: str, run_id: str, error: str | None) -> Amiss:
    """A failed run as a finding, one for each job. `error` is shown, and is no new fact when it changes."""
    more = {"error": [error]} if error else {}  # within a list no word makes a person's resolution void
    return Amiss("HIGH", {"job": job, "reason": f"The last run of {job} failed.", "run_ids": [run_id], **more})


def last_due(now: datetime, zone: str) -> datetime:
    """When the nightly run was due last, UTC."""
    local = now.astimezone(ZoneInfo(zone))
    today = local.replace(hour=NIGHTLY_HOUR, minute=0, second=0, microsecond=0)
    return (today if today <= local else today - timedelta(days=1)).astimezone(UTC)


def sensors(sight: Sight) -> dict[str, Amiss]:
    """A sensor does not tick, or all its last ticks failed. One that a person turned off is left alone."""
    states = {
        state.name: state
        for state in sight.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        if state.name in sight.sensors
    }
    amiss = {}
    for name, seconds in sight.sensors.items():
        problem = _silent(sight, states.get(name), seconds)
        if problem:
            amiss[name] = Amiss("HIGH", {"sensor": name, "reason": problem})
    return amiss


def daemons(sight: Sight) -> dict[str, Amiss]:
    """A part of dagster-daemon has not said that it lives. Only who asks from outside can see all of it gone."""
    beats = sight.instance.get_daemon_heartbeats()
    amiss = {}
    for kind in sorted(sight.instance.get_required_daemon_types()):
        beat = beats.get(kind)
        last = datetime.fromtimestamp(beat.timestamp, UTC) if beat else None
        if last is None or sight.now - last > HEARTBEAT_LATE:
            reason = f"No sign of life of dagster-daemon's {kind.lower()}: {sight.ago(last)}."
            amiss[kind.lower()] = Amiss("CRITICAL", {"reason": reason})
    return amiss


def _silent(sight: Sight, state: InstigatorState | None, seconds: int) -> str | None:
    if state is None:
        return "It has never ticked: is the daemon up?"
    if state.status == InstigatorStatus.STOPPED:
        return None
    ticked = isinstance(state.instigator_data, SensorInstigatorData) and state.instigator_data.last_tick_timestamp
    last = datetime.fromtimestamp(ticked, UTC) if ticked else None
    if last is None or sight.now - last > max(TICKS_MISSED * timedelta(seconds=seconds), SILENT_AT_LEAST):
        return "It does not tick any more: is the daemon up?"
    recent = sight.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILED_TICKS)
    if len(recent) == FAILED_TICKS and all(tick.status == TickStatus.FAILURE for tick in recent):
        return f"Its last {FAILED_TICKS} ticks failed: the sensor's page has the error."
    return None

"""Sensors that start repairs: what may happen by itself, what people approved, what waits for them to approve.

Belongs here: for each one indexed query (`sql/sensors/`), a pure function that decides, a thin tick. Does not belong
here: the work; it happens in runs (repair_jobs.py), which read again what is due. Each run key carries what was seen
and how often it was tried. Repairs by which money changes hands have a sensor of their own, off until somebody turns it
on; what was begun by a run that died is settled in any case, because its outcome must not stay open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import dagster as dg

from payments_pipeline.db.sql import named
from payments_pipeline.jobs import LANE
from payments_pipeline.remediation.registry import MONEY_KINDS, OTHER_KINDS
from payments_pipeline.remediation.rounds import REPAIR_ATTEMPTS, DueRepair, due_repairs
from payments_pipeline.repair_jobs import (
    POLICY,
    ApprovedConfig,
    RepairConfig,
    apply_approved_actions,
    repair_findings,
    repairs_itself,
)
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.schedules import UNDER_WAY
from payments_pipeline.ticks import late

RUNNING, STOPPED = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
REPAIR_LIMIT = 500
SENSOR_TAG = "dagster/sensor_name"
NOT_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
ALL_AGAIN_AFTER = timedelta(hours=1)
"""After this, findings whose repair was not due are planned again: what speaks against one may have passed."""


@dataclass(frozen=True, slots=True)
class DueAction:
    """An action that people approved, or that somebody began and did not end; since when it waits."""

    action_id: int
    attempts: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ToPropose:
    """Open findings without a live action that people would have to approve: how many, the newest, since when."""

    waiting: int
    newest_id: int
    oldest_at: datetime


def repair_request(due: Sequence[DueRepair], now: datetime, kinds: Sequence[str] = ()) -> dg.RunRequest | dg.SkipReason:
    """One repair run for all findings that are due; the run re-reads which they are.

    Args:
        kinds: what that run may apply; empty: all kinds.
    """
    if not due:
        return dg.SkipReason("No live finding waits for a repair that policy lets happen by itself.")
    since = min(item.opened_at for item in due)
    # Ids begin at 1 in every database; since when a finding is open tells two databases of one instance apart.
    parts = sorted(f"{item.finding_id}.{item.episode}.{item.attempts}" for item in due)
    config = RepairConfig(dry_run=False, actor=POLICY, limit=REPAIR_LIMIT, apply_only=True, kinds=list(kinds))
    return dg.RunRequest(
        run_key=f"repair:{int(since.timestamp())}:{_many(parts)}:{late(since, now)}",
        job_name=repair_findings.name,
        run_config=dg.RunConfig(ops={"repair_live_findings": config}),
        tags={"findings": str(len(parts))},
    )


def approved_request(
    due: Sequence[DueAction], now: datetime, kinds: Sequence[str] = ()
) -> dg.RunRequest | dg.SkipReason:
    """One run for all actions that wait to be carried out or settled."""
    if not due:
        return dg.SkipReason("No approved action waits, and none was left behind.")
    since = min(item.since for item in due)
    parts = sorted(f"{item.action_id}.{item.attempts}" for item in due)
    actions = [item.action_id for item in due]
    config = ApprovedConfig(dry_run=False, actor=POLICY, limit=REPAIR_LIMIT, action_ids=actions, kinds=list(kinds))
    return dg.RunRequest(
        run_key=f"approved:{int(since.timestamp())}:{_many(parts)}:{late(since, now)}",
        job_name=apply_approved_actions.name,
        run_config=dg.RunConfig(ops={"apply_approved": config}),
        tags={"actions": str(len(parts))},
    )


def proposal_request(found: ToPropose | None, cursor: str | None, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """One run that proposes, where there is a finding the cursor does not know, or after an hour all again.

    Args:
        cursor: as `proposal_cursor` made it; None: nothing is known.
    """
    if found is None or found.waiting == 0:
        return dg.SkipReason("No live finding waits for a proposal.")
    known, hour = (int(part) for part in (cursor or "0:0").split(":"))
    if found.newest_id <= known and _hour(now) == hour:
        return dg.SkipReason("Every live finding was looked at within the hour.")
    config = RepairConfig(dry_run=False, actor=POLICY, limit=REPAIR_LIMIT, propose_only=True)
    return dg.RunRequest(
        run_key=f"propose:{int(found.oldest_at.timestamp())}:{found.newest_id}:{_hour(now)}",
        job_name=repair_findings.name,
        run_config=dg.RunConfig(ops={"repair_live_findings": config}),
        tags={"findings": str(found.waiting), LANE: "proposals"},  # nobody's repair waits while others are planned
    )


def proposal_cursor(found: ToPropose | None, now: datetime) -> str:
    """What was looked at: the newest finding, and in which hour."""
    return f"{found.newest_id if found else 0}:{_hour(now)}"


def _hour(now: datetime) -> int:
    return int(now.timestamp() // ALL_AGAIN_AFTER.total_seconds())


def _many(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{parts[0]}+{len(parts) - 1}:{sha256(','.join(parts).encode()).hexdigest()[:16]}"


def _due_repairs(clock: ClockResource, database: DatabaseResource, kinds: Sequence[str]) -> list[DueRepair]:
    with database.connect() as connection:
        return due_repairs(connection, kinds=kinds, most=REPAIR_LIMIT, now=clock.now())


def _that_repair(instance: dg.DagsterInstance, runs: set[str]) -> set[str]:
    """Which of these runs are under way and will repair what they found."""
    if not runs:
        return set()
    under_way = instance.get_runs(dg.RunsFilter(run_ids=sorted(runs), statuses=UNDER_WAY))
    return {run.run_id for run in under_way if repairs_itself(run)}


def _due_actions(database: DatabaseResource, kinds: Sequence[str]) -> list[DueAction]:
    with database.connect() as connection:
        parameters = {"kinds": list(kinds), "max_rows": REPAIR_LIMIT}
        rows = connection.execute(named("sensors/actions_due.sql"), parameters).mappings().all()
    return [DueAction(**row) for row in rows]


@dg.sensor(
    job_name=repair_findings.name,
    minimum_interval_seconds=5,
    default_status=RUNNING,
    description=(
        "Starts a repair run for live findings whose action has policy `auto`. On by default, because the policy is "
        "the gate: an action whose policy is `off` or `propose` never starts from here. It gives access that was paid "
        "for, corrects rows, lets holds of no-shows go; money never changes hands from here (`approved_money_due`). "
        "To stop all repairs at once: `payments-pipeline actions stop`."
    ),
)
def repairs_due(
    context: dg.SensorEvaluationContext, clock: ClockResource, database: DatabaseResource
) -> dg.RunRequest | dg.SkipReason:
    """Findings that policy lets be repaired."""
    waiting = dg.RunsFilter(job_name=repair_findings.name, tags={SENSOR_TAG: "repairs_due"}, statuses=NOT_BEGUN)
    if context.instance.get_runs(waiting, limit=1):
        return dg.SkipReason("A run waits to begin; it will read all that is due by then.")
    found = _due_repairs(clock, database, OTHER_KINDS)
    busy = _that_repair(context.instance, {one.run_id for one in found if one.run_id})
    left = [one for one in found if one.run_id not in busy]
    if found and not left:
        return dg.SkipReason("The run that found them is under way, and repairs them at its end.")
    return repair_request(left, clock.now(), OTHER_KINDS)


@dg.sensor(
    job_name=apply_approved_actions.name,
    minimum_interval_seconds=15,
    default_status=RUNNING,
    description=(
        "Carries out what people approved, unless money changes hands by it (`approved_money_due`). Settles, by "
        "reading, what a run that died left open, whatever its kind."
    ),
)
def approved_repairs_due(clock: ClockResource, database: DatabaseResource) -> dg.RunRequest | dg.SkipReason:
    """Approved actions, and those left behind."""
    return approved_request(_due_actions(database, OTHER_KINDS), clock.now(), OTHER_KINDS)


@dg.sensor(
    job_name=repair_findings.name,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description=(
        "Has repairs proposed for live findings whose repair people must approve. Nothing is applied from here. Every "
        "finding is planned when it is new, and all again once an hour."
    ),
)
def proposals_due(
    context: dg.SensorEvaluationContext, clock: ClockResource, database: DatabaseResource
) -> dg.SensorResult:
    """Findings whose repair nobody proposed yet."""
    with database.connect() as connection:
        parameters = {"max_attempts": REPAIR_ATTEMPTS, "money_kinds": sorted(MONEY_KINDS)}
        row = connection.execute(named("sensors/proposals_due.sql"), parameters).mappings().one()
    found = ToPropose(**row) if row["waiting"] else None
    request = proposal_request(found, context.cursor, clock.now())
    if isinstance(request, dg.SkipReason):
        return dg.SensorResult(skip_reason=request)
    return dg.SensorResult(run_requests=[request], cursor=proposal_cursor(found, clock.now()))


_MONEY = f"Repairs by which money changes hands: {', '.join(sorted(MONEY_KINDS))}."


@dg.sensor(
    job_name=apply_approved_actions.name,
    minimum_interval_seconds=15,
    default_status=STOPPED,
    description=(
        f"{_MONEY} Carries out what people approved. Off until you turn it on; while it is off, launch "
        "`apply_approved_actions`, or `payments-pipeline actions apply`."
    ),
)
def approved_money_due(clock: ClockResource, database: DatabaseResource) -> dg.RunRequest | dg.SkipReason:
    """Approved repairs of money."""
    kinds = sorted(MONEY_KINDS)
    return approved_request(_due_actions(database, kinds), clock.now(), kinds)


@dg.sensor(
    job_name=repair_findings.name,
    minimum_interval_seconds=15,
    default_status=STOPPED,
    description=(
        f"{_MONEY} Makes those that policy sets to `auto`, without asking anybody. Off until you turn it on, and even "
        "then policy is the gate: as shipped, none of them is `auto`."
    ),
)
def automatic_money_due(clock: ClockResource, database: DatabaseResource) -> dg.RunRequest | dg.SkipReason:
    """Repairs of money that policy lets happen."""
    kinds = sorted(MONEY_KINDS)
    return repair_request(_due_repairs(clock, database, kinds), clock.now(), kinds)


REPAIR_SENSORS = (repairs_due, approved_repairs_due, proposals_due, approved_money_due, automatic_money_due)

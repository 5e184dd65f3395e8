"""When jobs start by the clock. Belongs here: schedules. Does not belong here: what a job does."""

from collections.abc import Sequence

import dagster as dg

from payments_pipeline.config import Settings
from payments_pipeline.house_keeping_jobs import HouseKeepingConfig, house_keeping
from payments_pipeline.ingest_jobs import RetentionConfig, retention
from payments_pipeline.jobs import INGEST_CHANGES
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.repair_jobs import in_earnest

NIGHTLY_CRON = "0 2 * * *"
CHANGES_CRON = "*/5 * * * *"
RETENTION_CRON = "30 4 * * *"
HOUSE_KEEPING_CRON = "45 4 * * *"
RUNNING, STOPPED = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def all_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """The nightly reconciliation at 02:00 in the configured time zone; changes in between; dropping old JSON."""
    return [
        dg.ScheduleDefinition(
            name="nightly_reconciliation_at_two",
            job_name="nightly_reconciliation",
            cron_schedule=NIGHTLY_CRON,
            execution_timezone=settings.nightly_timezone,
            default_status=RUNNING,
            description=f"Every night at 02:00 ({settings.nightly_timezone}, setting NIGHTLY_TIMEZONE).",
        ),
        _changes_schedule(settings),
        dg.ScheduleDefinition(
            name="retention_after_the_night",
            job=retention,
            cron_schedule=RETENTION_CRON,
            execution_timezone=settings.nightly_timezone,
            run_config=dg.RunConfig(ops={"drop_old_json": RetentionConfig(dry_run=False)}),
            default_status=RUNNING if settings.raw_json_days else STOPPED,
            description="Drops the JSON of objects that did not change for RAW_JSON_DAYS. On where that is set.",
        ),
        dg.ScheduleDefinition(
            name="house_keeping_after_the_night",
            job=house_keeping,
            cron_schedule=HOUSE_KEEPING_CRON,
            execution_timezone=settings.nightly_timezone,
            run_config=dg.RunConfig(ops={"drop_old_history": HouseKeepingConfig(dry_run=False)}),
            default_status=RUNNING,
            description="Drops ended runs, their logs and messages of findings long over: older than HISTORY_DAYS.",
        ),
    ]


def _changes_schedule(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="changes_every_five_minutes",
        job_name=INGEST_CHANGES,
        cron_schedule=CHANGES_CRON,
        default_status=RUNNING,
        description=(
            "Reads what changed at the providers, unless the run before is still at it; repairs what it finds only as "
            "far as policy lets that happen by itself. On by default: its cost follows what changed, and a payer whose "
            "webhook was lost should not wait for the night."
        ),
    )
    def changes_every_five_minutes(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not configured_providers(settings):
            return dg.SkipReason("No provider is configured: see .env.example.")
        under_way = dg.RunsFilter(job_name=INGEST_CHANGES, statuses=UNDER_WAY)
        if context.instance.get_runs(under_way, limit=1):
            return dg.SkipReason("The run before has not ended; the next one reads what comes meanwhile.")
        return dg.RunRequest(run_config=in_earnest())

    return changes_every_five_minutes

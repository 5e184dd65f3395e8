"""When jobs start by the clock. Belongs here: schedules. Does not belong here: what a job does."""

from collections.abc import Sequence

import dagster as dg

from payments_pipeline.config import Settings

NIGHTLY_CRON = "0 2 * * *"


def all_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """The nightly reconciliation at 02:00 in the configured time zone, on by default."""
    return [
        dg.ScheduleDefinition(
            name="nightly_reconciliation_at_two",
            job_name="nightly_reconciliation",
            cron_schedule=NIGHTLY_CRON,
            execution_timezone=settings.nightly_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Every night at 02:00 ({settings.nightly_timezone}, setting NIGHTLY_TIMEZONE).",
        )
    ]

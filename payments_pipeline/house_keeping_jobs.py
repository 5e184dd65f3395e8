"""The job that keeps house: old runs with their event logs, old notifications, old lines of history.

Belongs here: typed configuration, Dagster's own runs. Does not belong here: what of our tables may go
(house_keeping.py). Ticks are dropped by Dagster itself: `retention` in dagster.yaml.
"""

from datetime import datetime, timedelta

import dagster as dg
from pydantic import Field

from payments_pipeline.config import Settings
from payments_pipeline.house_keeping import forget_history
from payments_pipeline.jobs import LANE
from payments_pipeline.resources import ClockResource, DatabaseResource

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class HouseKeepingConfig(dg.Config):
    """What may go, and whether in earnest."""

    dry_run: bool = Field(default=True, description="True: say what would be dropped, and drop nothing.")
    days: int | None = Field(default=None, ge=7, description="Older than so many days; unset: HISTORY_DAYS.")
    most_runs: int = Field(default=2000, ge=1, description="At most so many runs in this pass; the next takes more.")


@dg.op
def drop_old_history(
    context: dg.OpExecutionContext,
    config: HouseKeepingConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Drop what is older than HISTORY_DAYS."""
    before = clock.now() - timedelta(days=config.days or settings.history_days)
    runs = _old_runs(context.instance, before, config.most_runs)
    if not config.dry_run:
        for run_id in runs:
            context.instance.delete_run(run_id)
    found = {"runs": len(runs), **forget_history(database.engine, before=before, dry_run=config.dry_run)}
    done = "would be" if config.dry_run else "were"
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in found.items())
    context.log.info(f"{words} from before {before.isoformat()} {done} dropped.")
    context.add_output_metadata({"dry_run": config.dry_run, "before": before.isoformat(), **found})


def _old_runs(instance: dg.DagsterInstance, before: datetime, most: int) -> list[str]:
    """Runs that ended long ago, the oldest first; what is still under way is never among them."""
    filters = dg.RunsFilter(statuses=ENDED, updated_before=before)
    return [record.dagster_run.run_id for record in instance.get_run_records(filters, limit=most, ascending=True)]


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "retention"},
    description=(
        "Drop Dagster's ended runs with their event logs, sent notifications of findings that are over, and lines of "
        "reports' history, older than HISTORY_DAYS. Findings, coverage, actions and the audit trail stay. A dry run "
        "unless `dry_run` is set to false."
    ),
)
def house_keeping() -> None:
    """One pass."""
    drop_old_history()

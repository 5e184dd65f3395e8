"""Jobs of ingestion that a person launches, or that tidy up: backfills, and dropping old JSON.

Belongs here: typed configuration, a log line and an observation a range, the verdict. Does not belong here: the work
(`ingest/`). Two ways to the same backfill: `backfill_month` has a partition a month, so that the UI shows which months
were read and takes a range of them at once; `backfill_window` takes any window.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.assets.presentation import preview
from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.ingest.across import Reading, Request, Run, backfill_across, checked
from payments_pipeline.ingest.backfill import RANGES, THREADS, RangeDone
from payments_pipeline.ingest.retention import forget_bodies
from payments_pipeline.jobs import LANE
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2020-01-01", end_offset=1)
AGAIN = "Launch it again with the same window: what was read is not read again."
TABLES = {(spec.provider, spec.name): spec.table for spec in SPECS}


class MonthConfig(dg.Config):
    """What of the month to read."""

    provider: str | None = Field(default=None, description="stripe, nowpayments or okx; empty: all configured.")
    resources: list[str] = Field(
        default=[], description="Names as in the assets, e.g. payment_intents, refunds; empty: all of the provider's."
    )
    account: str | None = Field(default=None, description="The account's name in the configuration; empty: all.")
    ranges: int = Field(default=RANGES, ge=1, description="Pieces of the window, each certified by itself.")
    threads: int = Field(default=THREADS, ge=1, le=THREADS, description="Pieces read at the same time.")


class WindowConfig(MonthConfig):
    """What to read, of any window."""

    start: str = Field(description="First creation time to read, e.g. 2026-10-01 or 2026-10-01T12:00:00Z (UTC).")
    end: str = Field(description="Up to here, exclusive; not in the future.")


class RetentionConfig(dg.Config):
    """What to drop, and whether in earnest."""

    dry_run: bool = Field(default=True, description="True: count, and drop nothing.")
    days: int | None = Field(default=None, ge=1, description="Keep so many days; empty: RAW_JSON_DAYS.")
    most: int = Field(default=1_000_000, ge=1, description="Begin nothing new after so many; the next run goes on.")


@dg.op
def read_month(  # noqa: PLR0917  (Dagster hands them by name)
    context: dg.OpExecutionContext,
    config: MonthConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
    providers: ProvidersResource,
) -> None:
    """Read the month that the partition names."""
    month = context.partition_time_window
    window = Window(month.start.astimezone(UTC), month.end.astimezone(UTC))
    run = Run(database.engine, clock.now(), context.run.run_id, clock.present, settings.keep_raw_json)
    _read(context, run, requests(config, window, providers.configured, open_end=True), providers)


@dg.job(
    executor_def=dg.in_process_executor,
    partitions_def=MONTHS,
    tags={LANE: "backfill"},
    description=(
        "Read a month of one or several resources again, whole: choose the month, or several, and launch. Ranges are "
        "read side by side below the provider's rate limit, each with a certificate; the raw tables' pages show one "
        f"observation a range. {AGAIN}"
    ),
)
def backfill_month() -> None:
    """One month."""
    read_month()


@dg.op
def read_window(  # noqa: PLR0917  (Dagster hands them by name)
    context: dg.OpExecutionContext,
    config: WindowConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
    providers: ProvidersResource,
) -> None:
    """Read the window that the configuration names."""
    window = Window(moment(config.start, "start"), moment(config.end, "end"))
    run = Run(database.engine, clock.now(), context.run.run_id, clock.present, settings.keep_raw_json)
    _read(context, run, requests(config, window, providers.configured), providers)


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "backfill"},
    description=f"Read any window of one or several resources again, whole; see backfill_month. {AGAIN}",
)
def backfill_window() -> None:
    """One window."""
    read_window()


def requests(
    config: MonthConfig, window: Window, configured: frozenset[str], *, open_end: bool = False
) -> list[Request]:
    """One request a provider.

    Raises:
        ConfigurationError: resources are named, but not of which provider.
    """
    if config.provider is None and config.resources:
        raise ConfigurationError(
            "Resources are named, but not whose.", where="config", remedy="Name the provider, too."
        )
    return [
        Request(provider, window, tuple(config.resources), config.account, open_end, config.ranges, config.threads)
        for provider in ([config.provider] if config.provider else sorted(configured))
    ]


def moment(text: str, name: str) -> datetime:
    """A day or a time, UTC unless it has an offset.

    Raises:
        ConfigurationError: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time.", where=name, remedy="Write it as 2026-10-01 or 2026-10-01T12:00:00Z."
        ) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _read(context: dg.OpExecutionContext, run: Run, wanted: Sequence[Request], providers: ProvidersResource) -> None:
    accounts = providers.all_accounts(run.clock)
    readings: list[Reading] = []
    for request, own in [(request, checked(request, accounts, run.clock())) for request in wanted]:
        readings += backfill_across(run, request, own, lambda reading, step: _tell(context, reading, step))
    failed = [one for one in readings if not one.complete]
    metadata: dict[str, Any] = {
        "objects": sum(one.objects for one in readings),
        "rows_written": sum(one.rows_written for one in readings),
        "rejected": sum(one.rejected for one in readings),
        "incomplete": len(failed),
        "readings": preview([_row(one) for one in readings]),
    }
    if failed:
        first = failed[0]
        raise dg.Failure(
            f"{len(failed)} of {len(readings)} lists were not read in full; {first.provider} {first.resource}, account "
            f"{first.label}: {first.problem} {AGAIN}",
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def _tell(context: dg.OpExecutionContext, reading: Reading, step: RangeDone) -> None:
    """A log line, and an observation on the raw table's page."""
    objects, written = sum(one.objects for one in step.certificates), sum(one.rows_written for one in step.certificates)
    spans = ", ".join(f"{one.window_from.isoformat()} to {one.window_to.isoformat()}" for one in step.certificates)
    problems = "; ".join(one.error for one in step.certificates if one.error) or "none"
    context.log.info(
        f"{reading.provider} {reading.resource}, account {reading.label}: {step.done} of {step.total} ranges done; "
        f"{spans or 'nothing left to read'}: {objects} objects, {written} rows written"
    )
    context.log_event(
        dg.AssetObservation(
            TABLES[reading.provider, reading.resource],
            metadata={
                "account": reading.account or reading.label,
                "backfill": f"{step.done} of {step.total} ranges",
                "ranges_done": step.done,
                "ranges_total": step.total,
                "range": spans or "none",
                "objects": objects,
                "rows_written": written,
                "objects_so_far": reading.objects,
                "error": problems,
            },
        )
    )


def _row(reading: Reading) -> dict[str, object]:
    return {
        "provider": reading.provider, "account": reading.account or reading.label, "resource": reading.resource,
        "ranges": f"{reading.done} of {reading.total}", "objects": reading.objects,
        "rows written": reading.rows_written, "rejected": reading.rejected, "problem": reading.problem,
    }  # fmt: skip


@dg.op
def drop_old_json(
    context: dg.OpExecutionContext,
    config: RetentionConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Drop bodies of objects that did not change for too long."""
    days = config.days or settings.raw_json_days
    if days is None:
        context.log.info("RAW_JSON_DAYS is not set: the providers' JSON is kept for ever.")
        context.add_output_metadata({"dry_run": config.dry_run, "bodies": 0})
        return
    before = clock.now() - timedelta(days=days)
    found = forget_bodies(database.engine, before=before, most=config.most, dry_run=config.dry_run)
    context.log.info(
        f"{found.bodies} bodies read before {before.isoformat()} {'would be' if config.dry_run else 'were'} dropped"
        f"{'' if found.finished else '; there are more, which the next run takes'}."
    )
    context.add_output_metadata(
        {"dry_run": config.dry_run, "before": before.isoformat(), "bodies": found.bodies, "finished": found.finished}
    )


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "retention"},
    description=(
        "Drop the JSON (recon.raw_json) of objects that did not change for RAW_JSON_DAYS; their rows stay. A dry run "
        "unless `dry_run` is set to false."
    ),
)
def retention() -> None:
    """One pass."""
    drop_old_json()


INGEST_JOBS = (backfill_month, backfill_window, retention)

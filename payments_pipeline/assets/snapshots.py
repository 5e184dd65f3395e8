"""Raw tables, one asset a provider resource: what the provider had when it was last read.

Belongs here: turning `providers.catalogue.SPECS` into assets. Does not belong here: fetching or loading (`ingest/`) and
judging whether a fetch can be trusted (`checks.py`).

A provider without credentials gives external assets: visible, labelled, and nothing to run. A fetch that fails does
not fail its step: Dagster would then skip everything downstream, and one provider's outage would hide what the others
show. Its coverage is incomplete instead, which withholds that provider's findings, turns the asset's check red, and
fails the run at its end.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, contents, preview, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.errors import PaymentsPipelineError, WrongAccountError
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.renamed import unless_renamed
from payments_pipeline.ingest.standing import Standing, standing
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.ingest.unread import certify_unread
from payments_pipeline.providers.accounts import Identified, identified
from payments_pipeline.providers.base import Clock, ResourceSpec, Window
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import ClockResource, DatabaseResource, ProvidersResource

SWEEP = "sweep"
MINUTE = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Origin:
    """What all fetches of one run share; see `ingest.sweep`."""

    engine: Engine
    as_of: datetime
    run_id: str | None
    clock: Clock
    keep_raw: bool = True


def snapshot_assets(configured: frozenset[str]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """One asset for each known resource; external where the provider is not configured."""
    return [_snapshot_asset(spec) if spec.provider in configured else _not_configured(spec) for spec in SPECS]


def _metadata(spec: ResourceSpec) -> dict[str, Any]:
    return {
        "dagster/table_name": f"recon.{spec.table}",
        "dagster/column_schema": table_schema(spec.table),
    }


def _not_configured(spec: ResourceSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        spec.table,
        group_name="providers",
        kinds={spec.provider, "postgres"},
        owners=OWNERS,
        metadata=_metadata(spec),
        description=(
            f"**Not configured**: {spec.provider} has no credentials, so it is not read and nothing is said about what "
            f"it lacks. Set them (see `.env.example`) and reload the code location.\n\n{spec.description}"
        ),
        tags={"configured": "no"},
    )


def _snapshot_asset(spec: ResourceSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.table,
        group_name="providers",
        kinds={spec.provider, "postgres"},
        owners=OWNERS,
        metadata=_metadata(spec),
        description=spec.description,
        tags={"configured": "yes"},
        freshness_policy=FRESHNESS,
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
        providers: ProvidersResource,
    ) -> dg.MaterializeResult[Any]:
        as_of = clock.now()
        window = Window(as_of - timedelta(days=settings.snapshot_window_days), as_of)
        origin = Origin(database.engine, as_of, context.run.run_id, clock.present, settings.keep_raw_json)
        try:
            accounts = unless_renamed(database.engine, identified(providers.accounts(spec.provider, clock.present)))
        except PaymentsPipelineError as error:
            context.log.error(f"{spec.provider} {spec.name} was not read: {error}")
            _certify_unread(spec, window, error, origin)
            return dg.MaterializeResult(metadata={"complete": False, "error": str(error)})
        outcomes = read_accounts(spec, accounts, window, origin)
        for label, metadata in outcomes.items():
            if not metadata["complete"]:
                context.log.error(
                    f"{spec.provider} {spec.name}, account {label}, not read in full: {metadata['error']}"
                )
        return dg.MaterializeResult(metadata=accounts_metadata(outcomes) | contents(database.engine, spec.table))

    return build


def read_accounts(
    spec: ResourceSpec, accounts: Sequence[Identified], window: Window, origin: Origin
) -> dict[str, Mapping[str, Any]]:
    """Sweep one resource of each account, one after the other; an account that can't be read leaves the others.

    Returns:
        By the account's name in the configuration: what its fetch is worth.
    """
    outcomes: dict[str, Mapping[str, Any]] = {}
    read = set()
    unread = [(one.provider, one.provider.expected_account, one.error) for one in accounts if one.error is not None]
    for one in accounts:
        if one.account is None:
            continue
        try:
            made = sweep(
                origin.engine, one.provider, one.account, spec.name, window,
                as_of=origin.as_of, run_id=origin.run_id, clock=origin.clock, keep_raw=origin.keep_raw,
            )  # fmt: skip
        except WrongAccountError as error:
            unread.append((one.provider, one.account.account, error))
            continue
        with origin.engine.connect() as connection:
            known = standing(
                connection, made.provider, made.account, made.resource, since=made.window_from, until=made.window_to
            )
        outcomes[one.provider.label] = {**coverage_metadata(made), **standing_metadata(known)}
        read.add(made.account)
    for provider, account, why in unread:
        _certify_unread(spec, window, why, origin, expected=account, read=read)
        outcomes[provider.label] = {"complete": False, "error": str(why)}
    return outcomes


def _certify_unread(
    spec: ResourceSpec,
    window: Window,
    error: PaymentsPipelineError,
    origin: Origin,
    *,
    expected: str | None = None,
    read: Collection[str] = (),
) -> None:
    certify_unread(
        origin.engine, spec.provider, spec.name, window, error, as_of=origin.as_of, mode=SWEEP, run_id=origin.run_id,
        clock=origin.clock, expected=expected, read=read,
    )  # fmt: skip


def accounts_metadata(outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The only account's metadata as they are; of several the verdict on all, and each one's under its name."""
    if len(outcomes) == 1:
        return dict(next(iter(outcomes.values())))
    problems = [f"{label}: {one['error']}" for label, one in outcomes.items() if not one["complete"]]
    each = {f"{label}/{name}": value for label, one in outcomes.items() for name, value in one.items()}
    return {
        "complete": not problems,
        "error": "; ".join(problems) or "none",
        "objects": sum(one.get("objects", 0) for one in outcomes.values()),
        "rows_written": sum(one.get("rows_written", 0) for one in outcomes.values()),
        **each,
    }


def coverage_metadata(coverage: Coverage) -> Mapping[str, Any]:
    """What a fetch is worth, for the asset's page."""
    return {
        "complete": coverage.complete,
        "error": coverage.error or "none",
        "account": coverage.account,
        "mode": "live" if coverage.livemode else "test",
        "window": f"{coverage.window_from.isoformat()} to {coverage.window_to.isoformat()}",
        "as_of": dg.MetadataValue.timestamp(coverage.as_of),
        "pages": coverage.pages,
        "objects": coverage.objects,
        "rows_written": coverage.rows_written,
        "rejected": coverage.rejected,
        "missed_by_feed": "not counted" if coverage.missed_by_feed is None else coverage.missed_by_feed,
    }


def standing_metadata(known: Standing) -> Mapping[str, Any]:
    """What was never read, and how far the incremental runs have come, for the asset's page."""
    rows = [
        {"from": f"{gap.start:{MINUTE}}", "to": f"{gap.end:{MINUTE}}", "length": str(gap.end - gap.start)}
        for gap in known.gaps
    ]
    return {
        "gaps": len(rows),
        "gaps_in_coverage": preview(rows) if rows else dg.MetadataValue.md("none: every creation time was read"),
        "covered_from": "nothing" if known.covered_from is None else known.covered_from.isoformat(),
        "watermark": "none" if known.listed_to is None else dg.MetadataValue.timestamp(known.listed_to),
        "watermark_of_feed": "none" if known.told_to is None else dg.MetadataValue.timestamp(known.told_to),
        "rejected_so_far": known.rejected,
    }

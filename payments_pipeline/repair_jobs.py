"""Jobs that make rounds of repairs: what may happen by itself, what waits for people's approval, what they approved.

Belongs here: ops and an asset that hand typed configuration to `remediation/rounds.py`. Does not belong here: one
repair that a person names (action_jobs.py), which repairs are due (remediation/); an op re-reads the database and never
trusts what its launcher saw.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.assets.deliveries import KEY as DELIVERIES
from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.intraday import KEY as INTRADAY
from payments_pipeline.assets.presentation import OWNERS, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.jobs import LANE, REPAIRS
from payments_pipeline.remediation.actions import apply
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline.remediation.policy import BY_ITSELF
from payments_pipeline.remediation.recheck import not_looked_at
from payments_pipeline.remediation.registry import OTHER_KINDS
from payments_pipeline.remediation.rounds import apply_due, due, due_repairs, repair
from payments_pipeline.repair_runs import Launch, desk_of, looking_of, show, told, who
from payments_pipeline.resources import ClockResource, DatabaseResource

TAGS = {LANE: "repair"}
IN_RUN = 100
"""Repairs at the end of a run that judges; the sensor `repairs_due` sees to the rest."""


class RepairConfig(Launch):
    """What to repair, and whether in earnest."""

    finding_ids: list[int] = Field(default=[], description="Only these open findings; empty: all.")
    kinds: list[str] = Field(
        default=[], description="Apply repairs of these kinds only, the others are only proposed; empty: all kinds."
    )
    propose_only: bool = Field(default=False, description="Apply nothing: only propose.")
    apply_only: bool = Field(default=False, description="Leave alone what people must approve: do not propose it.")
    limit: int = Field(default=100, ge=1, description="Apply at most so many in this run.")


@dg.op
def repair_live_findings(
    context: dg.OpExecutionContext,
    config: RepairConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Propose repairs of live findings; apply those that policy lets happen by themselves."""
    actor, desk = who(context, config), desk_of(settings, clock, database)
    looking = looking_of(context, settings, clock, database, desk)
    if not config.dry_run:
        looking(not_looked_at(database.engine, clock.now()))
    summary = repair(
        database.engine,
        as_of=clock.now(),
        actor=actor,
        dry_run=config.dry_run,
        limit=config.limit,
        findings=config.finding_ids or None,
        kinds=() if config.propose_only else config.kinds or None,
        proposing=not config.apply_only,
        contract_dir=settings.contract_dir,
        desk=desk,
        looking=looking,
    )
    show(context, summary.actions, config.dry_run)


@dg.job(
    executor_def=dg.in_process_executor,
    tags=TAGS,
    description=(
        "Repair live findings as far as policy allows. Launched by a person it is a dry run unless `dry_run` is set to "
        "false. Each repair re-reads both sides and is refused where the world has moved on."
    ),
)
def repair_findings() -> None:
    """One round of repairs."""
    repair_live_findings()


class RepairsConfig(Launch):
    """What a run that has just judged repairs at its end, and whether in earnest."""

    reports: list[str] = Field(default=[], description="Repair findings of these reports only; empty: of all.")


def in_earnest(*reports: str) -> dict[str, Any]:
    """Config of a run that a sensor or a schedule starts: it repairs at its end, where policy is `auto`.

    Args:
        reports: only what these found; none: all that is due.
    """
    return {"ops": {REPAIRS: {"config": {"dry_run": False, "actor": BY_ITSELF, "reports": list(reports)}}}}


def repairs_itself(run: dg.DagsterRun) -> bool:
    """Whether this run repairs, at its end, what it finds."""
    steps: Any = run.run_config.get("ops") or {}
    config = steps.get(REPAIRS, {}).get("config", {})
    return bool(config) and not config.get("dry_run", True)


def repairs_asset(reports: Collection[str]) -> dg.AssetsDefinition:
    """The asset after all findings of an intra-day run.

    Args:
        reports: names of all reports.
    """

    @dg.asset(
        name=REPAIRS,
        group_name="findings",
        deps=[*map(findings_key, reports), INTRADAY, DELIVERIES],  # people are told first: it takes a moment
        description=(
            "What policy lets happen by itself, done in the run that found it: access for payers whose activation was "
            "lost, rows brought in line with the provider, holds of no-shows let go. A run of its own would take "
            "longer to start than the repairs take. A dry run when launched by hand; no money changes hands from here."
        ),
        kinds={"postgres"},
        owners=OWNERS,
        metadata={"dagster/table_name": "recon.actions", "dagster/column_schema": table_schema("actions")},
    )
    def build(
        context: dg.AssetExecutionContext,
        config: RepairsConfig,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
    ) -> dg.MaterializeResult[Any]:
        desk = desk_of(settings, clock, database)
        with database.connect() as connection:
            found = due_repairs(connection, kinds=OTHER_KINDS, reports=config.reports, most=IN_RUN, now=clock.now())
        summary = repair(
            database.engine,
            as_of=clock.now(),
            actor=who(context, config),
            dry_run=config.dry_run,
            findings=[one.finding_id for one in found],
            kinds=OTHER_KINDS,
            proposing=False,
            contract_dir=settings.contract_dir,
            desk=desk,
            looking=looking_of(context, settings, clock, database, desk),
        )
        return dg.MaterializeResult(metadata=told(context, summary.actions, config.dry_run))

    return build


class ApprovedConfig(Launch):
    """Which approved repairs to carry out, and whether in earnest."""

    action_ids: list[int] = Field(default=[], description="Only these actions; empty: all that are approved.")
    kinds: list[str] = Field(default=[], description="Only approved ones of these kinds; empty: all kinds.")
    limit: int = Field(default=100, ge=1, description="At most so many in this run.")


@dg.op
def apply_approved(
    context: dg.OpExecutionContext,
    config: ApprovedConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Carry out what people approved; settle what somebody began and did not end."""
    actor, desk, engine = who(context, config), desk_of(settings, clock, database), database.engine
    chosen, kinds = config.action_ids or None, config.kinds or None
    if config.dry_run:
        waiting = due(engine, actions=chosen, kinds=kinds)[: config.limit]
        results = [
            apply(engine, view.action_id or 0, actor=actor, as_of=clock.now(), dry_run=True, desk=desk)
            for view in waiting
        ]
        views: Sequence[ActionView] = [
            replace(view, state=result.state, effects=result.effects, reason=result.reason)
            for view, result in zip(waiting, results, strict=True)
        ]
    else:
        views = apply_due(
            engine,
            as_of=clock.now(),
            actor=actor,
            limit=config.limit,
            actions=chosen,
            kinds=kinds,
            contract_dir=settings.contract_dir,
            desk=desk,
            looking=looking_of(context, settings, clock, database, desk),
        ).actions
    show(context, views, config.dry_run)


@dg.job(
    executor_def=dg.in_process_executor,
    tags=TAGS,
    description=(
        "Carry out the repairs that people approved, and settle, by reading, what a run began and did not end. "
        "Launched by a person it is a dry run unless `dry_run` is set to false."
    ),
)
def apply_approved_actions() -> None:
    """One round of approved repairs."""
    apply_approved()


ROUND_JOBS = (repair_findings, apply_approved_actions)

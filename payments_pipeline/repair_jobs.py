"""Jobs that make rounds of repairs: what may happen by itself, what waits for people's approval, what they approved.

Belongs here: ops that hand typed configuration to `remediation/rounds.py`. Does not belong here: one repair that a
person names (action_jobs.py), which repairs are due (remediation/); an op re-reads the database and never trusts what
its launcher saw.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.assets.deliveries import KEY as DELIVERIES
from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.presentation import OWNERS
from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.jobs import LANE, PROBE_REPAIRS, PROBED
from payments_pipeline.remediation.actions import apply
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline.remediation.recheck import not_looked_at
from payments_pipeline.remediation.rounds import apply_due, due, repair
from payments_pipeline.repair_runs import Launch, desk_of, looking_of, show, told, who
from payments_pipeline.resources import ClockResource, DatabaseResource

TAGS = {LANE: "repair"}
PROBE_LIMIT = 500


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


@dg.asset(
    name=PROBE_REPAIRS,
    group_name="findings",
    deps=[*(findings_key(report) for report in PROBED), DELIVERIES],  # people are told first: it takes a moment
    description=(
        "Access given to payers whose activation was lost, in the run of the probe that finds them: a run of its own "
        "would take longer to start than the repair takes. As far as policy allows; a dry run when launched by hand."
    ),
    kinds={"postgres"},
    owners=OWNERS,
)
def activation_repairs(
    context: dg.AssetExecutionContext,
    config: Launch,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> dg.MaterializeResult[Any]:
    """Repair what the probe has just found."""
    engine, desk = database.engine, desk_of(settings, clock, database)
    with database.connect() as connection:
        found = connection.execute(named("remediation/open_of_reports.sql"), {"reports": list(PROBED)}).scalars().all()
    summary = repair(
        engine,
        as_of=clock.now(),
        actor=who(context, config),
        dry_run=config.dry_run,
        limit=PROBE_LIMIT,
        findings=found,
        contract_dir=settings.contract_dir,
        desk=desk,
        looking=looking_of(context, settings, clock, database, desk),
    )
    return dg.MaterializeResult(metadata=told(context, summary.actions, config.dry_run))


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

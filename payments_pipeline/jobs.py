"""Jobs: what can be launched, by a schedule, a sensor or a person at the launchpad.

Belongs here: selections of assets, and ops that hand typed configuration to `notify/` and `remediation/`. Does not
belong here: deciding what is repaired; an op re-reads the database and never trusts what its launcher saw. Every job
runs in process: a step of its own process would pay all imports again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field
from sqlalchemy import Engine

from payments_pipeline.assets.changes import KEY as CHANGES
from payments_pipeline.assets.findings import findings_key
from payments_pipeline.assets.presentation import preview
from payments_pipeline.config import Settings
from payments_pipeline.notify.outbox import deliver
from payments_pipeline.remediation.actions import apply, propose, repair
from payments_pipeline.remediation.planning import ActionView, plans
from payments_pipeline.reports import Report
from payments_pipeline.resources import ChannelsResource, ClockResource, DatabaseResource

# One run at a time in each lane (dagster.yaml); lanes do not wait for each other.
LANE = "payments_pipeline/lane"
INGEST_CHANGES = "ingest_changes"
ACTIVATION_REPORT = "activation_gaps"
PROBED = (ACTIVATION_REPORT, "wrong_tier")
ACTIVATION_ACTION = "activate_subscription"


def asset_jobs(reports: Mapping[str, Report]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs that materialise assets."""
    found = [dg.AssetKey(name) for name in reports] + [findings_key(name) for name in reports]
    jobs = [
        dg.define_asset_job(
            "nightly_reconciliation",
            selection=dg.AssetSelection.all() - dg.AssetSelection.assets(CHANGES),
            executor_def=dg.in_process_executor,
            tags={LANE: "reconciliation"},
            description=(
                "Read every configured provider, bring all to canonical form, run every report, open and resolve "
                "findings. A provider that can't be read withholds its own findings only; the run then ends as failed."
            ),
        ),
        dg.define_asset_job(
            INGEST_CHANGES,
            selection=dg.AssetSelection.assets(CHANGES, "provider_transactions").without_checks(),
            executor_def=dg.in_process_executor,
            tags={LANE: "changes"},
            description=(
                "Read what is new or changed at every configured provider since the last run, and bring it to "
                "canonical form. Cheap when nothing changed; the nightly run reads everything again."
            ),
        ),
        dg.define_asset_job(
            "refresh_reports",
            selection=dg.AssetSelection.assets(
                "provider_transactions", "entitlements", "deposit_matches", *found, "findings"
            ).without_checks(),
            executor_def=dg.in_process_executor,
            tags={LANE: "reconciliation"},
            description="Run every report on what was last read of the providers, without asking them again.",
        ),
    ]
    if ACTIVATION_REPORT in reports:
        probed = [name for name in PROBED if name in reports]
        jobs.append(
            dg.define_asset_job(
                "probe_activations",
                selection=dg.AssetSelection.assets(*probed, *map(findings_key, probed)).without_checks(),
                executor_def=dg.in_process_executor,
                tags={LANE: "probe"},
                description="Look for payers without what they paid for, between two nightly runs.",
            )
        )
    return jobs


class DeliveryConfig(dg.Config):
    """How much one round of delivery sends."""

    limit: int = Field(default=200, ge=1, description="Attempts in this round.")


@dg.op
def deliver_notifications(
    context: dg.OpExecutionContext,
    config: DeliveryConfig,
    clock: ClockResource,
    database: DatabaseResource,
    channels: ChannelsResource,
) -> None:
    """Send what is due in the outbox."""
    outcome = deliver(database.engine, channels.channels(), clock=clock.present, limit=config.limit)
    context.log.info(
        f"sent {outcome.sent}, to be retried {outcome.retried}, given up {outcome.dead}, waiting {outcome.waiting}, "
        f"for channels not configured {outcome.unconfigured}"
    )
    for channel, reason in outcome.down.items():
        context.log.warning(f"{channel} is paused: {reason}")
    context.add_output_metadata(
        {
            "sent": outcome.sent,
            "retried": outcome.retried,
            "dead": outcome.dead,
            "waiting": outcome.waiting,
            "unconfigured": outcome.unconfigured,
        }
    )


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "alerts"},
    description="Send what waits in the outbox. A channel that is down is retried later; nothing is lost.",
)
def deliver_alerts() -> None:
    """One round of delivery."""
    deliver_notifications()


class RepairConfig(dg.Config):
    """What to repair, and whether in earnest."""

    dry_run: bool = Field(default=True, description="True: say what would be done, and change nothing.")
    finding_ids: list[int] = Field(default=[], description="Only these findings; empty: all that policy allows.")
    actor: str = Field(default="launchpad", description="Who asks for it; stands in the audit trail.")
    limit: int = Field(default=100, ge=1, description="At most so many repairs in this run.")


@dg.op
def repair_live_findings(
    context: dg.OpExecutionContext,
    config: RepairConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Propose repairs of live findings; apply those that policy lets happen by themselves, or that were named."""
    if config.finding_ids:
        _repair_named(context, config, config.finding_ids, settings=settings, as_of=clock.now(), engine=database.engine)
        return
    summary = repair(
        database.engine,
        as_of=clock.now(),
        actor=config.actor,
        dry_run=config.dry_run,
        limit=config.limit,
        contract_dir=settings.contract_dir,
    )
    _show(context, summary.actions, config.dry_run)


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "repair"},
    description=(
        "Repair live findings as far as policy allows. Launched by a person it is a dry run unless `dry_run` is set to "
        "false. Each repair re-reads both sides and is refused where the world has moved on."
    ),
)
def repair_findings() -> None:
    """One round of repairs."""
    repair_live_findings()


class ActivationConfig(dg.Config):
    """Which finding, and whether in earnest."""

    finding_id: int = Field(description="A live finding of activation_gaps.")
    dry_run: bool = Field(default=True, description="True: say what would be done, and change nothing.")
    actor: str = Field(default="launchpad", description="Who asks for it; stands in the audit trail.")


@dg.op
def activate_one_subscription(
    context: dg.OpExecutionContext,
    config: ActivationConfig,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    """Give the payer of one finding the access that was paid for."""
    repairs = RepairConfig(dry_run=config.dry_run, actor=config.actor)
    outcomes = _repair_named(
        context, repairs, [config.finding_id], settings=settings, as_of=clock.now(), engine=database.engine
    )
    if not any(view.kind == ACTIVATION_ACTION for view in outcomes):
        raise dg.Failure(
            f"Finding {config.finding_id} asks for no activation: it is not live, it is not repairable by itself, or "
            "policy for activate_subscription is off.",
            allow_retries=False,
        )


@dg.job(
    executor_def=dg.in_process_executor,
    tags={LANE: "repair"},
    description="Give one payer the access that was paid for: a dry run unless `dry_run` is set to false.",
)
def activate_subscription() -> None:
    """Repair one finding."""
    activate_one_subscription()


def _repair_named(
    context: dg.OpExecutionContext,
    config: RepairConfig,
    findings: Sequence[int],
    *,
    settings: Settings,
    as_of: datetime,
    engine: Engine,
) -> list[ActionView]:
    """Repair the findings a person named; a dry run only reads. Returns how each action stands, or would stand."""
    if config.dry_run:
        with engine.connect() as connection:
            views = [plan.view for plan in plans(connection, as_of=as_of, findings=findings)]
    else:
        stored = propose(engine, actor=config.actor, as_of=as_of, findings=findings)[: config.limit]
        views = [_applied(view, config, settings, as_of, engine) for view in stored]
    _show(context, views, config.dry_run)
    return views


def _applied(view: ActionView, config: RepairConfig, settings: Settings, as_of: datetime, engine: Engine) -> ActionView:
    assert view.action_id is not None  # noqa: S101  (propose returns stored actions only)
    result = apply(
        engine, view.action_id, actor=config.actor, as_of=as_of, dry_run=False, contract_dir=settings.contract_dir
    )
    return replace(view, state=result.state, effects=result.effects, reason=result.reason)


def _show(context: dg.OpExecutionContext, views: Sequence[ActionView], dry_run: bool) -> None:
    """One log line a repair, counts and a table in the op's metadata."""
    rows = [
        {
            "finding": view.finding_id,
            "repair": view.kind,
            "target": ", ".join(f"{key} {value}" for key, value in view.target.items()),
            "state": view.state,
            "effects": ", ".join(f"{item['field']}: {item['before']} -> {item['after']}" for item in view.effects),
            "reason": view.reason,
        }
        for view in views
    ]
    for row in rows:
        context.log.info(f"{'would be' if dry_run else 'now'} {row['state']}: {row}")
    states = Counter(view.state for view in views)
    context.add_output_metadata({"dry_run": dry_run, **states, "repairs": preview(rows)})


OP_JOBS = (deliver_alerts, repair_findings, activate_subscription)

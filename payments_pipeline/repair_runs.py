"""What every run about repairs has in common: who asks for it, with what it works, and what it shows.

Belongs here: the actor, resources put together, metadata and log lines. Does not belong here: jobs (repair_jobs.py,
action_jobs.py), rules (remediation/).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.assets.presentation import preview
from payments_pipeline.config import Settings
from payments_pipeline.core.people import is_reserved
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline.remediation.recheck import Look, Looker, look_again
from payments_pipeline.remediation.rounds import Looking
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import ClockResource, DatabaseResource

USER_TAGS = ("user", "dagster/user", "launched_by")
"""Where a deployment with log-ins may say who launched a run, the first that is there."""
BY_MACHINE = ("dagster/sensor_name", "dagster/schedule_name", "dagster/from_automation_condition")
"""Tags of runs that nobody launched: only these act in the project's own name."""
DRY_RUN = "True: say what would change on both sides, and change nothing."
LOGGED = 100
"""Repairs that a run's page names one by one. Each line costs Dagster's storage some milliseconds."""

Run = dg.OpExecutionContext | dg.AssetExecutionContext


class Launch(dg.Config):
    """Who launches a repair, and whether in earnest."""

    dry_run: bool = Field(default=True, description=DRY_RUN)
    actor: str = Field(
        default="",
        description="Your name; it stands in the audit trail. May stay empty only where the run has a tag `user`.",
    )


def who(context: Run, launch: Launch) -> str:
    """Whoever launched the run, by its configuration or its tags; a dry run may be anybody's.

    Raises:
        dg.Failure: nobody is named, or a person under a name that is the project's own.
    """
    tags = context.run.tags
    named = launch.actor.strip() or next((tags[tag].strip() for tag in USER_TAGS if tags.get(tag, "").strip()), "")
    if not named and launch.dry_run:
        return "nobody"
    if not named:
        raise dg.Failure(
            "Nobody is named as the one who asks for this: set `actor` in the op's config to your name.",
            allow_retries=False,
        )
    if is_reserved(named) and not any(tags.get(tag) for tag in BY_MACHINE):
        raise dg.Failure(
            f"{named} is what the project calls itself: set `actor` in the op's config to your name.",
            allow_retries=False,
        )
    return named


def desk_of(settings: Settings, clock: ClockResource, database: DatabaseResource) -> Desk:
    """Where providers are asked in this run."""
    return Desk(settings, clock.present, database.engine)


def looking_of(
    context: Run, settings: Settings, clock: ClockResource, database: DatabaseResource, desk: Desk
) -> Looking:
    """Looks again at what was repaired. What fails there is a warning: the repair stands, the next run looks."""
    looker = Looker(
        engine=database.engine,
        settings=settings,
        desk=desk,
        reports=load_reports(),
        configured=configured_providers(settings),
        clock=clock.present,
        judged_by=clock.now,
        run_id=context.run.run_id,
    )
    return partial(_look, context, looker)


def _look(context: Run, looker: Looker, actions: Collection[int]) -> Look | None:
    try:
        look = look_again(looker, actions)
    except PaymentsPipelineError as error:
        context.log.warning(f"The repairs stand, but their findings could not be judged now: {error}")
        return None
    context.log.info(f"looked again: {look.objects} objects, reports {', '.join(look.reports) or 'none'}, "
                     f"{look.resolved} findings resolved")  # fmt: skip
    return look


def show(context: dg.OpExecutionContext, views: Sequence[ActionView], dry_run: bool) -> None:
    """Log lines, and the rest in the op's metadata, see `told`."""
    context.add_output_metadata(told(context, views, dry_run))


def told(context: Run, views: Sequence[ActionView], dry_run: bool) -> dict[str, Any]:
    """Log lines of the first `LOGGED` repairs, and metadata: counts, a table of repairs, what changes on both sides."""
    rows = [
        {
            "action": view.action_id,
            "finding": view.finding_id,
            "repair": view.kind,
            # A name may be an e-mail address: the id is enough.
            "target": ", ".join(f"{key} {value}" for key, value in view.target.items() if key != "username"),
            "state": view.state,
            "reason": view.reason,
        }
        for view in views
    ]
    for row, view in islice(zip(rows, views, strict=True), LOGGED):
        context.log.info(f"{'would be' if dry_run else 'now'} {view.state}: {row}")
        for line in diff(view):
            context.log.info(f"  {line['side']}: {line['what']}, {line['field']}: {line['before']} -> {line['after']}")
    if len(views) > LOGGED:
        kept = Counter(view.state for view in views if view.action_id is not None)
        asked = [f"payments-pipeline actions list --state {state} --limit {count}" for state, count in kept.items()]
        context.log.info(
            f"and {len(views) - LOGGED} more."
            + (f" What to do: look at them with {', '.join(asked)}." if asked else "")
        )
    states = Counter(view.state for view in views)
    return {
        "dry_run": dry_run,
        **states,
        "repairs": preview(rows),
        "changes": preview([line for view in views for line in diff(view)]),
    }


def diff(view: ActionView) -> list[Mapping[str, Any]]:
    """What changes, one row a value, the provider's side first."""
    lines = [{"side": _side(one["what"]), **one} for one in view.effects]
    return sorted(lines, key=lambda line: line["side"], reverse=True)


def _side(what: str) -> str:
    return "provider" if what.startswith("Stripe") else "application"

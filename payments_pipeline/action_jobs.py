"""One job for each kind of repair, for people: the launchpad and `dagster-graphql` show what it needs, and it changes
nothing unless it is told to.

Belongs here: for each kind its typed configuration, and one op that proposes the repair and, where policy asks for no
approval, applies it. Does not belong here: rounds of many (repair_jobs.py), rules (remediation/).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from payments_pipeline.config import Settings
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.actions import apply, propose, propose_target
from payments_pipeline.remediation.planning import ActionView, plans
from payments_pipeline.repair_jobs import TAGS
from payments_pipeline.repair_runs import Launch, desk_of, looking_of, show, who
from payments_pipeline.resources import ClockResource, DatabaseResource

FINDING = "A live finding that asks for this repair; or leave it empty and name the target below."
WHY = "Why; it stands in the audit trail."
BY_HAND = "launched by hand"
INTENT = "Stripe's id of the payment, pi_…"


class OfFinding(Launch):
    """A repair that a finding may ask for."""

    finding_id: int | None = Field(default=None, description=FINDING)
    reason: str = Field(default=BY_HAND, description=WHY)


class ActivateSubscription(OfFinding):
    """Gives a user what the newest payment bought."""

    user_id: str | None = Field(default=None, description="The application's id of the user.")
    payment_id: str | None = Field(default=None, description="The payment to say what became of.")


class ActivateByHand(Launch):
    """Gives any user any plan."""

    user_id: str = Field(description="The application's id of the user.")
    plan_id: str = Field(description="Id of the plan to give, for one of its periods from now on.")
    reason: str = Field(min_length=1, description=WHY)


class SyncPaymentStatus(OfFinding):
    """Brings the application's payment to the provider's state."""

    provider: str = Field(default="stripe", description="stripe, nowpayments or okx.")
    provider_ref: str | None = Field(default=None, description="The provider's id of the payment.")


class CapturePayment(OfFinding):
    """Takes money that is held."""

    provider_ref: str | None = Field(default=None, description=INTENT)
    capture_amount: str | None = Field(
        default=None, description="A part to take, in major units, e.g. 30.50; empty: all that is held."
    )


class ReleaseAuthorization(OfFinding):
    """Lets a hold go."""

    provider_ref: str | None = Field(default=None, description=INTENT)


class RefundPayment(OfFinding):
    """Gives money back."""

    provider_ref: str | None = Field(default=None, description=INTENT)
    refund_amount: str | None = Field(
        default=None, description="A part to give back, in major units, e.g. 5.00; empty: all that is left."
    )


class OfPayment(OfFinding):
    """A repair of one of the application's payments."""

    payment_id: str | None = Field(default=None, description="The application's id of the payment.")


class RevokeAccess(OfFinding):
    """Takes access away."""

    user_id: str | None = Field(default=None, description="The application's id of the user.")


class RetryPayout(OfFinding):
    """Pays out again what came back."""

    payout_id: str | None = Field(default=None, description="The application's id of the payout.")
    provider_ref: str | None = Field(
        default=None, description="What came back at Stripe, tr_… or po_…; empty: it never left."
    )


class ResolveFinding(Launch):
    """Says that a finding is over."""

    finding_id: int = Field(description="A live finding.")
    reason: str = Field(min_length=1, description=WHY)


class SnoozeFinding(ResolveFinding):
    """Says that a finding may wait."""

    until: str = Field(description="Until when, e.g. 2026-12-01T08:00:00+00:00.")


CONFIGS: Mapping[str, type[Launch]] = {
    "activate_subscription": ActivateSubscription,
    "activate_by_hand": ActivateByHand,
    "sync_payment_status": SyncPaymentStatus,
    "capture_payment": CapturePayment,
    "release_authorization": ReleaseAuthorization,
    "refund_payment": RefundPayment,
    "confirm_crypto_payment": OfPayment,
    "expire_payment": OfPayment,
    "revoke_access": RevokeAccess,
    "retry_payout": RetryPayout,
    "resolve_finding": ResolveFinding,
    "snooze_finding": SnoozeFinding,
}
"""Configuration of each kind's job; its fields beyond Launch's name the target."""


def action_op(kind: str) -> str:
    """Name of the op in a kind's job, which its configuration stands under."""
    return f"apply_{kind}"


def _op(kind: str, shape: type[Launch]) -> dg.OpDefinition:
    @dg.op(name=action_op(kind), description=f"Proposes one {kind} and, where policy needs no approval, applies it.")
    def one(
        context: dg.OpExecutionContext,
        config: shape,  # type: ignore[valid-type]
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
    ) -> None:
        _carry_out(context, kind, config, settings=settings, clock=clock, database=database)

    return one


def _carry_out(
    context: dg.OpExecutionContext,
    kind: str,
    config: Launch,
    *,
    settings: Settings,
    clock: ClockResource,
    database: DatabaseResource,
) -> None:
    desk = desk_of(settings, clock, database)
    actor = who(context, config)
    try:
        view = _proposed(kind, config, actor, clock=clock, database=database, desk=desk)
        if view.action_id is not None and not config.dry_run:
            result = apply(
                database.engine, view.action_id, actor=actor, as_of=clock.now(), dry_run=False,
                contract_dir=settings.contract_dir, desk=desk,
            )  # fmt: skip
            view = replace(view, state=result.state, effects=result.effects or view.effects, reason=result.reason)
    except PaymentsPipelineError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    show(context, [view], config.dry_run)
    if view.state == "verified" and view.action_id is not None and not config.dry_run:
        looking_of(context, settings, clock, database, desk)([view.action_id])
    if view.state in {"rejected", "failed"} and not config.dry_run:
        raise dg.Failure(f"It is {view.state}: {view.reason}", allow_retries=False)


def _proposed(
    kind: str, config: Launch, actor: str, *, clock: ClockResource, database: DatabaseResource, desk: Desk
) -> ActionView:
    """What would be, or now is, proposed."""
    finding = config.finding_id if isinstance(config, OfFinding) else None
    fields = config.model_dump(exclude={*Launch.model_fields, "reason"})
    reason, report = str(getattr(config, "reason", "")), None
    if finding is not None:
        del fields["finding_id"]
        fields = {name: value for name, value in fields.items() if value != type(config).model_fields[name].default}
    target = {name: str(value) for name, value in fields.items() if value is not None}
    if finding is not None:
        view = _of_finding(kind, finding, clock=clock, database=database, desk=desk)
        if not target and reason == BY_HAND:
            return _stored(finding, view, config.dry_run, actor, clock=clock, database=database, desk=desk)
        target, report = _together(finding, view, target), view.report
    return propose_target(
        database.engine, kind, target, actor=actor, as_of=clock.now(), reason=reason, desk=desk,
        dry_run=config.dry_run, finding_id=finding, report=report,
    )  # fmt: skip


def _together(finding: int, view: ActionView, named: Mapping[str, str]) -> dict[str, str]:
    """What a finding asks for, with what else the launcher names."""
    others = sorted(name for name, value in named.items() if view.target.get(name, value) != value)
    if others:
        raise dg.Failure(f"Finding {finding} is about another {', '.join(others)}: name one of both.",
                         allow_retries=False)  # fmt: skip
    if view.action_id is not None:
        raise dg.Failure(
            f"Finding {finding} has action {view.action_id} already, as the finding asks for it: apply that one, or "
            "reject it first.",
            allow_retries=False,
        )
    return {**view.target, **named}


def _of_finding(kind: str, finding: int, *, clock: ClockResource, database: DatabaseResource, desk: Desk) -> ActionView:
    """What a finding asks for."""
    with database.connect() as connection:
        found = [plan.view for plan in plans(connection, as_of=clock.now(), findings=[finding], desk=desk)]
    if not any(view.kind == kind for view in found):
        raise dg.Failure(
            f"Finding {finding} asks for no {kind}: it is not live, it asks for something else or for a person, or "
            f"policy for {kind} is off.",
            allow_retries=False,
        )
    return found[0]


def _stored(
    finding: int,
    view: ActionView,
    dry_run: bool,
    actor: str,
    *,
    clock: ClockResource,
    database: DatabaseResource,
    desk: Desk,
) -> ActionView:
    """The action that a finding asks for, as it asks for it."""
    if dry_run:
        return view
    stored = propose(database.engine, actor=actor, as_of=clock.now(), findings=[finding], desk=desk)
    return stored[0] if stored else view


def _job(kind: str, shape: type[Launch]) -> dg.JobDefinition:
    op: Callable[..., Any] = _op(kind, shape)

    @dg.job(
        name=kind,
        executor_def=dg.in_process_executor,
        tags=TAGS,
        description=f"{shape.__doc__} One {kind}, by hand: a dry run unless `dry_run` is set to false.",
    )
    def job() -> None:
        op()

    return job


ACTION_JOBS = tuple(_job(kind, shape) for kind, shape in CONFIGS.items())

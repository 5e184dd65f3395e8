"""The commands about repairs: `payments-pipeline actions …` and `activate`. Parses words, calls repairs.py.

Belongs here: arguments. Does not belong here: any decision. Exit codes as in cli.py.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import typer

from payments_pipeline.cli_help import shown_as
from payments_pipeline.cli_options import Json, now
from payments_pipeline.config import load_settings
from payments_pipeline.core.people import person
from payments_pipeline.errors import ConfigurationError

actions_app = typer.Typer(
    help="Repairs: look at them, propose, approve, reject, apply; stop them all.", no_args_is_help=True
)
Actor = Annotated[str, typer.Option(help="Your name: it stands in the audit trail.", callback=person)]
Number = Annotated[int, typer.Argument(help="Number of the action.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit trail.")]
SUM = 'e.g. "USD 500"; may be given several times, for several currencies'
MOST = Decimal(10) ** 15
DryRun = Annotated[bool, typer.Option(help="Say what would change, and change nothing.")]


@actions_app.command("list")
def list_actions(
    state: Annotated[
        str | None, typer.Option(help="Only these, e.g. verified; default: all that are not ended.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    json: Json = None,
) -> None:
    """List repairs. Exits with 1 when some wait for people."""
    from payments_pipeline.repairs import run_list

    raise typer.Exit(run_list(load_settings(), state=state, limit=limit, json=json))


@actions_app.command("show")
def show_action(action: Number, json: Json = None) -> None:
    """Everything about one repair: what it changes on both sides, who agreed, its trail."""
    from payments_pipeline.repairs import run_show

    raise typer.Exit(run_show(load_settings(), action, json=json))


@actions_app.command("propose", **shown_as("actions propose"))
def propose_action(
    kind: Annotated[str, typer.Argument(help="Kind of repair, e.g. capture_payment.")],
    target: Annotated[list[str], typer.Argument(help="Of what, e.g. provider_ref=pi_1 capture_amount=30.50.")],
    actor: Actor,
    reason: Reason,
    dry_run: DryRun = True,
) -> None:
    """Propose a repair of what you name, without a finding."""
    from payments_pipeline.repairs import run_propose

    pairs = dict(_pair(word) for word in target)
    raise typer.Exit(
        run_propose(load_settings(), kind, pairs, actor=actor, as_of=now(), reason=reason, dry_run=dry_run)
    )


@actions_app.command("approve")
def approve_action(
    action: Number, actor: Actor, note: Annotated[str | None, typer.Option(help="A word to it.")] = None
) -> None:
    """Agree to a repair as it was planned. Its proposer can't."""
    from payments_pipeline.repairs import run_approve

    raise typer.Exit(run_approve(load_settings(), action, actor=actor, as_of=now(), note=note))


@actions_app.command("reject")
def reject_action(action: Number, actor: Actor, reason: Reason) -> None:
    """Decide that a repair is not to be made."""
    from payments_pipeline.repairs import run_reject

    raise typer.Exit(run_reject(load_settings(), action, actor=actor, as_of=now(), reason=reason))


@actions_app.command("apply", **shown_as("actions apply"))
def apply_action(action: Number, actor: Actor, dry_run: DryRun = True) -> None:
    """Make a repair that policy lets you make. Both sides are read again first. Exits with 1 unless it is verified."""
    from payments_pipeline.repairs import run_apply

    raise typer.Exit(run_apply(load_settings(), action, actor=actor, as_of=now(), dry_run=dry_run))


@actions_app.command("policies")
def list_policies(json: Json = None) -> None:
    """What may happen by itself, what people must approve, how much at most; and changes that wait for somebody."""
    from payments_pipeline.policy_desk import run_policies

    raise typer.Exit(run_policies(load_settings(), as_of=now(), json=json))


@actions_app.command("policy", **shown_as("actions policy"))
def change_policy(  # noqa: PLR0917  (typer's options)
    kind: Annotated[str, typer.Argument(help="Kind of repair, e.g. capture_payment.")],
    actor: Actor,
    report: Annotated[str, typer.Option(help="Only for this report's findings; default: for every other.")] = "",
    mode: Annotated[str | None, typer.Option(help="off, propose or auto.")] = None,
    approvals: Annotated[int | None, typer.Option(min=0, max=2, help="How many people must agree.")] = None,
    max_per_run: Annotated[int | None, typer.Option(min=0, help="At most so many a run.")] = None,
    max_per_day: Annotated[int | None, typer.Option(min=0, help="At most so many a day (UTC).")] = None,
    limit_run: Annotated[list[str] | None, typer.Option(help=f"At most this sum a run, {SUM}.", metavar="SUM")] = None,
    limit_day: Annotated[list[str] | None, typer.Option(help=f"At most this sum a day, {SUM}.", metavar="SUM")] = None,
    second_above: Annotated[
        list[str] | None, typer.Option(help=f"Above this sum two people must agree, {SUM}.", metavar="SUM")
    ] = None,
    expires_hours: Annotated[
        int | None, typer.Option(min=1, max=8760, help="A proposal nobody takes up lapses after so many hours.")
    ] = None,
) -> None:
    """Change a policy; what you do not name stays. What only tightens holds at once. What loosens a repair that people
    must approve waits for a second person; then it exits with 1.
    """
    from payments_pipeline.policy_desk import run_policy

    changes = {"mode": mode, "approvals": approvals, "max_per_run": max_per_run, "max_per_day": max_per_day}
    term = {"expires_after": None if expires_hours is None else timedelta(hours=expires_hours)}
    limits: dict[str, dict[str, Decimal]] = {}
    named = {"max_amount_per_run": limit_run, "max_amount_per_day": limit_day, "second_approval_above": second_above}
    for field, words in named.items():
        for word in words or ():
            currency, amount = _sum(word)
            limits.setdefault(currency, {})[field] = amount
    raise typer.Exit(
        run_policy(
            load_settings(), kind, report=report, changes=changes | term, limits=limits, actor=actor, as_of=now()
        )
    )


@actions_app.command("policy-confirm")
def confirm_policy(
    change: Annotated[int, typer.Argument(help="Number of the change, as `actions policies` shows it.")], actor: Actor
) -> None:
    """Agree to a change of policy that somebody else asked for; from now on it holds."""
    from payments_pipeline.policy_desk import run_policy_confirm

    raise typer.Exit(run_policy_confirm(load_settings(), change, actor=actor, as_of=now()))


@actions_app.command("policy-refuse")
def refuse_policy(
    change: Annotated[int, typer.Argument(help="Number of the change, as `actions policies` shows it.")],
    actor: Actor,
    reason: Reason,
) -> None:
    """Decide that a change of policy is not to be made."""
    from payments_pipeline.policy_desk import run_policy_refuse

    raise typer.Exit(run_policy_refuse(load_settings(), change, actor=actor, as_of=now(), reason=reason))


@actions_app.command("policy-record")
def record_policy(actor: Actor, reason: Reason) -> None:
    """Enter in the audit trail what was changed in the policies by SQL; until then `audit verify` complains."""
    from payments_pipeline.policy_desk import run_policy_record

    raise typer.Exit(run_policy_record(load_settings(), actor=actor, as_of=now(), reason=reason))


@actions_app.command("stop")
def stop_all(actor: Actor, reason: Reason) -> None:
    """Stop all repairs at once; returns when none is under way any more."""
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.remediation.oversight import stop

    stop(get_engine(load_settings()), actor=actor, as_of=now(), reason=reason)
    typer.echo("All repairs are stopped. Let them go on with: payments-pipeline actions resume")


@actions_app.command("resume")
def resume_all(actor: Actor, reason: Reason) -> None:
    """Let repairs go on."""
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.remediation.oversight import resume

    resume(get_engine(load_settings()), actor=actor, as_of=now(), reason=reason)
    typer.echo("Repairs go on.")


def activate(
    user: Annotated[str, typer.Option(help="The application's id of the user.")],
    actor: Actor,
    reason: Reason,
    plan: Annotated[
        str | None, typer.Option(help="Id of the plan to give; default: what the user's newest payment bought.")
    ] = None,
    dry_run: DryRun = True,
) -> None:
    """Give a user access, with a reason. Exits with 1 when it is not due."""
    from payments_pipeline.repairs import run_activate

    raise typer.Exit(
        run_activate(
            load_settings(), user=user, plan=plan, actor=actor, as_of=now(), reason=reason, dry_run=dry_run
        )
    )  # fmt: skip


def _sum(word: str) -> tuple[str, Decimal]:
    currency, _, amount = word.strip().partition(" ")
    try:
        number = Decimal(amount.strip())
        usable = currency.isascii() and currency.isalnum() and number.is_finite() and 0 <= number < MOST
    except ArithmeticError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{word!r} is not a sum.", where="SUM", remedy='Write it as "USD 500".')
    return currency.upper(), number


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name or not equals or not value:
        raise ConfigurationError(f"{word!r} is not name=value.", where="TARGET", remedy="E.g. provider_ref=pi_1.")
    return name, value

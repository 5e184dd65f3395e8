"""The commands about findings and their messages: `payments-pipeline findings …` and `outbox …`.

Belongs here: arguments. Does not belong here: any decision. Exit codes as in cli.py.
"""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from payments_pipeline.cli_help import shown_as
from payments_pipeline.cli_options import Json, moment, now, report_names, say
from payments_pipeline.config import load_settings
from payments_pipeline.core.states import Severity

findings_app = typer.Typer(help="Findings: what is open, one with its story, and what people do with them.",
                           no_args_is_help=True)  # fmt: skip
outbox_app = typer.Typer(help="Messages on their way to the channels.", no_args_is_help=True)
FindingId = Annotated[int, typer.Argument(help="The number that messages and `findings list` show.", metavar="ID")]
Reason = Annotated[str, typer.Option(help="Why; stands in the audit trail.")]
Actor = Annotated[str, typer.Option("--as", help="Who does it; default: your log-in name.", default_factory=getuser)]


@findings_app.command("list", **shown_as("findings list"))
def findings_list(
    report: Annotated[str | None, typer.Option(help="Only this report's.", autocompletion=report_names)] = None,
    severity: Annotated[
        Severity | None, typer.Option(help="Only these: critical, high, medium or low.", case_sensitive=False)
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only about this user: the application's id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    json: Json = None,
) -> None:
    """What is open now, the gravest and oldest first. Exits with 1 when there is anything."""
    from payments_pipeline.findings import Wanted
    from payments_pipeline.present_findings import show_list

    wanted = Wanted(report, None if severity is None else severity.value, user)
    raise typer.Exit(show_list(load_settings(), wanted, limit=limit, json=json))


@findings_app.command("show")
def findings_show(finding_id: FindingId, json: Json = None) -> None:
    """One finding as it was found and as it is now, what proved it, and all that happened to it."""
    from payments_pipeline.present_findings import show_story

    show_story(load_settings(), finding_id, json=json)


@findings_app.command("ack")
def findings_ack(finding_id: FindingId, actor: Actor, reason: Reason = "") -> None:
    """Say that you look after it: no repair by itself, its message says who."""
    _handle(finding_id, "acknowledge", actor=actor, reason=reason or None)


@findings_app.command("snooze", **shown_as("findings snooze"))
def findings_snooze(
    finding_id: FindingId,
    actor: Actor,
    until: Annotated[str, typer.Option(help="Until when, e.g. 2026-11-02T08:00:00Z.", metavar="TIME")],
    reason: Reason = "",
) -> None:
    """Nothing of it until then; it wakes by itself."""
    _handle(finding_id, "snooze", actor=actor, reason=reason or None, until=moment(until, "--until"))


@findings_app.command("resolve", **shown_as("findings resolve"))
def findings_resolve(finding_id: FindingId, actor: Actor, reason: Reason) -> None:
    """Say that it is over, and why. It stays so while its row is there unchanged."""
    _handle(finding_id, "resolve", actor=actor, reason=reason)


@findings_app.command("reopen")
def findings_reopen(finding_id: FindingId, actor: Actor, reason: Reason) -> None:
    """Open a resolved one again, as a new episode."""
    _handle(finding_id, "reopen", actor=actor, reason=reason)


@outbox_app.command("requeue")
def outbox_requeue(channel: Annotated[str, typer.Argument(help="The channel, e.g. discord.")]) -> None:
    """Send again what was given up, e.g. after a webhook was replaced."""
    from payments_pipeline.present_findings import requeue_channel

    say(requeue_channel(load_settings(), channel, at=now()))


def _handle(finding_id: int, act: str, **values: object) -> None:
    from payments_pipeline.present_findings import handle

    say(handle(load_settings(), finding_id, act, at=now(), **values))

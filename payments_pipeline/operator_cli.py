"""The commands of a person on duty: check, watch, user, payment, doctor. Parses words, calls one function each.

Belongs here: arguments. Does not belong here: any decision. Exit codes as in cli.py.
"""

from __future__ import annotations

from typing import Annotated

import typer

from payments_pipeline.cli_help import shown_as
from payments_pipeline.cli_options import Json, now
from payments_pipeline.config import load_settings


def check(json: Json = None) -> None:
    """Look quickly, now: payers without access this minute, open findings, what was not read, alerts not delivered.

    Judges on what is stored; asks no provider and changes nothing. Exits with 1 when there is anything to look at.
    """
    from payments_pipeline.quick_look import run_check

    raise typer.Exit(run_check(load_settings(), now=now(), json=json))


def watch(
    seconds: Annotated[float, typer.Argument(min=0.2, help="Between two looks.")] = 5.0,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop after so many looks; default: Ctrl-C.")] = None,
) -> None:
    """Keep `check` on the screen: gaps with the time since their payment, growing. Ctrl-C ends it."""
    from payments_pipeline.quick_look import run_watch

    raise typer.Exit(run_watch(load_settings(), every=seconds, rounds=rounds, clock=now))


def user(
    word: Annotated[str, typer.Argument(help="Id, e-mail address, name, or Stripe's customer id.", metavar="USER")],
    json: Json = None,
) -> None:
    """Everything about one user, in one order of time: access and why, payments at both sides, webhooks, findings,
    repairs. Exits with 1 when findings about the user are open.
    """
    from payments_pipeline.present_stories import show_user

    raise typer.Exit(show_user(load_settings(), word, json=json))


def payment(
    word: Annotated[
        str, typer.Argument(help="Its id at either side, a checkout, a charge, or a transaction hash.", metavar="REF")
    ],
    json: Json = None,
) -> None:
    """One payment at both sides, with refunds, deposits, webhooks, findings and repairs, in one order of time.

    Exits with 1 when findings about it are open.
    """
    from payments_pipeline.present_stories import show_payment

    raise typer.Exit(show_payment(load_settings(), word, json=json))


def doctor(
    post: Annotated[bool, typer.Option("--post", help="Also send a test message to Discord.")] = False,
    json: Json = None,
) -> None:
    """Examine the installation: database, contract views and indexes, credentials, Discord, clocks, webhook flow.

    Every line that is not well says what to do. Only reads, unless --post. Exits with 1 when something is not well.
    """
    from payments_pipeline.doctor import run_doctor

    raise typer.Exit(run_doctor(load_settings(), now=now(), post=post, json=json))


def stats(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; default: all.", metavar="NAME")] = None,
    days: Annotated[int, typer.Option(min=1, help="Over so many days up to now.")] = 30,
    json: Json = None,
) -> None:
    """Figures over the last days: success, time to access, webhooks, failures, revenue, repairs."""
    from payments_pipeline.present_stats import show_stats

    show_stats(load_settings(), names or [], as_of=now(), days=days, json=json)


def add_to(app: typer.Typer) -> None:
    """Add these commands to `payments-pipeline`."""
    for command in (check, watch, user, payment, doctor, stats):
        app.command(**shown_as(command.__name__))(command)

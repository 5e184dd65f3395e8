"""The commands about what is stored: `payments-pipeline db …` and `audit …`.

Belongs here: arguments. Does not belong here: any decision. Exit codes as in cli.py.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from payments_pipeline.cli_options import Json, say
from payments_pipeline.config import load_settings
from payments_pipeline.json_output import for_people, write_json

db_app = typer.Typer(help="The database: upgrade it, where it is, stop the embedded server.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit trail of repairs.", no_args_is_help=True)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Migrate the database and refresh the contract views. Safe to repeat, safe when two run at once."""
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.db.migrate import upgrade

    settings = load_settings()
    done = upgrade(get_engine(settings), settings.contract_dir)
    say(*(done or ["The database is up to date."]))


@db_app.command("stop")
def db_stop() -> None:
    """Stop the embedded server. The data stay; the next command that needs it starts it again."""
    from payments_pipeline.db import embedded

    stopped = embedded.stop(load_settings().payments_home)
    say("Stopped." if stopped else "No embedded server was running.")


@db_app.command("url")
def db_url() -> None:
    """Print the database's URL, for psql and other tools (it contains the password, if there is one)."""
    from payments_pipeline.db.engine import database_url

    say(database_url(load_settings()).set(drivername="postgresql").render_as_string(hide_password=False))


@audit_app.command("verify")
def audit_verify(
    head: Annotated[str | None, typer.Option(help="The head that was noted before.", metavar="HASH")] = None,
    json: Json = None,
) -> None:
    """Recompute the audit trail's hashes, and look for repairs without a row. Exits with 1 when something is wrong.

    Rows cut off at its end, and a trail written anew from some row on, show for certain only against a noted head.
    """
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.remediation.audit import verify

    with get_engine(load_settings()).connect() as connection:
        checked = verify(connection, head=head)
    write_json(json, asdict(checked))
    if for_people(json):
        whole = f"{checked.rows} rows are whole. Note the head elsewhere, for --head: {checked.head}"
        say(whole if checked.trouble is None else checked.trouble)
    raise typer.Exit(0 if checked.trouble is None else 1)


@audit_app.command("show")
def audit_show(
    user: Annotated[str | None, typer.Option(help="The application's id of a user.")] = None,
    payment: Annotated[str | None, typer.Option(help="The application's id of a payment.")] = None,
    json: Json = None,
) -> None:
    """Everything that was done about one user or one payment, oldest first. Exits with 1 when there is nothing."""
    from payments_pipeline.repairs import run_timeline

    raise typer.Exit(run_timeline(load_settings(), user=user, payment=payment, json=json))

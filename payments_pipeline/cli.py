"""The commands people type. Parses words, calls one function of a lower layer, shows what it answered.

Belongs here: arguments, tables for people, JSON for machines, exit codes. Does not belong here: any decision.
Exit codes: 0 all is well, 1 something was found, 2 the command could not do its work.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from payments_pipeline import __version__
from payments_pipeline.actions_cli import actions_app, activate
from payments_pipeline.cli_help import COMMANDS, TRY, shown_as
from payments_pipeline.cli_options import AsOf, Json, as_of_time, moment, now, report_names, say
from payments_pipeline.config import load_settings
from payments_pipeline.database_cli import audit_app, db_app
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.failure_texts import told
from payments_pipeline.findings_cli import findings_app, outbox_app
from payments_pipeline.ingest.collector import collect_seldom
from payments_pipeline.json_output import for_people, require_writable, spelt_out
from payments_pipeline.operator_cli import add_to as add_operator_commands


class Commands(TyperGroup):
    """All commands, in the order of `cli_help`; a bare `--json` is spelt out before anything is parsed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Those that a newcomer needs first stand first."""
        return sorted(super().list_commands(ctx), key=list(COMMANDS).index)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base class, over words that say where the JSON goes."""
        return super().parse_args(ctx, spelt_out(args))


app = typer.Typer(
    name="payments-pipeline",
    cls=Commands,
    help="Keeps providers, application and users' access in agreement: finds gaps, tells people, repairs, proves.",
    epilog=TRY,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
add_operator_commands(app)
app.add_typer(db_app, name="db", **shown_as("db"))
app.add_typer(audit_app, name="audit", **shown_as("audit"))
app.add_typer(actions_app, name="actions", **shown_as("actions"))
app.command(**shown_as("activate"))(activate)
app.add_typer(findings_app, name="findings", **shown_as("findings"))
app.add_typer(outbox_app, name="outbox", **shown_as("outbox"))


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(__version__)
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Keeps providers, application and users' access in agreement: finds gaps, tells people, repairs, proves."""
    del debug  # taken by main(), wherever it stands on the line


@app.command(**shown_as("env"))
def env() -> None:
    """Print the exports that dagster-webserver and dagster-daemon need: eval "$(payments-pipeline env)"."""
    from payments_pipeline.dev import dagster_environment

    for name, value in dagster_environment(load_settings()).items():
        say(f"export {name}='{value}'")


@app.command(**shown_as("dev"))
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the UI on loopback.")] = 3000,
    users: Annotated[int, typer.Option(min=1, help="Size of the sandbox world.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the sandbox world.")] = 1,
    real: Annotated[
        bool, typer.Option("--real", help="No sandbox: the providers and database of the environment.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show all that Dagster logs; else runs, warnings and errors.")
    ] = False,
) -> None:
    """Open Dagster's UI with its daemon on loopback, over a sandbox world (or, with --real, over your own)."""
    from payments_pipeline.dev import run_dev

    raise typer.Exit(run_dev(load_settings(), port=port, users=users, seed=seed, real=real, now=now(), verbose=verbose))


@app.command(**shown_as("init"))
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where .env is to stand; commands read it where they are called.")
    ] = Path(),
) -> None:
    """Begin here with your own data: writes a .env to fill in, and says what to type next. No file is written over."""
    from payments_pipeline.first_steps import run_init

    raise typer.Exit(run_init(folder))


@app.command(**shown_as("demo"))
def demo(
    users: Annotated[int, typer.Option(min=50, help="Users to plant; small worlds come out larger.")] = 2000,
    seed: Annotated[int, typer.Option(help="Same seed, same size, same time: same world.")] = 1,
    as_of: AsOf = None,
    json: Json = None,
) -> None:
    """Plant a world with known faults, reconcile it, alert, repair, and prove the repair by a second run.

    Exits with 1 when a planted fault was missed or a clean look-alike was reported.
    """
    from payments_pipeline.demo import run_demo

    at = as_of_time(as_of) or now().replace(minute=0, second=0, microsecond=0)
    raise typer.Exit(run_demo(load_settings(), users=users, seed=seed, as_of=at, json=json))


@app.command(**shown_as("reconcile"))
def reconcile(
    as_of: AsOf = None,
    repair: Annotated[bool, typer.Option("--repair", help="Also make the repairs that policy allows.")] = False,
    json: Json = None,
) -> None:
    """Run the nightly reconciliation now, in this process: configured providers, DATABASE_URL; then send the alerts.

    Exits with 1 when findings are open, with 2 when a provider could not be read in full.
    """
    from payments_pipeline.present import run_reconcile

    raise typer.Exit(run_reconcile(load_settings(), as_of=as_of_time(as_of), repair=repair, json=json))


@app.command(**shown_as("backfill"))
def backfill(  # noqa: PLR0917  (typer hands them by name)
    provider: Annotated[str, typer.Argument(help="stripe, nowpayments or okx.")],
    start: Annotated[str, typer.Option("--from", help="First creation time to read, e.g. 2026-10-01.", metavar="TIME")],
    end: Annotated[str, typer.Option("--to", help="Up to here, exclusive; not in the future.", metavar="TIME")],
    resource: Annotated[
        list[str] | None, typer.Option(help="Only this one, e.g. refunds; may be given several times.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only this account: its name in the configuration.")] = None,
    ranges: Annotated[int | None, typer.Option(min=1, help="Pieces of the window, each certified by itself.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Pieces read at the same time; at most 12.")] = None,
    json: Json = None,
) -> None:
    """Read all that a provider's accounts created in a window, in ranges side by side; take up what was interrupted.

    Exits with 1 when something could not be read: the same command then goes on where it stopped.
    """
    from payments_pipeline.ingest.across import Request
    from payments_pipeline.ingest.backfill import RANGES, THREADS
    from payments_pipeline.intake import run_backfill
    from payments_pipeline.providers.base import Window

    window = Window(moment(start, "--from"), moment(end, "--to"))
    request = Request(
        provider, window, tuple(resource or ()), account, ranges=ranges or RANGES, threads=threads or THREADS
    )
    raise typer.Exit(run_backfill(load_settings(), request, clock=now, json=json))


@app.command(**shown_as("coverage"))
def coverage(
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", help="Look for gaps from here on; default: the first time read.", metavar="TIME"),
    ] = None,
    json: Json = None,
) -> None:
    """What was read of every account's resources, what is missing in between, and how far the runs have come.

    Exits with 1 when something configured was not read in full, or there are gaps.
    """
    from payments_pipeline.intake import run_coverage

    first = None if since is None else moment(since, "--from")
    raise typer.Exit(run_coverage(load_settings(), provider=provider, since=first, now=now(), json=json))


@app.command(**shown_as("report"))
def report(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of the report, e.g. activation_gaps; without one: all of them.", autocompletion=report_names
        ),
    ] = None,
    as_of: AsOf = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="All rows as CSV into this file; - prints them.", callback=require_writable),
    ] = None,
    json: Json = None,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help="All rows as Parquet into this file.", callback=require_writable)
    ] = None,
) -> None:
    """Look at one report as of a time, or list them all. Findings, tables and alerts stay as they are.

    Exits with 0, rows or not.
    """
    from payments_pipeline.export import list_reports, run_report

    if name is None:
        for given, option in ((as_of, "--as-of"), (csv, "--csv"), (parquet, "--parquet")):
            if given is not None:
                raise ConfigurationError(f"{option} needs the NAME of a report.", remedy="payments-pipeline report")
        list_reports(load_settings(), json=json)
        return
    files = {"csv": csv, "json": json, "parquet": parquet}
    rows = run_report(load_settings(), name, as_of=as_of_time(as_of) or now(), files=files)
    if all(for_people(file) for file in files.values()):
        say(*(f"{rows} rows in {file}" for file in filter(None, files.values())))


@app.command(**shown_as("accuracy"))
def accuracy(
    users: Annotated[int, typer.Option(min=50, help="Users to plant; small worlds come out larger.")] = 500,
    seed: Annotated[int, typer.Option(help="Same seed, same size, same time: same world.")] = 1,
    as_of: AsOf = None,
    json: Json = None,
) -> None:
    """Plant everything that can go wrong, read it on bad days, and count what was found, missed and said falsely.

    Exits with 1 unless all was found and nothing else was said.
    """
    from payments_pipeline.accuracy import run_accuracy

    at = as_of_time(as_of) or now().replace(minute=0, second=0, microsecond=0)
    raise typer.Exit(run_accuracy(load_settings(), users=users, seed=seed, as_of=at, json=json))


@app.command(**shown_as("health"))
def health(json: Json = None) -> None:
    """Does what must happen by itself happen? Also when the daemon is dead: call it from cron or a timer.

    Exits with 1 when something is amiss, with 2 when the database can't be asked.
    """
    from payments_pipeline.present_health import show_health

    raise typer.Exit(show_health(load_settings(), now=now(), json=json))


@app.command(**shown_as("version"))
def version() -> None:
    """Print the version."""
    say(__version__)


def main() -> None:
    """Entry point: whatever goes wrong is one clear text and exit code 2; `--debug` adds where in the code."""
    collect_seldom()
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
        logging.getLogger("payments_pipeline").setLevel(logging.DEBUG)  # runs in this process show their traces
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  (the last one to hold it: a person reads it next)
        if debug:
            traceback.print_exc()
        typer.echo(f"Error: {told(error)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

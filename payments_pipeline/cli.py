"""The commands people type. Parses words, calls one function of a lower layer, shows what it answered.

Belongs here: arguments, tables for people, JSON for machines, exit codes. Does not belong here: any decision.
Exit codes: 0 all is well, 1 something was found, 2 the command could not do its work.
"""

from __future__ import annotations

import errno
import sys
import traceback
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from payments_pipeline import __version__
from payments_pipeline.actions_cli import actions_app, activate
from payments_pipeline.config import load_settings
from payments_pipeline.errors import ConfigurationError, PaymentsPipelineError
from payments_pipeline.operator_cli import add_to as add_operator_commands

app = typer.Typer(
    name="payments-pipeline",
    help="Keeps providers, application and users' access in agreement: finds gaps, tells people, repairs, proves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
db_app = typer.Typer(help="The database: upgrade it, where it is, stop the embedded server.", no_args_is_help=True)
app.add_typer(db_app, name="db")
audit_app = typer.Typer(help="The audit trail of repairs.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
add_operator_commands(app)
app.add_typer(actions_app, name="actions")
app.command()(activate)
findings_app = typer.Typer(help="Findings: what is open, one with its story, and what people do with them.",
                           no_args_is_help=True)  # fmt: skip
app.add_typer(findings_app, name="findings")
outbox_app = typer.Typer(help="Messages on their way to the channels.", no_args_is_help=True)
app.add_typer(outbox_app, name="outbox")


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    """Keeps providers, application and users' access in agreement: finds gaps, tells people, repairs, proves."""
    del debug  # taken by main(), wherever it stands on the line


AsOf = Annotated[
    str | None, typer.Option(help="Judge as of this time, e.g. 2026-11-01T12:00:00Z; default: now.", metavar="TIME")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file as JSON.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
FindingId = Annotated[int, typer.Argument(help="The number that messages and `findings list` show.", metavar="ID")]
Reason = Annotated[str, typer.Option(help="Why; stands in the audit trail.")]
Actor = Annotated[str, typer.Option("--as", help="Who does it; default: your log-in name.", default_factory=getuser)]


@findings_app.command("list")
def findings_list(
    report: Annotated[str | None, typer.Option(help="Only this report's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    json: AsJson = False,
) -> None:
    """What is open now, the gravest and oldest first. Exits with 1 when there is anything."""
    from payments_pipeline.present_findings import show_list

    raise typer.Exit(show_list(load_settings(), report=report, limit=limit, as_json=json))


@findings_app.command("show")
def findings_show(finding_id: FindingId, json: AsJson = False) -> None:
    """One finding as it was found and as it is now, what proved it, and all that happened to it."""
    from payments_pipeline.present_findings import show_story

    show_story(load_settings(), finding_id, as_json=json)


@findings_app.command("ack")
def findings_ack(finding_id: FindingId, actor: Actor, reason: Reason = "") -> None:
    """Say that you look after it: no repair by itself, its message says who."""
    _handle(finding_id, "acknowledge", actor=actor, reason=reason or None)


@findings_app.command("snooze")
def findings_snooze(
    finding_id: FindingId,
    actor: Actor,
    until: Annotated[str, typer.Option(help="Until when, e.g. 2026-11-02T08:00:00Z.", metavar="TIME")],
    reason: Reason = "",
) -> None:
    """Nothing of it until then; it wakes by itself."""
    _handle(finding_id, "snooze", actor=actor, reason=reason or None, until=_moment(until, "--until"))


@findings_app.command("resolve")
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

    _say(requeue_channel(load_settings(), channel, at=_now()))


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Migrate the database and refresh the contract views. Safe to repeat, safe when two run at once."""
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.db.migrate import upgrade

    settings = load_settings()
    done = upgrade(get_engine(settings), settings.contract_dir)
    _say(*(done or ["The database is up to date."]))


@db_app.command("stop")
def db_stop() -> None:
    """Stop the embedded server. The data stay; the next command that needs it starts it again."""
    from payments_pipeline.db import embedded

    stopped = embedded.stop(load_settings().payments_home)
    _say("Stopped." if stopped else "No embedded server was running.")


@db_app.command("url")
def db_url() -> None:
    """Print the database's URL, for psql and other tools (it contains the password, if there is one)."""
    from payments_pipeline.db.engine import database_url

    _say(database_url(load_settings()).set(drivername="postgresql").render_as_string(hide_password=False))


@audit_app.command("verify")
def audit_verify(
    head: Annotated[str | None, typer.Option(help="The head that was noted before.", metavar="HASH")] = None,
) -> None:
    """Recompute the audit trail's hashes, and look for repairs without a row. Exits with 1 when something is wrong.

    Rows cut off at its end, and a trail written anew from some row on, show for certain only against a noted head.
    """
    from payments_pipeline.db.engine import get_engine
    from payments_pipeline.remediation.audit import verify

    with get_engine(load_settings()).connect() as connection:
        checked = verify(connection, head=head)
    if checked.trouble is not None:
        _say(checked.trouble)
        raise typer.Exit(1)
    _say(f"{checked.rows} rows are whole. Note the head elsewhere, for --head: {checked.head}")


@audit_app.command("show")
def audit_show(
    user: Annotated[str | None, typer.Option(help="The application's id of a user.")] = None,
    payment: Annotated[str | None, typer.Option(help="The application's id of a payment.")] = None,
) -> None:
    """Everything that was done about one user or one payment, oldest first. Exits with 1 when there is nothing."""
    from payments_pipeline.repairs import run_timeline

    raise typer.Exit(run_timeline(load_settings(), user=user, payment=payment))


@app.command()
def env() -> None:
    """Print the exports that dagster-webserver and dagster-daemon need: eval "$(payments-pipeline env)"."""
    from payments_pipeline.dev import dagster_environment

    for name, value in dagster_environment(load_settings()).items():
        _say(f"export {name}='{value}'")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the UI on loopback.")] = 3000,
    users: Annotated[int, typer.Option(help="Size of the sandbox world.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the sandbox world.")] = 1,
    real: Annotated[
        bool, typer.Option("--real", help="No sandbox: the providers and database of the environment.")
    ] = False,
) -> None:
    """Open Dagster's UI with its daemon on loopback, over a sandbox world (or, with --real, over your own)."""
    from payments_pipeline.dev import run_dev

    raise typer.Exit(run_dev(load_settings(), port=port, users=users, seed=seed, real=real, now=_now()))


@app.command()
def demo(
    users: Annotated[int, typer.Option(min=50, help="Users to plant; small worlds come out larger.")] = 2000,
    seed: Annotated[int, typer.Option(help="Same seed, same size, same time: same world.")] = 1,
    as_of: AsOf = None,
    json_file: JsonFile = None,
) -> None:
    """Plant a world with known faults, reconcile it, alert, repair, and prove the repair by a second run.

    Exits with 1 when a planted fault was missed or a clean look-alike was reported.
    """
    from payments_pipeline.demo import run_demo

    moment = _time(as_of) or _now().replace(minute=0, second=0, microsecond=0)
    raise typer.Exit(run_demo(load_settings(), users=users, seed=seed, as_of=moment, json_file=json_file))


@app.command()
def reconcile(
    as_of: AsOf = None,
    repair: Annotated[bool, typer.Option("--repair", help="Also make the repairs that policy allows.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Run the nightly reconciliation now, in this process: configured providers, DATABASE_URL; then send the alerts.

    Exits with 1 when findings are open, with 2 when a provider could not be read in full.
    """
    from payments_pipeline.present import run_reconcile

    raise typer.Exit(run_reconcile(load_settings(), as_of=_time(as_of), repair=repair, json_file=json_file))


@app.command()
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
    json_file: JsonFile = None,
) -> None:
    """Read all that a provider's accounts created in a window, in ranges side by side; take up what was interrupted.

    Exits with 1 when something could not be read: the same command then goes on where it stopped.
    """
    from payments_pipeline.ingest.across import Request
    from payments_pipeline.ingest.backfill import RANGES, THREADS
    from payments_pipeline.intake import run_backfill
    from payments_pipeline.providers.base import Window

    window = Window(_moment(start, "--from"), _moment(end, "--to"))
    request = Request(
        provider, window, tuple(resource or ()), account, ranges=ranges or RANGES, threads=threads or THREADS
    )
    raise typer.Exit(run_backfill(load_settings(), request, clock=_now, json_file=json_file))


@app.command()
def coverage(
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", help="Look for gaps from here on; default: the first time read.", metavar="TIME"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """What was read of every account's resources, what is missing in between, and how far the runs have come.

    Exits with 1 when something configured was not read in full, or there are gaps.
    """
    from payments_pipeline.intake import run_coverage

    first = None if since is None else _moment(since, "--from")
    raise typer.Exit(run_coverage(load_settings(), provider=provider, since=first, now=_now(), json_file=json_file))


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="Name of the report, e.g. activation_gaps.")],
    as_of: AsOf = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all rows to this file as CSV.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all rows to this file as JSON.")] = None,
    parquet_file: Annotated[Path | None, typer.Option("--parquet", help="Write all rows as Parquet.")] = None,
) -> None:
    """Look at one report as of a time. Findings, tables and alerts stay as they are. Exits with 0, rows or not."""
    from payments_pipeline.export import run_report

    files = {"csv": csv_file, "json": json_file, "parquet": parquet_file}
    rows = run_report(load_settings(), name, as_of=_time(as_of) or _now(), files=files)
    for file in filter(None, files.values()):
        _say(f"{rows} rows in {file}")


@app.command()
def accuracy(
    users: Annotated[int, typer.Option(min=50, help="Users to plant; small worlds come out larger.")] = 500,
    seed: Annotated[int, typer.Option(help="Same seed, same size, same time: same world.")] = 1,
    as_of: AsOf = None,
    json_file: JsonFile = None,
) -> None:
    """Plant everything that can go wrong, read it on bad days, and count what was found, missed and said falsely.

    Exits with 1 unless all was found and nothing else was said.
    """
    from payments_pipeline.accuracy import run_accuracy

    moment = _time(as_of) or _now().replace(minute=0, second=0, microsecond=0)
    raise typer.Exit(run_accuracy(load_settings(), users=users, seed=seed, as_of=moment, json_file=json_file))


@app.command()
def health(json: AsJson = False) -> None:
    """Does what must happen by itself happen? Also when the daemon is dead: call it from cron or a timer.

    Exits with 1 when something is amiss, with 2 when the database can't be asked.
    """
    from payments_pipeline.present_health import show_health

    raise typer.Exit(show_health(load_settings(), now=_now(), as_json=json))


@app.command()
def version() -> None:
    """Print the version."""
    _say(__version__)


def main() -> None:
    """Entry point: whatever goes wrong is one clear text and exit code 2; `--debug` adds where in the code."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  (the last one to hold it: a person reads it next)
        if debug:
            traceback.print_exc()
        typer.echo(f"Error: {_told(error)}", err=True)
        sys.exit(2)


def _told(error: Exception) -> str:
    """An error of ours as it is; of others what is known about the cause and the remedy."""
    if isinstance(error, PaymentsPipelineError):
        return str(error)
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's error
    what = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{what}. What to do: free some disk space under {error.filename or 'PAYMENTS_HOME'}."
    if isinstance(error, OSError) and error.filename:
        return f"{what}. What to do: check that the path exists and is yours to write."
    if type(error).__module__.startswith("sqlalchemy"):
        return f"The database says: {what}. What to do: payments-pipeline doctor examines it."
    return f"{type(error).__name__}: {what}. What to do: run it again with --debug, and report what it shows."


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _now() -> datetime:
    return datetime.now(UTC)


def _handle(finding_id: int, act: str, **values: object) -> None:
    from payments_pipeline.present_findings import handle

    _say(handle(load_settings(), finding_id, act, at=_now(), **values))


def _time(value: str | None) -> datetime | None:
    return None if value is None else _moment(value, "--as-of")


def _moment(value: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{value!r} is not a time.", where=option, remedy="Write it as 2026-11-01T12:00:00Z."
        ) from None


if __name__ == "__main__":
    main()

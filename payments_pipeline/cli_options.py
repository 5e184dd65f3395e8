"""Options that several commands share, and how their words are read. Belongs here: nothing else."""

from __future__ import annotations

import glob
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import require_writable

AsOf = Annotated[
    str | None, typer.Option(help="Judge as of this time, e.g. 2026-11-01T12:00:00Z; default: now.", metavar="TIME")
]
Json = Annotated[
    Path | None,
    typer.Option(
        "--json",
        help="JSON on standard output instead of tables; with FILE (*.json, or --json=FILE) into it, beside them.",
        metavar="[FILE]",
        callback=require_writable,
    ),
]


def say(*lines: str) -> None:
    """Lines on standard output, as they are."""
    for line in lines:
        typer.echo(line)


def now() -> datetime:
    """The wall clock, UTC: the command line is where time comes in."""
    return datetime.now(UTC)


def as_of_time(value: str | None) -> datetime | None:
    """What `--as-of` says.

    Raises:
        ConfigurationError: it is no time.
    """
    return None if value is None else moment(value, "--as-of")


def report_names(begun: str) -> list[str]:
    """Reports whose name begins so, for the shell's completion: by their files, without reading any."""
    from payments_pipeline.db.sql import sql_root

    return sorted(path.stem for path in (sql_root() / "reports").glob(f"{glob.escape(begun)}*.sql"))


def moment(value: str, option: str) -> datetime:
    """A time that somebody typed, in UTC; without an offset it is meant as UTC.

    Raises:
        ConfigurationError: it is none; names `option`.
    """
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{value!r} is not a time.", where=option, remedy="Write it as 2026-11-01T12:00:00Z."
        ) from None

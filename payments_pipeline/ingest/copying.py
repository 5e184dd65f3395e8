"""COPY in binary form: objects as rows, and rows into a table, refused ones singled out.

Belongs here: making and sending rows. Does not belong here: which table they go to and when (staging.py), what an
object means (the resource).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from payments_pipeline.ingest.rows import UNREADABLE, Rejection, Sighting, rejection

# A value that the column's type can't hold is refused by the driver or by the server.
UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError, *UNREADABLE)
TEXT, TIMESTAMPTZ = 25, 1184  # PostgreSQL's numbers of these types, as is
BYTES = 17
"""bytea. In binary COPY a json value is its bytes, so canonical bytes are sent as they are."""


class Made(NamedTuple):
    """One object, read and interpreted; `values` are in the order of the table's columns."""

    object_id: str
    values: tuple[Any, ...]
    body: bytes
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """A COPY statement and the types of its columns."""

    statement: sql.Composed
    types: Sequence[int]


def made(
    batch: Iterable[Sighting],
    to_row: Callable[[Mapping[str, Any]], tuple[Any, ...]],
    owner: tuple[str, bool],
    *,
    sliced: bool,
) -> tuple[list[Made], list[Rejection]]:
    """Interpret objects; owner, read_at and digest go around what `to_row` gives, and `seen` where it is `sliced`."""
    rows: list[Made] = []
    rejected: list[Rejection] = []
    for seen in batch:
        try:
            values = to_row(seen.obj) if seen.row is None else seen.row
        except UNREADABLE as error:
            rejected.append(rejection(seen.object_id, error, seen.body, seen.read_at))
            continue
        read = (seen.read_at, seen.digest, seen.seen) if sliced else (seen.read_at, seen.digest)
        rows.append(Made(seen.object_id, (*owner, *values, *read), seen.body, seen.read_at))
    return rows, rejected


def send(driver: psycopg.Connection[Any], target: Target, rows: Iterable[Sequence[Any]]) -> None:
    """COPY all rows or none.

    Raises:
        One of UNSTORABLE: a row was refused; the transaction is as it was before.
    """
    with driver.transaction(), driver.cursor() as cursor, cursor.copy(target.statement) as copy:
        copy.set_types(target.types)
        write = copy.write_row
        for row in rows:
            write(row)


def send_singled(
    driver: psycopg.Connection[Any],
    target: Target,
    rows: Sequence[Made],
    form: Callable[[Made], Sequence[Any]],
) -> tuple[list[Made], list[Rejection]]:
    """COPY what can be stored: when rows are refused, halve until the one that is refused is alone.

    Args:
        form: what is sent for one of the rows.

    Returns:
        What was stored, and what was refused.
    """
    if not rows:
        return [], []
    try:
        send(driver, target, map(form, rows))
    except UNSTORABLE as error:
        if len(rows) == 1:
            one = rows[0]
            return [], [rejection(one.object_id, error, one.body, one.read_at)]
        middle = len(rows) // 2
        first, refused = send_singled(driver, target, rows[:middle], form)
        second, refused_later = send_singled(driver, target, rows[middle:], form)
        return first + second, refused + refused_later
    return list(rows), []

"""COPY: objects as rows, and rows into a table, refused ones singled out.

Belongs here: making and sending rows. Does not belong here: which table they go to and when (staging.py), what an
object means (the resource).

Nearly every row is sent as a line of CSV, made of the row's canonical JSON: an array of texts, numbers, truth values
and nulls is such a line already, but for its brackets, as long as no text in it needs an escape. That takes us a tenth
of what the driver takes for the same values in binary form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from payments_pipeline.ingest.rows import UNREADABLE, Rejection, Sighting, canonical_bytes, rejection

# A value that the column's type can't hold is refused by the driver or by the server.
UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError, *UNREADABLE)
TEXT, TIMESTAMPTZ = 25, 1184  # PostgreSQL's numbers of these types, as is
BYTES = 17
"""bytea. In binary COPY a json value is its bytes, so canonical bytes are sent as they are."""
BODY_TYPES = (TEXT, TEXT, TEXT, TEXT, BYTES, TIMESTAMPTZ)
"""Of recon.raw_json."""
PLAIN = frozenset({16, 20, 21, 23, TEXT, TIMESTAMPTZ, 1700})
"""boolean, integers, text, time, numeric: the server reads them from CSV as JSON writes them."""
LINES = 128
"""Rows sent in one piece."""


class Made(NamedTuple):
    """One object, read and interpreted.

    Attributes:
        line: its row as a line of CSV in the order of the table's columns, without the line's end; empty: `values` are.
        body: its canonical bytes; those of the row where raw JSON is not kept.
    """

    object_id: str
    line: bytes
    values: tuple[Any, ...]
    body: bytes
    read_at: datetime


class Maker:
    """Interprets objects: owner, read_at and digest go around what `to_row` gives, and `seen` where it is sliced.

    Args:
        owner: account and livemode.
        rows: the sightings' bodies are those of their rows, see `Digester`.
        types: of the table's columns.
    """

    def __init__(
        self,
        to_row: Callable[[Mapping[str, Any]], tuple[Any, ...]],
        owner: tuple[str, bool],
        *,
        sliced: bool,
        rows: bool,
        types: Iterable[int],
    ) -> None:
        self._to_row = to_row
        self._owner = owner
        self._sliced = sliced
        self._rows = rows
        self._begin = canonical_bytes(owner)[1:-1]
        self._plain = sliced and PLAIN.issuperset(types) and b"\\" not in self._begin

    def made(self, batch: Iterable[Sighting], rejected: list[Rejection]) -> list[Made]:
        """Rows; `rejected` takes the objects that make none."""
        rows: list[Made] = []
        read_at, told = None, b""
        for seen in batch:
            try:
                values = self._to_row(seen.obj) if seen.row is None else seen.row
            except UNREADABLE as error:
                rejected.append(rejection(seen.object_id, error, seen.body, seen.read_at))
                continue
            if self._plain:
                listed = seen.body if self._rows else canonical_bytes(values)
                if b"\\" not in listed:
                    if seen.read_at is not read_at:
                        read_at, told = seen.read_at, seen.read_at.isoformat().encode()
                    hashed = b"null" if seen.seen is None else b"%d" % seen.seen
                    line = b"%b,%b,%b,%d,%b" % (self._begin, listed[1:-1], told, seen.digest, hashed)
                    rows.append(Made(seen.object_id, line, (), seen.body, seen.read_at))
                    continue
            read = (seen.read_at, seen.digest, seen.seen) if self._sliced else (seen.read_at, seen.digest)
            rows.append(Made(seen.object_id, b"", (*self._owner, *values, *read), seen.body, seen.read_at))
        return rows


@dataclass(frozen=True, slots=True)
class Beside:
    """What rows have besides in the private table: a number that counts from `first`, and their JSON where kept."""

    first: int
    bodies: bool


@dataclass(frozen=True, slots=True)
class Target:
    """COPY statements of one table, and the types of its columns.

    Attributes:
        binary: in binary form; lines: in CSV form, which takes only what is written in it.
    """

    binary: sql.Composed
    lines: sql.Composed | None
    types: Sequence[int]

    def send(self, driver: psycopg.Connection[Any], rows: Iterable[Sequence[Any]]) -> None:
        """COPY all rows or none, in binary form.

        Raises:
            One of UNSTORABLE: a row was refused; the transaction is as it was before.
        """
        with driver.transaction(), driver.cursor() as cursor, cursor.copy(self.binary) as copy:
            copy.set_types(self.types)
            write = copy.write_row
            for row in rows:
                write(row)

    def send_made(self, driver: psycopg.Connection[Any], rows: Sequence[Made], beside: Beside | None = None) -> None:
        """COPY all rows or none, each as its line or its values.

        Raises:
            As `send`.
        """
        numbered = list(enumerate(rows, beside.first if beside is not None else 0))
        lines = [one for one in numbered if one[1].line]
        others = [one for one in numbered if not one[1].line]
        with driver.transaction():
            if lines and self.lines is not None:
                with driver.cursor() as cursor, cursor.copy(self.lines) as copy:
                    for start in range(0, len(lines), LINES):
                        some = lines[start : start + LINES]
                        copy.write(b"".join([_line(row, number, beside) for number, row in some]))
            if others:
                self.send(driver, [_values(row, number, beside) for number, row in others])

    def send_singled(
        self, driver: psycopg.Connection[Any], rows: Sequence[Made], beside: Beside
    ) -> tuple[list[Made], list[Rejection]]:
        """COPY what can be stored: when rows are refused, halve until the one that is refused is alone.

        Returns:
            What was stored, and what was refused.
        """
        if not rows:
            return [], []
        try:
            self.send_made(driver, rows, beside)
        except UNSTORABLE as error:
            if len(rows) == 1:
                one = rows[0]
                return [], [rejection(one.object_id, error, one.body, one.read_at)]
            middle = len(rows) // 2
            first, refused = self.send_singled(driver, rows[:middle], beside)
            rest = Beside(beside.first + middle, beside.bodies)
            second, refused_later = self.send_singled(driver, rows[middle:], rest)
            return first + second, refused + refused_later
        return list(rows), []


def _line(row: Made, number: int, beside: Beside | None) -> bytes:
    if beside is None:
        return b"%b\n" % row.line
    body = b'"%b"' % row.body.replace(b'"', b'""') if beside.bodies else b"null"
    return b"%b,%d,%b\n" % (row.line, number, body)


def _values(row: Made, number: int, beside: Beside | None) -> tuple[Any, ...]:
    return row.values if beside is None else (*row.values, number, row.body if beside.bodies else None)

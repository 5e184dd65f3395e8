"""The load path: COPY into a private table, then one set-based merge in which the newest reading wins.

Belongs here: the stage and its SQL. Does not belong here: where objects come from, coverage (snapshot.py), which stored
objects a list should have brought (unlisted.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql
from payments_pipeline.ingest.rows import UNREADABLE, Rejection, Sighting, rejection
from payments_pipeline.providers.base import Account, Resource

# A value that the column's type can't hold is refused by the driver or by the server.
UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError, *UNREADABLE)
BYTES = 17
"""PostgreSQL's type bytea. In binary COPY a json value is its bytes, so canonical bytes are sent as they are."""


@dataclass(slots=True)
class Confirmed:
    """What was read and found as it is stored: it writes no row, but must not be undone by an older reading.

    Attributes:
        pages: when an answer of a list was read, and between which creation times it confirmed what is stored.
        objects: single objects, and when each was read.
        digests: of all objects of `pages`; `mixed` is all of them by exclusive or.
    """

    pages: list[tuple[datetime, datetime, datetime]] = field(default_factory=list)
    objects: dict[str, datetime] = field(default_factory=dict)
    digests: array[int] = field(default_factory=lambda: array("q"))
    mixed: int = 0


class Stage:
    """What one fetch has read and found changed, in a temporary table of one connection.

    No transaction stays open between batches, because a fetch can take an hour and an open one would keep the whole
    server from cleaning up. Memory holds one batch.

    Attributes:
        gone: objects that the provider says it no longer has, and when it said so.
        confirmed: see `Confirmed`.

    Args:
        keep_raw: keep the provider's own words of changed objects in recon.raw_json, beside their rows.
    """

    def __init__(self, connection: Connection, resource: Resource, account: Account, *, keep_raw: bool) -> None:
        self._connection = connection
        self._keep_raw = keep_raw
        self._resource = resource
        spec = resource.spec
        self.names = {"provider": account.provider, "account": account.account, "resource": spec.name}
        self._owner = (account.account, account.livemode)
        self._identifiers = {
            "table": sql.Identifier("recon", spec.table),
            "created": sql.Identifier(spec.created_column),
        }
        self._columns = ("account", "livemode", *spec.columns, "read_at", "digest")
        self._merged = sql.SQL(", ").join(map(sql.Identifier, (*self._columns, "vanished_at")))
        self._newest = "updated" if "updated_at" in spec.columns else "read"
        self.gone: dict[str, datetime] = {}
        self.confirmed = Confirmed()
        self._staged_ids = array("q")
        self._readable_again: dict[str, datetime] = {}
        self._driver.execute("DROP TABLE IF EXISTS pg_temp.snapshot_stage")
        self.run("stage_create")
        copied = sql.SQL(", ").join(map(sql.Identifier, (*self._columns, "arrival", "body")))
        self._copy_statement = _template("stage_copy").format(columns=copied)
        described = self.run("stage_columns", columns=copied).description or ()
        self._types = [column.type_code for column in described[:-1]] + [BYTES]
        self._rejected_before = {row[0] for row in self.run("rejected_ids").fetchall()}
        self._driver.commit()

    def add(self, batch: Sequence[Sighting], *, look_up: bool = True) -> list[Rejection]:
        """Take the objects of a batch that are new or changed.

        Args:
            look_up: leave out at once what is stored as it was read, which costs one index look-up, no conversion and
                no COPY. Only for answers of a list, see `Confirmed`.

        Returns:
            Those that could not be read or stored.
        """
        for seen in batch:
            if seen.gone:
                self.gone[seen.object_id] = seen.read_at
        present = [seen for seen in batch if not seen.gone]
        rejected = self._copy(self._changed(present) if look_up else present)
        if self._rejected_before:
            unread = {one.object_id for one in rejected}
            for seen in present:
                if seen.object_id in self._rejected_before and seen.object_id not in unread:
                    self._readable_again[seen.object_id] = seen.read_at
        return rejected

    def take_back(self, object_id: str) -> None:
        """The provider has it after all."""
        self.gone.pop(object_id, None)

    def lock(self) -> None:
        """Wait for other merges into this table and account; until the caller's transaction ends."""
        name = f"{self._resource.spec.table}/{self.names['account']}"
        self._connection.execute(named("ingest/lock.sql"), {"name": name})

    def merge(self) -> int:
        """Write what won into the raw table and recon.raw_json, in the caller's transaction, which holds the lock.

        Returns:
            Rows inserted, replaced or marked as vanished.
        """
        if len(set(self._staged_ids)) < len(self._staged_ids):
            self.run("stage_dedupe")
        self.run("stage_analyze", bind=False)
        self._clear_rejections()
        object_ids, read_at, stored_before = self.run(f"stage_prune_{self._newest}").fetchall()[0]
        self.confirmed.objects |= dict(zip(object_ids, read_at, strict=True))
        written = self._insert() if stored_before == 0 else None
        if written is None:
            written = self._upsert()
        if self.gone:
            given = {"ids": list(self.gone), "read_at": list(self.gone.values())}
            written += self.run("stage_vanish", given).rowcount
        return written

    def run(
        self, name: str, values: dict[str, Any] | None = None, *, bind: bool = True, **parts: sql.Composable
    ) -> psycopg.Cursor[Any]:
        """Execute sql/ingest/NAME.sql with the stage's names and `values` bound, its {identifiers} filled.

        Args:
            bind: False for a file of several statements, which can't take parameters.
        """
        statement = _template(name).format(**self._identifiers, **parts)
        return self._driver.execute(statement, self.names | (values or {}) if bind else None)

    def commit(self) -> None:
        """End the transaction that a query outside the merge began."""
        self._driver.commit()

    def drop(self) -> None:
        """Remove the private table; a connection that is gone has removed it already."""
        with suppress(psycopg.OperationalError):
            self._driver.rollback()
            self._driver.execute("DROP TABLE IF EXISTS pg_temp.snapshot_stage")
            self._driver.commit()

    def _changed(self, batch: Sequence[Sighting]) -> list[Sighting]:
        """Leave out what is stored as it was read, and remember that it was confirmed."""
        if not batch:
            return []
        given = {
            "ids": [seen.object_id for seen in batch],
            "digests": [seen.digest for seen in batch],
            "pages": [seen.page for seen in batch],
        }
        found = self.run("stage_known", given).fetchall()
        self._driver.commit()
        read_at = {seen.page: seen.read_at for seen in batch}
        changed: list[int] = []
        for page, mixed, count, created_from, created_to, places, digests in found:
            changed += places or ()
            if count:
                self.confirmed.pages.append((read_at[page], created_from, created_to))
                self.confirmed.digests.extend(digests)
                self.confirmed.mixed ^= mixed
        return [batch[place - 1] for place in sorted(changed)]

    def _insert(self) -> int | None:
        """Rows of objects that are not stored, without the price of an upsert; None: some are, nothing is written."""
        try:
            with self._driver.transaction():
                written = self.run("stage_insert", columns=self._merged).rowcount
                if self._keep_raw:
                    self.run("stage_insert_bodies")
        except psycopg.errors.UniqueViolation:  # the body alone was stored
            return None
        return written

    def _upsert(self) -> int:
        excluded = sql.SQL(", ").join(sql.Identifier("excluded", column) for column in (*self._columns, "vanished_at"))
        written = self.run("stage_merge", columns=self._merged, excluded=excluded).rowcount
        if self._keep_raw:
            self.run("stage_merge_bodies")
        return written

    def _clear_rejections(self) -> None:
        """Objects that can be read again, or that the provider no longer has, are doubted no longer."""
        gone = {name: at for name, at in self.gone.items() if name in self._rejected_before}
        settled = self._readable_again | gone
        if settled:
            given = {"ids": list(settled), "read_at": max(settled.values())}
            self.run("rejected_clear", given)

    def _copy(self, batch: Sequence[Sighting]) -> list[Rejection]:
        """COPY a batch; when it is refused, halve until the object that is refused is alone.

        Rows are made while they are sent, so that the server works meanwhile.
        """
        if not batch:
            return []
        owner, first, to_row, keep_raw = self._owner, len(self._staged_ids), self._resource.row, self._keep_raw
        staged, rejected = array("q"), []
        try:
            with self._driver.transaction(), self._driver.cursor() as cursor, cursor.copy(self._copy_statement) as copy:
                copy.set_types(self._types)
                write = copy.write_row
                for seen in batch:
                    try:
                        row = to_row(seen.obj)
                    except UNREADABLE as error:
                        rejected.append(rejection(seen.object_id, error, seen.body, seen.read_at))
                        continue
                    body = seen.body if keep_raw else None
                    write((*owner, *row, seen.read_at, seen.digest, first + len(staged), body))
                    staged.append(hash(seen.object_id))
        except UNSTORABLE as error:
            if len(batch) == 1:
                seen = batch[0]
                return [rejection(seen.object_id, error, seen.body, seen.read_at)]
            middle = len(batch) // 2
            return self._copy(batch[:middle]) + self._copy(batch[middle:])
        self._staged_ids.extend(staged)
        return rejected

    @property
    def _driver(self) -> psycopg.Connection[Any]:
        return driver_connection(self._connection)


@contextmanager
def stage(
    engine: Engine, resource: Resource, account: Account, *, keep_raw: bool = True
) -> Iterator[tuple[Connection, Stage]]:
    """A connection and the stage on it; the stage is dropped at the end."""
    with engine.connect() as connection:
        made = Stage(connection, resource, account, keep_raw=keep_raw)
        try:
            yield connection, made
        finally:
            made.drop()


def _template(name: str) -> sql.SQL:
    """A statement with {table}, {created} and {columns}, filled with constants of ours as quoted identifiers."""
    return sql.SQL(read_sql(f"ingest/{name}.sql"))

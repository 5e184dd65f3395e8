"""The load path: COPY into a private table, then one set-based merge in which the newest reading wins.

Belongs here: the stage and its SQL. Does not belong here: where objects come from, coverage (snapshot.py), which stored
objects a list should have brought (unlisted.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql
from payments_pipeline.ingest.collector import loads_under_way
from payments_pipeline.ingest.confirmed import Confirmed
from payments_pipeline.ingest.copying import BODY_TYPES, BYTES, UNSTORABLE, Beside, Made, Maker, Target
from payments_pipeline.ingest.known import Known, Read
from payments_pipeline.ingest.rows import Digester, Rejection, Sighting
from payments_pipeline.providers.base import Account, Resource, Sliced, Window

STAGE = "snapshot_stage"
"""Under this name a pooled connection remembers whose private table it has."""
WAITING = 16_000
"""Rows of new objects that all fetches of this process together keep in memory until they merge: 70 MB or so."""


class Stage:
    """What one fetch has read and found changed, in a temporary table of one connection.

    No transaction stays open between batches, because a fetch can take an hour and an open one would keep the whole
    server from cleaning up. Memory holds one batch, and the rows of a small fetch that brings only new objects: these
    skip the temporary table, which would cost the server as much again as the table itself.

    Attributes:
        nothing_stored: see `expect`.
        refused: rows that the server would not store when they were merged.
        gone: objects that the provider says it no longer has, and when it said so.
        confirmed: see `Confirmed`.

    Args:
        keep_raw: keep the provider's own words of changed objects in recon.raw_json, beside their rows.
    """

    def __init__(
        self, connection: Connection, resource: Resource, account: Account, digest_of: Digester, *, keep_raw: bool
    ) -> None:
        self._connection = connection
        self._keep_raw = keep_raw
        self._resource = resource
        spec = resource.spec
        self.names = {"provider": account.provider, "account": account.account, "resource": spec.name}
        self._identifiers = {
            "table": sql.Identifier("recon", spec.table),
            "created": sql.Identifier(spec.created_column),
        }
        sliced = isinstance(resource, Sliced)
        self._columns = ("account", "livemode", *spec.columns, "read_at", "digest", *(("seen",) if sliced else ()))
        self._merged = sql.SQL(", ").join(map(sql.Identifier, (*self._columns, "vanished_at")))
        self._newest = "updated" if "updated_at" in spec.columns else "read"
        self.gone: dict[str, datetime] = {}
        self.confirmed = Confirmed()
        self._known = Known(self.run, resource, digest_of, self.confirmed, self.gone)
        self._staged_ids = array("q")
        self._readable_again: dict[str, datetime] = {}
        self._waiting: list[Made] = []
        self._touched = False
        self.nothing_stored = False
        self.refused: list[Rejection] = []
        copied = sql.SQL(", ").join(map(sql.Identifier, (*self._columns, "arrival", "body")))
        types = self._made_table(copied)
        self._private = self._target("stage_copy", copied, types)
        columns = sql.SQL(", ").join(map(sql.Identifier, self._columns))
        self._table = self._target("direct_copy", columns, types[: len(self._columns)])
        self._bodies = Target(_template("direct_copy_bodies").format(), None, BODY_TYPES)
        owner = (account.account, account.livemode)
        self._maker = Maker(resource.row, owner, sliced=sliced, rows=not keep_raw, types=self._table.types)
        self._rejected_before = {row[0] for row in self.run("rejected_ids").fetchall()}
        self._driver.commit()

    def expect(self, window: Window) -> None:
        """Look whether anything created in the window is stored; where nothing is, none of its objects is looked up.

        What is stored all the same, since or under another creation time, makes the merge take the way that compares.
        """
        found = self.run("window_stored", {"start": window.start, "end": window.end}).fetchall()
        self.nothing_stored = not found[0][0]

    def add(self, batch: Sequence[Read], *, look_up: bool = True) -> list[Rejection]:
        """Take the objects of a batch that are new or changed.

        Args:
            look_up: leave out what is stored as it was read: one index look-up, no conversion and no COPY. Only for
                answers of a list, see `Confirmed`.

        Returns:
            Those that could not be read or stored.
        """
        rejected: list[Rejection] = []
        new: Iterable[Sighting] = ()
        changed: Iterable[Sighting] = ()
        if look_up and self.nothing_stored:
            new = self._known.unasked(batch, rejected)
        elif look_up:
            new, changed = self._known.new_and_changed(batch, rejected)
            self._driver.commit()
        else:
            changed = self._known.parsed(batch, rejected)
        rows = self._maker.made(changed, rejected)
        new_rows = self._maker.made(new, rejected)
        if self._staged_ids or len(self._waiting) + len(new_rows) > WAITING // loads_under_way():
            rejected += self.put_down()
            rows += new_rows
        else:
            self._waiting += new_rows
        rejected += self._stage(rows)
        if self._rejected_before:
            unread = {one.object_id for one in rejected}
            for one in batch:
                if one.object_id in self._rejected_before and one.object_id not in unread:
                    self._readable_again[one.object_id] = one.read_at
        return rejected

    def put_down(self) -> list[Rejection]:
        """Bring rows that wait in memory into the private table. Returns those that could not be stored."""
        rows, self._waiting = self._waiting, []
        return self._stage(rows)

    @property
    def rejected_before(self) -> Set[str]:
        """Ids of objects that could not be read when the fetch began."""
        return self._rejected_before

    @property
    def oldest_waiting(self) -> datetime | None:
        """When the first of the rows that wait in memory was read; None: none waits."""
        return min((row.read_at for row in self._waiting), default=None)

    @property
    def holds_rows(self) -> bool:
        """Whether anything is in the private table."""
        return bool(self._staged_ids)

    def lock(self) -> None:
        """Wait for other merges into this table and account; until the caller's transaction ends."""
        name = f"{self._resource.spec.table}/{self.names['account']}"
        self._connection.execute(named("ingest/lock.sql"), {"name": name})

    def merge(self) -> int:
        """Write what won into the raw table and recon.raw_json, in the caller's transaction, which holds the lock.

        Returns:
            Rows inserted, replaced or marked as vanished.
        """
        written = self._write_new() if self._waiting and not self._staged_ids else None
        if written is None:
            self.refused = self.put_down()
            for one in self.refused:
                self._readable_again.pop(one.object_id, None)
            written = self._merge_staged() if self._staged_ids else 0
        self._clear_rejections()
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

    def clear(self) -> None:
        """Empty the private table for the next fetch; a connection that is gone has removed it already.

        In place of one that was cut the pool may have put another, which never had the table.
        """
        with suppress(psycopg.OperationalError, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable):
            self._driver.rollback()
            if self._touched:
                self._driver.execute("TRUNCATE pg_temp.snapshot_stage")
            self._driver.commit()

    def _made_table(self, columns: sql.Composable) -> list[int]:
        """The types of the private table's columns. It is kept for the next fetch of the same resource.

        Making one writes forty kilobytes of catalogue, which is more than a fetch without news does otherwise.
        """
        wanted = (self._resource.spec.table, self._columns)
        kept: tuple[object, list[int]] | None = self._connection.info.get(STAGE)
        if kept is not None and kept[0] == wanted:
            return kept[1]
        self._driver.execute("DROP TABLE IF EXISTS pg_temp.snapshot_stage")
        self.run("stage_create")
        described = self.run("stage_columns", columns=columns).description or ()
        self._driver.commit()
        types = [column.type_code for column in described[:-1]] + [BYTES]
        self._connection.info[STAGE] = (wanted, types)
        return types

    def _target(self, name: str, columns: sql.Composable, types: Sequence[int]) -> Target:
        binary, lines = (
            _template(f"{name}{form}").format(columns=columns, **self._identifiers) for form in ("", "_lines")
        )
        return Target(binary, lines, types)

    def _merge_staged(self) -> int:
        if len(set(self._staged_ids)) < len(self._staged_ids):
            self.run("stage_dedupe")
        self.run("stage_analyze", bind=False)
        object_ids, read_at, stored_before = self.run(f"stage_prune_{self._newest}").fetchall()[0]
        self.confirmed.objects |= dict(zip(object_ids, read_at, strict=True))
        written = self._insert() if stored_before == 0 else None
        return self._upsert() if written is None else written

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
        self.run("stage_merge_bodies" if self._keep_raw else "stage_forget_bodies")
        return written

    def _clear_rejections(self) -> None:
        """Objects that can be read again, or that the provider no longer has, are doubted no longer."""
        gone = {name: at for name, at in self.gone.items() if name in self._rejected_before}
        settled = self._readable_again | gone
        if settled:
            self.run("rejected_clear", {"ids": list(settled), "read_at": list(settled.values())})

    def _stage(self, rows: Sequence[Made]) -> list[Rejection]:
        """COPY rows into the private table; those that the server refuses come back."""
        self._touched = self._touched or bool(rows)
        beside = Beside(len(self._staged_ids), self._keep_raw)
        staged, refused = self._private.send_singled(self._driver, rows, beside)
        self._staged_ids.extend(hash(row.object_id) for row in staged)
        return refused

    def _write_new(self) -> int | None:
        """COPY the rows that wait into the tables; None: one is stored by now, or refused; nothing is written."""
        ids = {row.object_id for row in self._waiting}
        if len(ids) < len(self._waiting):
            return None
        names = (self.names["provider"], self.names["account"], self.names["resource"])
        try:
            with self._driver.transaction():
                self._table.send_made(self._driver, self._waiting)
                if self._keep_raw:
                    bodies = ((*names, row.object_id, row.body, row.read_at) for row in self._waiting)
                    self._bodies.send(self._driver, bodies)
        except UNSTORABLE:
            return None
        self._waiting = []
        return len(ids)

    @property
    def _driver(self) -> psycopg.Connection[Any]:
        return driver_connection(self._connection)


@contextmanager
def stage(
    engine: Engine, resource: Resource, account: Account, digest_of: Digester, *, keep_raw: bool = True
) -> Iterator[tuple[Connection, Stage]]:
    """A connection and the stage on it; the stage is emptied at the end."""
    with engine.connect() as connection:
        opened = Stage(connection, resource, account, digest_of, keep_raw=keep_raw)
        try:
            yield connection, opened
        finally:
            opened.clear()


def _template(name: str) -> sql.SQL:
    """A statement with {table}, {created} and {columns}, filled with constants of ours as quoted identifiers."""
    return sql.SQL(read_sql(f"ingest/{name}.sql"))

"""The load path: COPY into a private table, then one set-based merge in which the newest reading wins.

Belongs here: the stage and its SQL. Does not belong here: where objects come from, coverage (snapshot.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named, read_sql
from payments_pipeline.ingest.rows import UNREADABLE, Rejection, Sighting, rejection
from payments_pipeline.providers.base import Account, Resource

FILLED_HERE = ("account", "livemode", "read_at", "digest", "vanished_at")
Row = tuple[Any, ...]


class Stage:
    """What one fetch has read and found changed, in a temporary table of one connection.

    No transaction stays open between batches, because a fetch can take an hour and an open one would keep the whole
    server from cleaning up. Memory holds one batch.
    """

    def __init__(self, connection: Connection, resource: Resource, account: Account) -> None:
        self._connection = connection
        self._resource = resource
        self._account = account
        spec = resource.spec
        self._table = sql.Identifier("recon", spec.table)
        self._columns = ("account", "livemode", *spec.columns, "read_at", "digest")
        self._newest = "updated" if "updated_at" in spec.columns else "read"
        self._arrivals = 0
        self._driver.execute("DROP TABLE IF EXISTS pg_temp.snapshot_stage")
        self._run("stage_create")
        self._driver.commit()

    def add(self, batch: Sequence[Sighting]) -> list[Rejection]:
        """Take the objects of a batch that are new or changed.

        Returns:
            Those that could not be read or stored.
        """
        known = self._known(batch)
        rejected: list[Rejection] = []
        staged: list[tuple[Sighting, Row]] = []
        for seen in batch:
            if known.get(seen.object_id) == seen.digest:
                continue
            try:
                staged.append((seen, self._resource.row(seen.obj)))
            except UNREADABLE as error:
                rejected.append(rejection(seen.object_id, error, seen.body, seen.read_at))
        return rejected + self._copy(staged)

    def merge(self) -> int:
        """Write what won into the raw table and recon.raw_json, in the caller's transaction.

        Returns:
            Rows inserted or replaced.
        """
        self._connection.execute(
            named("ingest/lock.sql"), {"name": f"{self._resource.spec.table}/{self._account.account}"}
        )
        self._run("stage_dedupe")
        self._driver.execute("ANALYZE pg_temp.snapshot_stage")
        names = {"provider": self._account.provider, "resource": self._resource.spec.name}
        self._driver.execute(_template("rejected_clear"), names)
        self._run(f"stage_prune_{self._newest}")
        columns = (*self._columns, "vanished_at")
        written = self._run(
            "stage_merge",
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            excluded=sql.SQL(", ").join(sql.Identifier("excluded", column) for column in columns),
        ).rowcount
        self._driver.execute(_template("stage_merge_bodies"), names)
        return written

    def drop(self) -> None:
        """Remove the private table; a connection that is gone has removed it already."""
        with suppress(psycopg.OperationalError):
            self._driver.rollback()
            self._driver.execute("DROP TABLE IF EXISTS pg_temp.snapshot_stage")
            self._driver.commit()

    def _known(self, batch: Sequence[Sighting]) -> dict[str, int]:
        """Stored digests: an unchanged object costs one index look-up, no conversion, no COPY."""
        names = {"account": self._account.account, "ids": [seen.object_id for seen in batch]}
        found = self._driver.execute(_template("stage_known").format(table=self._table), names).fetchall()
        self._driver.commit()
        return dict(found)

    def _copy(self, staged: Sequence[tuple[Sighting, Row]]) -> list[Rejection]:
        """COPY a batch; when the server refuses it, halve until the object that it refuses is alone."""
        if not staged:
            return []
        statement = _template("stage_copy").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, (*self._columns, "arrival", "body")))
        )
        try:
            with self._driver.transaction(), self._driver.cursor() as cursor, cursor.copy(statement) as copy:
                for number, (seen, row) in enumerate(staged, start=self._arrivals):
                    copy.write_row(
                        (
                            self._account.account,
                            self._account.livemode,
                            *row,
                            seen.read_at,
                            seen.digest,
                            number,
                            seen.body.decode(),
                        )
                    )
        except (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError) as error:
            if len(staged) == 1:
                seen = staged[0][0]
                return [rejection(seen.object_id, error, seen.body, seen.read_at)]
            middle = len(staged) // 2
            return self._copy(staged[:middle]) + self._copy(staged[middle:])
        self._arrivals += len(staged)
        return []

    def _run(self, name: str, **parts: sql.Composable) -> psycopg.Cursor[Any]:
        return self._driver.execute(_template(name).format(table=self._table, **parts))

    @property
    def _driver(self) -> psycopg.Connection[Any]:
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  (the engine is built for psycopg 3 only)
        return driver


@contextmanager
def stage(engine: Engine, resource: Resource, account: Account) -> Iterator[tuple[Connection, Stage]]:
    """A connection and the stage on it; the stage is dropped at the end."""
    with engine.connect() as connection:
        made = Stage(connection, resource, account)
        try:
            yield connection, made
        finally:
            made.drop()


def _template(name: str) -> sql.SQL:
    """A statement with {table} and {columns}, filled with constants of ours as quoted identifiers."""
    return sql.SQL(read_sql(f"ingest/{name}.sql"))

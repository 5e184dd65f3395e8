"""The load path alone, beside a bare COPY: both are given the same rows, read and interpreted beforehand.

Belongs here: rows that wait in memory, loading them fetch by fetch, copying them. Does not belong here: loads from a
server or from bytes (ingest_ours.py), comparisons (bench_ingest.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from ingest_ours import INTENTS, clock
from psycopg import sql
from sqlalchemy import Engine

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.ingest.collector import rare_collections
from payments_pipeline.ingest.copying import BYTES, Target
from payments_pipeline.ingest.loading import Errand, Tally, settle
from payments_pipeline.ingest.rows import Digester, Glimpse, Sighting, opened, sightings
from payments_pipeline.ingest.snapshot import BATCH
from payments_pipeline.ingest.staging import stage
from payments_pipeline.providers.base import Account, Provider, Sliced, Window

FETCH = 16_000
"""Rows of one fetch: what a backfill of a million objects in its 64 ranges brings each time."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table."""

    columns: tuple[str, ...]
    values: list[tuple[Any, ...]]


class Ready:
    """The objects of a window as rows with their JSON, and the two ways to store them, one connection each."""

    def __init__(self, engine: Engine, provider: Provider, account: Account, window: Window, *, keep_raw: bool) -> None:
        resource = provider.resources[INTENTS]
        assert isinstance(resource, Sliced)
        self._engine, self._resource, self._account, self._keep_raw = engine, resource, account, keep_raw
        self._digest_of = Digester(resource.spec.columns, rows=not keep_raw)
        self._seen: list[Sighting] = []
        self._created = 2 + resource.spec.columns.index("created_at")
        for number, page in enumerate(resource.sliced(window)):
            for glimpse in sightings(resource, page, number % (FETCH // 100), self._digest_of)[0]:
                assert isinstance(glimpse, Glimpse)
                one = opened(resource, glimpse, self._digest_of)
                assert isinstance(one, Sighting)
                self._seen.append(one._replace(row=resource.row(one.obj), obj={}))
        columns = ("account", "livemode", *resource.spec.columns, "read_at", "digest", "seen")
        owner = (account.account, account.livemode)
        values = [(*owner, *(one.row or ()), one.read_at, one.digest, one.seen) for one in self._seen]
        self._rows = Rows(columns, values)
        names = (account.provider, account.account, INTENTS)
        bodies = [(*names, one.object_id, one.body, one.read_at) for one in self._seen] if keep_raw else []
        self._bodies = Rows(("provider", "account", "resource", "object_id", "body", "read_at"), bodies)

    def __len__(self) -> int:
        return len(self._seen)

    def load(self) -> None:
        """Look up, stage, merge and certify, one fetch after the other."""
        for first in range(0, len(self._seen), FETCH):
            fetch = self._seen[first : first + FETCH]
            oldest, newest = sorted(
                self._rows.values[place][self._created] for place in (first, first + len(fetch) - 1)
            )
            now = datetime.now(UTC)
            window = Window(oldest, newest + timedelta(seconds=1))
            errand = Errand(self._account, INTENTS, "backfill", window, now, None, clock, started_at=now)
            with (
                rare_collections(),
                stage(self._engine, self._resource, self._account, self._digest_of, keep_raw=self._keep_raw) as (
                    connection,
                    staged,
                ),
            ):
                staged.expect(window)
                for start in range(0, len(fetch), BATCH):
                    assert not staged.add(fetch[start : start + BATCH])
                with connection.begin():
                    staged.lock()
                    settle(connection, staged, errand, Tally(objects=len(fetch)))

    def copy(self) -> None:
        """COPY all rows in one transaction, by psycopg, into the same (emptied) tables with the same indexes."""
        for table, rows in (("stripe_payment_intents", self._rows), ("raw_json", self._bodies)):
            if rows.values:
                with self._engine.begin() as connection:
                    _copied(driver_connection(connection), table, rows)


def _copied(driver: psycopg.Connection, table: str, rows: Rows) -> None:
    name = sql.Identifier("recon", table)
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    types = driver.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(columns, name)).description
    numbers = [BYTES if column.name == "body" else column.type_code for column in types or ()]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(name, columns)
    Target(statement, None, numbers).send(driver, rows.values)

"""Our ingestion for the benchmark: a PostgreSQL of its own, loads, a bare COPY of the same rows, a load from memory.

Belongs here: what is run and read off. Does not belong here: comparisons and targets (bench_ingest.py), other people's
ways (ingest_peers.py).
"""

from __future__ import annotations

import resource as process
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import instant
from ingest_peers import KEY
from psycopg import sql
from sqlalchemy import Engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.db.engine import driver_connection, engine_for
from payments_pipeline.ingest.backfill import RANGES, backfill
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.providers.base import Account, Columned, Page, Provider, Resource, Window
from payments_pipeline.providers.catalogue import build_providers

INTENTS = "payment_intents"
WHOLE = Window(instant.END - timedelta(days=instant.DAYS), instant.END)
THREADS = 3
"""Ranges read side by side where the server answers at once: more would only take turns."""


def clock() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)


def provider_at(base: str, engine: Engine | None, calls_a_second: float = 100_000) -> Provider:
    """Our Stripe client for a server of instant.py."""
    settings = load_settings(
        _env_file=None, stripe_api_key=KEY, stripe_api_base=base, stripe_calls_per_second=calls_a_second
    )
    (provider,) = build_providers(settings, clock, engine)
    return provider


def forget(engine: Engine) -> None:
    """Empty tables, and no checkpoint waiting to disturb what comes next."""
    tables = "stripe_payment_intents, recon.raw_json, recon.coverage, recon.confirmations, recon.backfills"
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE recon.{tables} CASCADE"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))


def load(
    engine: Engine,
    provider: Provider,
    account: Account,
    window: Window = WHOLE,
    *,
    keep_raw: bool = True,
    threads: int = THREADS,
    ranges: int = RANGES,
) -> list[Coverage]:
    """A backfill of the window."""
    made = backfill(
        engine, provider, account, INTENTS, window, as_of=clock(), run_id=None, clock=clock, threads=threads,
        ranges=ranges, keep_raw=keep_raw,
    )  # fmt: skip
    for one in made:
        assert one.complete, one.error
    return made


class Remembered:
    """A provider whose pages are in memory already: what is left is the load path alone."""

    def __init__(self, provider: Provider, window: Window) -> None:
        self.name = provider.name
        self.resources: Mapping[str, Resource] = {INTENTS: _Remembered(provider.resources[INTENTS], window)}

    def identify(self) -> Account:
        """Never asked: accounts come from the real provider."""
        raise NotImplementedError


class _Remembered:
    def __init__(self, real: Resource, window: Window) -> None:
        assert isinstance(real, Columned)
        self.spec, self.columns_of = real.spec, real.columns_of
        self.object_id, self.row, self.read, self.parsed = real.object_id, real.row, real.read, real.parsed
        self._pages = [page.slices for page in real.sliced(window)]  # newest first

    def pages(self, window: Window) -> Iterator[Page]:
        """Never asked: see `sliced`."""
        raise NotImplementedError

    def sliced(self, window: Window) -> Iterator[Page]:
        """The pages of any window, read now: bytes, as they came."""
        low, high = int(window.start.timestamp()), int(window.end.timestamp())
        for page in self._pages:
            if page[-1].created >= high or page[0].created < low:
                continue
            inside = [one for one in page if low <= one.created < high]
            if inside:
                yield Page([], clock(), inside)


class BareCopy:
    """COPY of what is stored now, byte for byte in binary form, into the same tables with the same indexes."""

    def __init__(self, engine: Engine, *, bodies: bool) -> None:
        self._engine = engine
        self._tables = ["stripe_payment_intents", *(["raw_json"] if bodies else [])]
        self._blocks = {name: self._dumped(name) for name in self._tables}

    def __call__(self) -> None:
        """Fill the (emptied) tables in one transaction."""
        with self._engine.begin() as connection:
            driver = driver_connection(connection)
            for name in self._tables:
                with driver.cursor() as cursor, cursor.copy(_copy("COPY {} FROM STDIN (FORMAT binary)", name)) as copy:
                    for block in self._blocks[name]:
                        copy.write(block)

    @property
    def megabytes(self) -> float:
        """Size of the rows in binary form."""
        return sum(len(block) for blocks in self._blocks.values() for block in blocks) / 1e6

    def _dumped(self, name: str) -> list[bytes]:
        statement = _copy("COPY {} TO STDOUT (FORMAT binary)", name)
        with (
            self._engine.begin() as connection,
            driver_connection(connection).cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            rows = [bytes(row) for row in copy]
        return [b"".join(rows[start : start + 100]) for start in range(0, len(rows), 100)]


def _copy(statement: str, name: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier("recon", name))


def wal(engine: Engine) -> float:
    """Megabytes of WAL written so far."""
    with engine.connect() as connection:
        return float(connection.execute(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")).scalar_one()) / 1e6


def count(engine: Engine, table: str) -> tuple[Any, ...]:
    """How many rows, and what they amount to: equal for the same objects."""
    with engine.connect() as connection:
        found = connection.execute(
            text(f"SELECT count(*), sum(amount), count(charge_id), max(created_at) FROM {table}")
        ).one()
    return tuple(found)


def peak_of_a_load(url: str, base: str, window: Window, pipe: Any) -> None:
    """In a process of its own: load, and send its peak memory in MB."""
    engine = engine_for(url)
    provider = provider_at(base, engine)
    load(engine, provider, provider.identify(), window)
    engine.dispose()
    pipe.send(_peak())


def _peak() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell the parent's peak where a child is forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1000
    return process.getrusage(process.RUSAGE_SELF).ru_maxrss / 1e6

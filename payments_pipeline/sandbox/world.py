"""A whole invented world with known truth: residents, planted faults and look-alikes, from a seed, a size and a time.

Belongs here: how many of what, the labels, and writing the application's tables to a database. Does not belong here:
how one resident lives (residents.py) or one thing goes wrong (faults/).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from payments_pipeline.sandbox.faults import FAULTS, Fault
from payments_pipeline.sandbox.faults.webhooks import broken_webhooks
from payments_pipeline.sandbox.oracle import events
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.residents import SHARES, visitor
from payments_pipeline.sandbox.settlement import settle
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.town import TABLES, Town

# Each fault and look-alike is planted twice, or once for so many users where that is more.
LEAST = 2
USERS_PER_PLANTING = 400
# One host for so many users.
USERS_PER_HOST = 50
# What labels name as their fault that were read off the providers' objects (oracle.py), whoever put those there.
EVENT = "provider_event"


@dataclass(frozen=True, slots=True)
class Label:
    """Truth about one row of one report.

    Attributes:
        line: line of the failure catalogue, e.g. ``E1``. fault: the fault's name, or EVENT.
        report: the report's name.
        key: a row is meant when its columns, as text, equal these.
        expected: the report must show such a row; false: it must not.
    """

    line: str
    fault: str
    report: str
    key: dict[str, str]
    expected: bool


@dataclass(frozen=True, slots=True)
class World:
    """What the providers hold (`state`), what the application wrote (`tables`: rows of public.*), and the truth."""

    as_of: datetime
    seed: int
    state: SandboxState
    tables: dict[str, list[Row]]
    labels: list[Label]

    @property
    def ahead_seconds(self) -> float:
        """How far the providers' time, which runs on from `as_of`, is ahead of the wall clock."""
        return (self.state.clock() - datetime.now(UTC)).total_seconds()


def build_world(
    seed: int, users: int, as_of: datetime, *, only: Collection[str] | None = None, mixed: bool = False
) -> World:
    """Build a world; the same arguments give the same world, byte for byte.

    Args:
        users: how many; at least half as many lead clean lives beside the faults, so small worlds come out larger.
        as_of: the world's present, UTC; cut to whole seconds.
        only: names of the faults to plant; None: all. Empty: a clean world.
        mixed: each fault once to twice as often as else, at random.

    Raises:
        KeyError: `only` names a fault that is not registered.
    """
    faults = list(FAULTS.values()) if only is None else [FAULTS[name] for name in sorted(only)]
    town = Town(seed, as_of)
    town.hosts.extend(town.user() for _ in range(max(2, users // USERS_PER_HOST)))
    times = max(LEAST, users // USERS_PER_PLANTING)
    plantings: list[Fault | None] = [
        fault for fault in faults for _ in range(town.rng.randint(1, 2 * times) if mixed else times)
    ]
    clean = max(users // 2, users - len(town.hosts) - len(plantings))
    jobs = plantings + [None] * clean
    town.rng.shuffle(jobs)
    lives = iter(town.rng.choices(list(SHARES), list(SHARES.values()), k=clean))
    labels: list[Label] = []
    for fault in jobs:
        if fault is None:
            next(lives)(town)
        else:
            labels += [Label(fault.line, fault.name, *sighting) for sighting in _planted(town, fault)]
    for _ in range(users - len(town.tables["users"])):
        visitor(town)
    settle(town)
    labels += _events(town, labels)
    return World(town.as_of, seed, town.state, town.tables, labels)


def _events(town: Town, labels: list[Label]) -> Iterator[Label]:
    """The providers' events that people must be told, as far as no fault speaks of them itself."""
    said = {(label.report, *sorted(label.key.items())) for label in labels if label.expected}
    for event in events(town.state, town.tables, town.as_of):
        if (event.report, *sorted(event.key.items())) not in said:
            yield Label(event.line, EVENT, event.report, event.key, expected=True)


def _planted(town: Town, fault: Fault) -> Iterator[tuple[str, dict[str, str], bool]]:
    """What a fault says must, or must not, be seen; of the inbox's rows that it wrote also what it left unsaid."""
    before = len(town.tables["webhook_logs"])
    seen = fault.plant(town)
    said = [(item.report, item.key) for item in seen]
    inbox = broken_webhooks(town, town.tables["webhook_logs"][before:])
    for item in [*seen, *(item for item in inbox if (item.report, item.key) not in said)]:
        yield item.report, item.key, item.expected


def write_application(connection: psycopg.Connection, world: World) -> None:
    """Copy the world's rows into the empty reference tables and set their identity sequences behind them.

    Args:
        connection: all happens in one transaction on it; inside an outer transaction the caller commits.

    Raises:
        psycopg.Error: the tables are absent or not empty; nothing was written.
    """
    with connection.transaction(), connection.cursor() as cursor:
        for table in TABLES:
            _copy(cursor, table, world.tables[table])
        for table in TABLES:
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("public", table)))


def _copy(cursor: psycopg.Cursor, table: str, rows: list[Row]) -> None:
    if not rows:
        return
    name = sql.Identifier("public", table)
    columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
        for row in rows:
            copy.write_row([Jsonb(value) if isinstance(value, dict) else value for value in row.values()])
    cursor.execute(sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)"), [f"public.{table}", rows[-1]["id"]])

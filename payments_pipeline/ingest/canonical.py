"""The canonical layer: raw snapshots of all providers as rows of recon.provider_transactions.

Belongs here: which statement runs when, and on which objects. Does not belong here: the rules, which stand in
sql/canonical/.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.config import CheckoutReference
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql, sql_root
from payments_pipeline.errors import SchemaError

# In this order: refunds and disputes take their link from the payment they belong to.
SOURCES: tuple[tuple[str, str], ...] = (
    ("stripe", "stripe_payment_intents"),
    ("stripe", "stripe_charges"),
    ("stripe", "stripe_refunds"),
    ("stripe", "stripe_disputes"),
    ("stripe", "stripe_transfers"),
    ("stripe", "stripe_payouts"),
    ("nowpayments", "nowpayments_payments"),
    ("okx", "okx_deposits"),
)
CLAIMS = ("payments", "users", "payouts")
"""What the application says about whose money it is: a contract view and a table recon.link_… each."""
TIDY_FROM = 1_000
"""Rows written from which on a table's statistics are renewed at once instead of waiting for the server to do so."""


@dataclass(frozen=True, slots=True)
class CanonicalResult:
    """What a refresh wrote: rows inserted or changed, in all and by provider; and whether it looked at everything."""

    as_of: datetime
    rows_written: int
    by_provider: Mapping[str, int]
    everything: bool


def refresh_provider_transactions(
    engine: Engine,
    as_of: datetime,
    *,
    applications: Collection[str] = (),
    checkout_reference: CheckoutReference = "either",
    everything: bool = False,
) -> CanonicalResult:
    """Bring recon.provider_transactions in line with the raw tables, the state map and the application's links.

    One transaction; looks at what changed since the last refresh, on either side, and writes only rows that differ, so
    a repeated refresh writes none. Two at once: one waits.

    Args:
        as_of: the moment the run reconciles for, UTC; kept in the result. The rows depend on the snapshots alone.
        applications: the names by which the metadata of a payment (key app) may call us; empty: not known.
        checkout_reference: what the application writes into client_reference_id of a checkout.
        everything: look at all objects, as the first refresh does and the first after a change of the rules.

    Raises:
        SchemaError: a contract view gives one payment, user or payout twice.
    """
    settings = {"applications": sorted(name.lower() for name in applications), "client_reference": checkout_reference}
    written: Counter[str] = Counter()
    with engine.begin() as connection:
        connection.execute(named("canonical/lock.sql"))
        mark = dict(connection.execute(named("canonical/begin.sql"), {"rules": _rules(settings)}).mappings().one())
        changed_within = mark.pop("changed_within")
        within = None if everything else changed_within
        _take_claims(connection)
        with _due(connection, within):
            for table in ("stripe_objects", "checkout_claims", "stripe_links"):
                connection.execute(named(f"canonical/links/create_{table}.sql"))
                connection.execute(named(f"canonical/links/fill_{table}.sql"), settings)
                _analyze(connection, table)
            for provider, table in SOURCES:
                written[provider] += _merge(connection, table)
        connection.execute(named("canonical/mark.sql"), {**mark, "as_of": as_of})
    if written.total():
        _first_statistics(engine)
    if written.total() >= TIDY_FROM:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(named("canonical/tidy.sql"))
    return CanonicalResult(as_of, written.total(), dict(written), within is None)


def _rules(settings: Mapping[str, Any]) -> str:
    """A digest of all that decides besides the rows: our statements and settings; the state map is added in SQL."""
    files = sorted((sql_root() / "canonical").rglob("*.sql"))
    texts = [path.read_bytes() for path in files] + [repr(sorted(settings.items())).encode()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _take_claims(connection: Connection) -> None:
    """Note what the application says now, and keep what differs from before in temporary tables."""
    for claim in CLAIMS:
        connection.execute(named(f"canonical/links/changed_{claim}.sql"))
        try:
            connection.execute(named(f"canonical/links/forget_{claim}.sql"))
            changed = connection.execute(named(f"canonical/links/remember_{claim}.sql")).rowcount
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.CardinalityViolation | psycopg.IntegrityError):
                raise
            raise SchemaError(
                "The view gives one id twice, or none.",
                where=f"recon.app_{claim}",
                remedy="Correct the view: each of its rows has an id of its own (docs/adapting.md).",
            ) from error
        if changed >= TIDY_FROM:
            driver_connection(connection).execute(
                sql.SQL("ANALYZE {}").format(sql.Identifier("recon", f"link_{claim}"))
            )


@contextmanager
def _due(connection: Connection, within: int | None) -> Iterator[None]:
    """Views pg_temp.due_TABLE on the objects of each raw table that this refresh looks at.

    Args:
        within: how many transactions back changes count; None: all objects.
    """
    if within is not None:
        _collect(connection, within)
    template = "view_all" if within is None else "view_changed"
    for _, table in SOURCES:
        _run(connection, template, table)
    yield
    for _, table in SOURCES:
        _run(connection, "view_drop", table)


def _collect(connection: Connection, within: int) -> None:
    connection.execute(named("canonical/due/create.sql"))
    connection.execute(named("canonical/due/create_keys.sql"))
    for keys in ("application", "stripe", "nowpayments"):
        connection.execute(named(f"canonical/due/keys_of_{keys}.sql"), {"changed_within": within})
    _analyze(connection, "changed_keys")
    for _, table in SOURCES:
        connection.execute(named(f"canonical/due/{table}.sql"), {"changed_within": within})
    _analyze(connection, "due")


def _merge(connection: Connection, table: str) -> int:
    """Write what differs among the rows that the source's SELECT gives."""
    fresh = sql.SQL(read_sql(f"canonical/provider_transactions_{table}.sql"))
    statement = sql.SQL(read_sql("canonical/merge.sql")).format(fresh=fresh)
    return driver_connection(connection).execute(statement).rowcount


def _run(connection: Connection, name: str, table: str) -> None:
    """A statement on one raw table, whose name is a constant of ours."""
    parts = {"view": sql.Identifier(f"due_{table}"), "table": sql.Identifier("recon", table)}
    statement = sql.SQL(read_sql(f"canonical/due/{name}.sql")).format(**parts, source=sql.Literal(table))
    driver_connection(connection).execute(statement)


def _first_statistics(engine: Engine) -> None:
    """Of tables that were filled for the first time; from then on the server sees to it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in connection.execute(named("canonical/without_statistics.sql")).scalars().all():
            statement = sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier("recon", table))
            driver_connection(connection).execute(statement)


def _analyze(connection: Connection, *tables: str) -> None:
    """Statistics of temporary tables, which nobody else collects."""
    for table in tables:
        driver_connection(connection).execute(sql.SQL("ANALYZE {}").format(sql.Identifier("pg_temp", table)))

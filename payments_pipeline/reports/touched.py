"""What was touched since a mark: temporary tables of provider objects and users, for reports to be limited to.

Belongs here: which statement fills which table. Does not belong here: what counts as touched, which stands in
sql/reports/touched/, or how a report is limited (scope.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql
from sqlalchemy import Connection, text

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql

# Clocks of application and database differ a little, and a transaction is committed later than it wrote its time.
SLACK = timedelta(minutes=10)
# From here on the full query is the cheaper one.
MOST = 50_000

# What ids look like as text, by type: what a provider's object names may be anything. Of other types all is taken.
FORMS = {
    "bigint": r"^\d{1,18}$",
    "integer": r"^\d{1,9}$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
}


@dataclass(frozen=True, slots=True)
class Touched:
    """How many provider objects and users are to be looked at; None where they are too many to be listed."""

    transactions: int
    users: int


def collect(
    connection: Connection,
    *,
    changed_from: str,
    last: datetime,
    as_of: datetime,
    grace: timedelta,
    days: Collection[int] = (),
    object_days: Collection[int] = (),
) -> Touched | None:
    """Fill pg_temp.touched_transactions, touched_payments and touched_users, for this transaction only.

    Args:
        changed_from: the mark's transaction.
        last: the mark's `as_of`.
        grace: the longest time for which a report keeps silent about something new.
        days: for how many days reports look at a payment that is for no plan, under way, or the like.
        object_days: the same of a provider's object.
    """
    since = last - grace - SLACK
    values = {"changed_from": changed_from, "last": last, "as_of": as_of, "since": since}
    if connection.execute(named("reports/touched/is_much.sql"), {"changed_from": changed_from}).scalar_one():
        return None
    types = connection.execute(named("reports/touched/id_types.sql")).one()
    _create(
        connection, "ends", {"last": last, "as_of": as_of, "days": sorted(days), "object_days": sorted(object_days)}
    )
    _create(connection, "objects", {"changed_from": changed_from, "since": since})
    if _count(connection, "objects") > MOST:
        return None
    _create(connection, "payments", {"since": since})
    _more(connection, "payments", types.payment)
    _create(connection, "transactions", {})
    connection.execute(named("reports/touched/more_transactions.sql"))
    _analyze(connection, "transactions")
    connection.execute(named("reports/touched/payments_of_deposits.sql"))
    _analyze(connection, "payments")
    _create(connection, "users", {name: values[name] for name in ("since", "last", "as_of")})
    _more(connection, "users", types.app_user)
    found = Touched(_count(connection, "transactions"), _count(connection, "users"))
    return found if max(found.transactions, found.users) <= MOST else None


def _create(connection: Connection, what: str, values: dict[str, object]) -> None:
    """Make a table, with statistics, which nobody else collects for temporary tables."""
    connection.execute(named(f"reports/touched/create_{what}.sql"), values)
    _analyze(connection, what)


def _more(connection: Connection, what: str, id_type: str) -> None:
    """Add rows found by the application's ids as text; the type's name comes from PostgreSQL itself."""
    template = sql.SQL(read_sql(f"reports/touched/more_{what}.sql"))
    statement = template.format(id=sql.SQL(id_type), form=sql.Literal(FORMS.get(id_type, "")))
    driver_connection(connection).execute(statement)
    _analyze(connection, what)


def _analyze(connection: Connection, what: str) -> None:
    driver_connection(connection).execute(sql.SQL("ANALYZE {}").format(sql.Identifier("pg_temp", f"touched_{what}")))


def _count(connection: Connection, what: str) -> int:
    counted = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("pg_temp", f"touched_{what}"))
    return int(connection.execute(text(counted.as_string())).scalar_one())

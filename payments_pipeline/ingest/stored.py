"""What a raw table holds already: open objects, objects of a window, objects written since a moment.

Belongs here: reading raw tables on behalf of the ways in. Does not belong here: writing them (staging.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import read_sql
from payments_pipeline.providers.base import Account, ResourceSpec, Window


@dataclass(frozen=True, slots=True)
class OpenDay:
    """One day's objects by creation: how many, and how many of them may still change."""

    day: datetime
    objects: int
    open: int


def open_objects(
    connection: Connection,
    account: Account,
    spec: ResourceSpec,
    outside: Window,
    *,
    vanished_since: datetime | None = None,
) -> list[tuple[str, datetime]]:
    """Ids and creation times of stored objects that may still change and were not created in `outside`.

    Args:
        vanished_since: with those that vanished from this moment on while they were open; None: none that vanished.
    """
    if spec.status_column is None or not (spec.open_statuses or spec.final_statuses):
        return []
    found = _ask(
        connection, "open_objects", spec, account,
        start=outside.start, end=outside.end, vanished_since=vanished_since,
    )  # fmt: skip
    return [(row[0], row[1]) for row in found]


def open_days(connection: Connection, account: Account, spec: ResourceSpec, window: Window) -> list[OpenDay]:
    """The days of the window on which something was created, newest first."""
    found = _ask(
        connection, "open_days", spec, account,
        start=window.start, end=window.end,
    )  # fmt: skip
    return [OpenDay(*row) for row in found]


def known_already(
    connection: Connection,
    account: Account,
    spec: ResourceSpec,
    known_from: Mapping[str, datetime],
    listed: Window,
) -> frozenset[str]:
    """Changed objects whose stored state is of after the change.

    Args:
        known_from: by object id: a reading from this moment on knows of the change.
        listed: a window that was listed completely after the changes were told.
    """
    if not known_from:
        return frozenset()
    found = _ask(
        connection,
        "known_objects",
        spec,
        account,
        ids=list(known_from),
        known_from=list(known_from.values()),
        start=listed.start,
        end=listed.end,
    )
    return frozenset(row[0] for row in found)


def written_since(
    connection: Connection, account: Account, spec: ResourceSpec, since: datetime, created_before: datetime
) -> list[tuple[str, datetime]]:
    """Ids and creation times of objects whose stored state is of a reading at or after `since`."""
    found = _ask(connection, "written_objects", spec, account, since=since, before=created_before)
    return [(row[0], row[1]) for row in found]


def _ask(connection: Connection, name: str, spec: ResourceSpec, account: Account, **values: Any) -> list[Any]:
    statement = sql.SQL(read_sql(f"ingest/{name}.sql")).format(
        table=sql.Identifier("recon", spec.table),
        created=sql.Identifier(spec.created_column),
        status=sql.Identifier(spec.status_column or "object_id"),
    )
    always = {
        "account": account.account,
        "open_statuses": sorted(spec.open_statuses),
        "final_statuses": sorted(spec.final_statuses) or None,
    }
    return driver_connection(connection).execute(statement, always | values).fetchall()

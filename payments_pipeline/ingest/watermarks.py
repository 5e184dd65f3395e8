"""Watermarks: up to where the incremental way has come with each resource, and from where it goes on.

Belongs here: reading and moving them, and the events dealt with beyond them. Does not belong here: fetching.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.providers.base import Account, Change, Window

OVERLAP = timedelta(minutes=15)
"""Read again at each run: what a provider lists or tells late. What was dealt with already costs next to nothing."""
FIRST_LOOK_BACK = timedelta(days=30)
"""How far back the first run reaches at most; what is older takes a backfill."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where a run goes on, UTC.

    Attributes:
        listed_to: everything created before was listed.
        told_to: every change told before was read, or is known otherwise.
        followed: an earlier run has read the feed.
    """

    listed_to: datetime
    told_to: datetime
    followed: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a resource's past; None: nothing.

    Attributes:
        listed_to, told_to: the stored watermark.
        covered_to: where each unbroken stretch of complete lists of any kind ends, the earliest first.
        first_read_at: when the first of them began.
    """

    listed_to: datetime | None
    told_to: datetime | None
    covered_to: Sequence[datetime]
    first_read_at: datetime | None


def progress(connection: Connection, account: Account, resource: str) -> Progress:
    """How far this resource of this account has come."""
    return Progress(*connection.execute(named("ingest/watermark_read.sql"), _names(account, resource)).one())


def starting_point(known: Progress, end: datetime) -> Watermark:
    """From where an incremental run up to `end` goes on. Pure.

    Without a watermark it goes on where the first stretch of other lists breaks off, but no further back than
    `FIRST_LOOK_BACK`: a gap before that takes a backfill. It follows changes since the first list began; when nothing
    was ever read, no change matters yet.
    """
    earliest = end - FIRST_LOOK_BACK
    listed = known.listed_to or next((stop for stop in known.covered_to if stop >= earliest), earliest)
    return Watermark(min(listed, end), min(known.told_to or known.first_read_at or end, end), known.told_to is not None)


def move(
    connection: Connection,
    account: Account,
    resource: str,
    *,
    listed_to: datetime | None = None,
    told_to: datetime | None = None,
    handled: Collection[Change] = (),
    run_id: str | None,
    at: datetime,
) -> None:
    """Move the watermark forward, never back, and note the events dealt with, in the caller's transaction."""
    if listed_to is None and told_to is None and not handled:
        return
    names = _names(account, resource)
    connection.execute(
        named("ingest/watermark_move.sql"),
        names | {"listed_to": listed_to, "told_to": told_to, "run_id": run_id, "moved_at": at},
    )
    events = [
        names | {"event_id": change.event_id, "object_id": change.object_id, "at": change.at} for change in handled
    ]
    if events:
        connection.execute(named("ingest/feed_handle.sql"), events)
    if told_to is not None:
        connection.execute(named("ingest/feed_forget.sql"), names | {"before": told_to - 2 * OVERLAP})


def follow(
    connection: Connection, account: Account, resource: str, listed: Window, *, run_id: str | None, at: datetime
) -> None:
    """Move the list's watermark to the end of a complete list that begins before it and ends beyond."""
    connection.execute(
        named("ingest/watermark_follow.sql"),
        _names(account, resource)
        | {"window_from": listed.start, "window_to": listed.end, "run_id": run_id, "moved_at": at},
    )


def handled(connection: Connection, account: Account, resource: str, since: datetime) -> Collection[tuple[str, str]]:
    """(event id, object id) of what was dealt with, of events at or after `since`."""
    rows = connection.execute(named("ingest/feed_handled.sql"), _names(account, resource) | {"since": since})
    return {(row.event_id, row.object_id) for row in rows}


def _names(account: Account, resource: str) -> dict[str, object]:
    return {"provider": account.provider, "account": account.account, "resource": resource}

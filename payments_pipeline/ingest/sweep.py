"""Sweep: a rolling window listed again and every open object read again, whatever the feed told.

Belongs here: what a sweep reads, and which of its finds the feed had missed. Does not belong here: fetching
(fetches.py), the incremental way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine

from payments_pipeline.db.lost import lost_database_is_transient
from payments_pipeline.errors import PaymentsPipelineError, TransientError
from payments_pipeline.ingest.coverage import Coverage, with_missed
from payments_pipeline.ingest.feed import followed, listen
from payments_pipeline.ingest.fetches import Fetches
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.relist import stretched
from payments_pipeline.ingest.same_mode import assert_same_mode
from payments_pipeline.ingest.stored import open_objects, written_since
from payments_pipeline.ingest.watermarks import OVERLAP, follow, handled, progress
from payments_pipeline.ingest.windows import SECOND, whole_second
from payments_pipeline.providers.base import Account, ChangeFeed, Clock, Provider, Window
from payments_pipeline.providers.clocks import by_provider

VANISHED_AGAIN = timedelta(days=7)
"""An object that vanished while it was open is asked for again for so long: who said so may have been wrong."""
REJECTED_AGAIN = 1_000
"""Objects that could not be read before, asked for again in one sweep."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known when a sweep of a resource with a feed began.

    Attributes:
        listed_to, told_to: the watermark; what came later nobody has missed yet.
        dealt_with: (event id, object id) of told changes that were read.
        gaps: creation times that nobody had read.
    """

    listed_to: datetime
    told_to: datetime
    dealt_with: Collection[tuple[str, str]]
    gaps: Sequence[Window]


@lost_database_is_transient("sweep")
def sweep(
    engine: Engine,
    provider: Provider,
    account: Account,
    resource: str,
    window: Window,
    *,
    as_of: datetime,
    run_id: str | None,
    clock: Clock,
    keep_raw: bool = True,
) -> Coverage:
    """List `window` again, read every open object outside it again, and count what the feed had missed.

    Where many open objects lie before the window, it is stretched to list them instead: a page costs one call.
    Objects that could not be read before are asked for again, too.

    Args:
        keep_raw: keep the objects' JSON in recon.raw_json, too.

    Returns:
        The certificate of the list, stored. It reads incomplete, with the reason, also when only a re-read failed; the
        store keeps a certificate of its own for the re-reads.

    Raises:
        WrongAccountError: the account was read in the other mode before.
    """
    clock = by_provider(provider, clock)
    fetches = Fetches(engine, provider, account, as_of, run_id, clock, keep_raw)
    with engine.begin() as connection:
        assert_same_mode(connection, account)
    start = stretched(fetches, resource, window.start)
    reachable = fetches.reachable(resource, Window(start, window.end))
    began = clock()
    before = _before(fetches, resource, reachable)
    listed = fetches.listed(resource, reachable, "sweep", owed_from=window.start)
    if not listed.complete and not listed.rejected:
        return listed
    with engine.begin() as connection:
        if listed.complete:
            follow(connection, account, resource, reachable, run_id=run_id, at=clock())
        spec = fetches.spec(resource)
        still_open = open_objects(connection, account, spec, reachable, vanished_since=began - VANISHED_AGAIN)
    rejected = fetches.rejected_before(resource, began, REJECTED_AGAIN)
    again = fetches.again(resource, {*rejected, *(object_id for object_id, _created in still_open)})
    listed = _counted(fetches, resource, listed, before, began)
    if again is not None and not again.complete:
        _owe_sweep(fetches, resource, Window(window.start, listed.window_to), again)
        return replace(listed, complete=False, error=listed.error or again.error)
    return listed


def _owe_sweep(fetches: Fetches, resource: str, window: Window, again: Coverage) -> None:
    """Where runs follow a feed they read again what it tells, which would pass for what this sweep could not read."""
    if resource in followed(fetches.provider):
        error = TransientError(
            f"Open objects and such that could not be read before were not all read again: {again.error}",
            where=f"{fetches.provider.name} {resource}",
            remedy="The next complete sweep reads them.",
        )
        fetches.unread(resource, "feed", window, error)


def missed(written: Iterable[tuple[str, datetime]], told: Collection[str], unread: Sequence[Window]) -> int:
    """How many of the objects a sweep wrote had changed without the feed's telling. Pure.

    Args:
        written: ids and creation times.
        told: ids that the feed named since the watermark.
        unread: creation times that no list had covered: what lies there is new to us, not missed.
    """
    return sum(
        object_id not in told and not any(gap.start <= created < gap.end for gap in unread)
        for object_id, created in written
    )


def _before(fetches: Fetches, resource: str, window: Window) -> _Before | None:
    """None where there is no feed, or no incremental run has followed it yet."""
    if resource not in followed(fetches.provider):
        return None
    account = fetches.account
    with fetches.engine.connect() as connection:
        known = progress(connection, account, resource)
        if known.told_to is None or known.listed_to is None:
            return None
        dealt_with = handled(connection, account, resource, known.told_to - OVERLAP)
        unread = gaps(connection, account.provider, account.account, resource, window)
    return _Before(known.listed_to, known.told_to, dealt_with, unread)


def _counted(fetches: Fetches, resource: str, listed: Coverage, before: _Before | None, began: datetime) -> Coverage:
    """The certificate with `missed_by_feed`, where that can be told."""
    feed = fetches.provider
    if before is None or not isinstance(feed, ChangeFeed):
        return listed
    account = fetches.account
    with fetches.engine.connect() as connection:
        written = written_since(connection, account, fetches.spec(resource), began, before.listed_to)
    told: Collection[str] = ()
    if written:
        since = before.told_to - OVERLAP
        until = whole_second(fetches.clock()) + SECOND
        try:
            news = listen(feed, Window(since, until), since={resource: since}, dealt_with={resource: before.dealt_with})
        except PaymentsPipelineError:
            return listed  # the sweep stands by itself; only this count needs the feed
        told = news.of(resource).keys()
    with fetches.engine.begin() as connection:
        return with_missed(connection, listed, missed(written, told, before.gaps))

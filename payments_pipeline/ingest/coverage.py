"""Coverage: the certificate of a fetch, without which nothing may be called absent.

Belongs here: its fields, storing and reading it. Does not belong here: fetching (snapshot.py), judging by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from payments_pipeline.db.sql import named

UNIDENTIFIED = "unidentified"
"""Account of a certificate whose fetch ended before the provider said who we are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one fetch read; the fields of recon.coverage.

    Attributes:
        mode: backfill, incremental, sweep, reread; or feed: what the feed can't tell, which only a sweep makes good.
        window_from, window_to: half-open range of the provider's creation times, UTC; of a feed: times of change.
        as_of: the moment the run reconciles for.
        pages: answers of the list call.
        objects: objects read, the rejected included; one repeated at a page border counts once.
        rows_written: raw rows inserted or replaced; unchanged objects write nothing.
        rejected: objects that could not be read; see recon.rejected_objects.
        complete: everything in the window was read and stored, but for objects that were rejected by their ids: nothing
            is said of those, nor are they absent. Only then does absence mean anything.
        error: why it is not complete, and what to do.
        missed_by_feed: of a sweep: changes it found that the provider's feed should have told, and had not; None: there
            is no feed, it did not answer, or nobody followed it yet.
        reach_from: since when the provider's list could tell everything as it was read; None: since ever, or not asked
            of the store.
        owed_from: since when a failure is to be made good, where the list began earlier to save re-reads; None: since
            `window_from`, or not asked of the store.
        coverage_id: None until stored.
    """

    provider: str
    account: str
    livemode: bool
    resource: str
    mode: str
    window_from: datetime
    window_to: datetime
    as_of: datetime
    pages: int
    objects: int
    rows_written: int
    rejected: int
    complete: bool
    error: str | None
    run_id: str | None
    started_at: datetime
    finished_at: datetime
    missed_by_feed: int | None = None
    reach_from: datetime | None = None
    owed_from: datetime | None = None
    coverage_id: int | None = None


def stored(connection: Connection, coverage: Coverage) -> Coverage:
    """Write the certificate, in the caller's transaction, which also holds the rows it speaks of.

    Returns:
        The same, with its coverage_id.
    """
    number = connection.execute(named("ingest/coverage_store.sql"), asdict(coverage)).scalar_one()
    return replace(coverage, coverage_id=number)


def with_missed(connection: Connection, coverage: Coverage, missed: int) -> Coverage:
    """Add to a stored certificate how many changes the feed had never told.

    Returns:
        The same, with `missed_by_feed`.
    """
    connection.execute(named("ingest/coverage_missed.sql"), {"coverage_id": coverage.coverage_id, "missed": missed})
    return replace(coverage, missed_by_feed=missed)


def latest(connection: Connection) -> list[Coverage]:
    """What each (provider, account, resource) is worth now, in that order.

    The newest certificate of the nightly sweep or the incremental runs (of a backfill where there are none), incomplete
    while a failure is outstanding that no later fetch made good. The rule stands in recon.coverage_standing.
    """
    found = [Coverage(**row) for row in connection.execute(named("ingest/coverage_latest.sql")).mappings()]
    return [one for one in found if not _superseded(one, found)]


def _superseded(one: Coverage, found: Sequence[Coverage]) -> bool:
    """A fetch that never learned whose account it is speaks only until one that did comes after it."""
    return one.account == UNIDENTIFIED and any(
        (other.provider, other.resource) == (one.provider, one.resource)
        and other.account != UNIDENTIFIED
        and (other.coverage_id or 0) > (one.coverage_id or 0)
        for other in found
    )

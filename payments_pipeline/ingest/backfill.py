"""Backfill: any window of one resource, split into ranges that are read side by side and certified one by one.

Belongs here: which ranges are left, running them, when to stop. Does not belong here: one range's fetch (snapshot.py),
arithmetic of windows (windows.py), the provider's rate (its limiter).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from payments_pipeline.db.lost import lost_database_is_transient
from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.same_mode import assert_same_mode
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.ingest.windows import settled, split
from payments_pipeline.providers.base import Account, Clock, Provider, Window
from payments_pipeline.providers.clocks import by_provider

RANGES = 64
THREADS = 12
"""Each holds a connection while it reads, and the engine's pool has twenty."""
RESUMABLE = timedelta(days=3)
"""An unfinished backfill older than this begins anew: what it read has aged."""
GIVE_UP_AFTER = 3
"""Ranges that failed in a row: the provider, not the range, is the trouble, and the rest would fare no better."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """An unfinished backfill: ranges certified since `since` are done."""

    number: int
    since: datetime


@dataclass(frozen=True, slots=True)
class RangeDone:
    """How far a backfill has come.

    Attributes:
        certificates: of the range that has just ended, one a fetch; none where another process had read it.
        done, total: ranges read in full so far, and ranges in all.
    """

    certificates: tuple[Coverage, ...]
    done: int
    total: int


class _Breaker:
    """Stops what has not begun after too many failures in a row; shared by the threads of one backfill."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0

    def note(self, made: Coverage) -> None:
        """Count one range; rejected objects are no failure of the provider."""
        with self._lock:
            self._failures = 0 if made.complete or made.rejected else self._failures + 1

    @property
    def open(self) -> bool:
        with self._lock:
            return self._failures >= GIVE_UP_AFTER


@lost_database_is_transient("backfill")
def backfill(
    engine: Engine,
    provider: Provider,
    account: Account,
    resource: str,
    window: Window,
    *,
    as_of: datetime,
    run_id: str | None,
    clock: Clock,
    ranges: int = RANGES,
    threads: int = THREADS,
    keep_raw: bool = True,
    progress: Callable[[RangeDone], None] | None = None,
) -> list[Coverage]:
    """Read every object created in `window`, and certify it range by range.

    A backfill that was killed or failed is taken up by the next call for the same account, resource and window: what
    complete lists covered since it began is not read again. Two at once share the work. What lies ahead of the clock,
    or further back than the provider's list, is left out.

    Args:
        ranges: pieces to split what is left into; more pieces than threads, so that none waits for a long one. The last
            ones are cut finer, see `split`.
        threads: how many are read at the same time, at most `THREADS`.
        keep_raw: keep the objects' JSON in recon.raw_json, too.
        progress: called after each range, one at a time, from the calling thread.

    Returns:
        The certificates written by this call, oldest range first; a failed range has an incomplete one. Ranges that
        were given up have none: `gaps` tells them.

    Raises:
        WrongAccountError: the account was read in the other mode before.
    """
    clock = by_provider(provider, clock)
    spec = provider.resources[resource].spec
    wanted = settled(window, now=clock(), history=spec.history)
    with engine.begin() as connection:
        assert_same_mode(connection, account)
    if wanted.start >= wanted.end:
        return []
    begun = _begin(engine, account, resource, window, as_of=as_of, run_id=run_id, at=clock())
    breaker = _Breaker()

    def left(of: Window) -> list[Window]:
        with engine.connect() as connection:
            return gaps(connection, account.provider, account.account, resource, of, since=begun.since)

    def read(piece: Window) -> tuple[list[Coverage], bool]:
        """What is still left of a piece, which another process may have read meanwhile; and whether all is read now."""
        made: list[Coverage] = []
        for part in left(piece):
            if breaker.open:
                return made, False
            one = snapshot(
                engine, provider, account, resource, part,
                as_of=as_of, mode="backfill", run_id=run_id, clock=clock, keep_raw=keep_raw,
            )  # fmt: skip
            breaker.note(one)
            made.append(one)
        return made, all(one.complete for one in made)

    readers = max(1, min(threads, THREADS))
    pieces = split(left(wanted), ranges, spec.grain, side_by_side=readers)
    made = _side_by_side(read, pieces, readers, progress)
    if not left(wanted):
        with engine.begin() as connection:
            connection.execute(
                named("ingest/backfill_finish.sql"), {"backfill_id": begun.number, "finished_at": clock()}
            )
    return sorted(made, key=lambda one: one.window_from)


def _side_by_side(
    read: Callable[[Window], tuple[list[Coverage], bool]],
    pieces: Sequence[Window],
    threads: int,
    progress: Callable[[RangeDone], None] | None,
) -> list[Coverage]:
    """Run all pieces; when one raises, those that have not begun never do."""
    made: list[Coverage] = []
    done = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="backfill") as pool:
        futures: Iterable[Future[tuple[list[Coverage], bool]]] = [pool.submit(read, piece) for piece in pieces]
        try:
            for future in as_completed(futures):
                own, whole = future.result()
                made += own
                done += whole
                if progress is not None:
                    progress(RangeDone(tuple(own), done, len(pieces)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return made


def _begin(
    engine: Engine,
    account: Account,
    resource: str,
    window: Window,
    *,
    as_of: datetime,
    run_id: str | None,
    at: datetime,
) -> _Begun:
    names = {
        "provider": account.provider,
        "account": account.account,
        "resource": resource,
        "window_from": window.start,
        "window_to": window.end,
    }
    with engine.begin() as connection:
        connection.execute(named("ingest/backfill_expire.sql"), names | {"expired_before": at - RESUMABLE})
        row = connection.execute(
            named("ingest/backfill_begin.sql"), names | {"as_of": as_of, "run_id": run_id, "started_at": at}
        ).one()
    return _Begun(row.backfill_id, row.started_at)

"""One fetch: a provider's list, or single objects, streamed into a raw table, with the certificate of what was read.

Belongs here: the order of events. Does not belong here: SQL of the load (staging.py), what a fetch leaves behind
(loading.py), which windows and objects to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from payments_pipeline.db.lost import lost_database_is_transient
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.ingest.collector import loads_under_way, rare_collections
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.known import Read
from payments_pipeline.ingest.loading import Errand, Tally, settle
from payments_pipeline.ingest.overtaken import ask_for_overtaken, leave_out_overtaken
from payments_pipeline.ingest.rows import Digester, Rejection, sightings
from payments_pipeline.ingest.singly import read_singly
from payments_pipeline.ingest.staging import Stage, stage
from payments_pipeline.ingest.unlisted import ask_for_unlisted, newest_certificate
from payments_pipeline.providers.base import Account, Clock, Page, Provider, Resource, Sliced, Window
from payments_pipeline.providers.clocks import by_provider

BATCH = 2_000
"""Objects loaded at a time at most."""
FEW = 300
"""As BATCH, where nothing is stored: no look-up, for which more at a time would be cheaper."""
HELD = 4_000
"""Objects that all fetches of this process together collect at a time, while as many are being loaded: 100 MB or so."""
FIRST = "backfill"
"""The mode that goes where nothing may be stored yet."""
LOOKS = 3
"""How often a fetch looks again because others wrote objects of its window meanwhile."""


@lost_database_is_transient("snapshot")
def snapshot(
    engine: Engine,
    provider: Provider,
    account: Account,
    resource: str,
    window: Window,
    *,
    as_of: datetime,
    mode: str,
    run_id: str | None,
    clock: Clock,
    keep_raw: bool = True,
    owed_from: datetime | None = None,
) -> Coverage:
    """Read every object of `resource` created in `window` and bring its raw table up to date.

    Rows and certificate appear in one transaction. A provider error half-way keeps what was read and gives an
    incomplete certificate, whose `error` tells why; an object that can't be read is set aside and does the same. An
    object of another account or mode writes nothing but that certificate. A process killed half-way leaves nothing.
    Stored objects of the window that a complete list did not bring are asked for singly, and marked as vanished when
    the provider does not have them.

    Args:
        account: from `provider.identify()`.
        mode: backfill, incremental or sweep.
        keep_raw: keep the objects' JSON in recon.raw_json, too; without it the rows alone are written.
        owed_from: see `Coverage`.

    Returns:
        The certificate, stored. Provider errors are in it, not raised, so that other resources go on.
    """
    clock = by_provider(provider, clock)
    source = provider.resources[resource]
    errand = Errand(
        account, resource, mode, window, as_of, run_id, clock,
        started_at=clock(), history=source.spec.history, owed_from=owed_from,
    )  # fmt: skip
    digest_of = Digester(source.spec.columns, rows=not keep_raw)
    with rare_collections(), stage(engine, source, account, digest_of, keep_raw=keep_raw) as (connection, staged):
        alone = newest_certificate(staged, window)
        if mode == FIRST:
            staged.expect(window)
        staged.commit()
        tally = _fetch(source, window, staged, digest_of)
        for look in range(LOOKS):
            newest = newest_certificate(staged, window)
            staged.commit()
            if newest != alone:
                tally.reject(staged.put_down())
            if tally.problem() is None:
                ask_for_unlisted(
                    source, staged, window, tally, digest_of=digest_of, started_at=errand.started_at, clock=clock
                )
            if tally.error is None:
                ask_for_overtaken(source, staged, tally, digest_of=digest_of, clock=clock)
            with connection.begin():
                staged.lock()
                settled = newest_certificate(staged, window) == newest or look + 1 == LOOKS
                if settled or tally.problem() is not None:
                    leave_out_overtaken(staged, tally)
                    return settle(connection, staged, errand, tally)
    raise AssertionError("unreachable: the last look returns")


@lost_database_is_transient("reread")
def reread(
    engine: Engine,
    provider: Provider,
    account: Account,
    resource: str,
    ids: Iterable[str],
    *,
    as_of: datetime,
    mode: str,
    run_id: str | None,
    clock: Clock,
    threads: int = 4,
    keep_raw: bool = True,
) -> Coverage:
    """Read single objects and bring their rows up to date; one that the provider no longer has is marked vanished.

    Args:
        mode: reread.
        threads: how many are asked for at a time.
        keep_raw: as in `snapshot`.

    Returns:
        The certificate, stored; `objects` are those the provider answered for. Its window has no length and lies at
        `as_of`: it claims no absence. Errors as in `snapshot`; one that is about a single object rejects it by name.
    """
    clock = by_provider(provider, clock)
    source = provider.resources[resource]
    errand = Errand(account, resource, mode, Window(as_of, as_of), as_of, run_id, clock, started_at=clock())
    digest_of = Digester(source.spec.columns, rows=not keep_raw)
    with rare_collections(), stage(engine, source, account, digest_of, keep_raw=keep_raw) as (connection, staged):
        tally = _read_each(source, list(dict.fromkeys(ids)), staged, digest_of, clock=clock, threads=threads)
        if tally.error is None:
            ask_for_overtaken(source, staged, tally, digest_of=digest_of, clock=clock)
        with connection.begin():
            staged.lock()
            leave_out_overtaken(staged, tally)
            return settle(connection, staged, errand, tally)


def _fetch(source: Resource, window: Window, staged: Stage, digest_of: Digester) -> Tally:
    """Stream all pages into the stage; a provider's error ends the reading and is kept in the tally."""
    tally = Tally()
    batch: dict[str, Read] = {}
    before: set[str] = set()  # ids of the batch before: lists shift by one when something is created meanwhile
    enough = FEW if staged.nothing_stored else BATCH
    with _Alongside(staged, tally) as loader:
        pages = source.sliced(window) if isinstance(source, Sliced) else source.pages(window)
        for page in _pages(pages, tally):
            tally.pages += 1
            seen, rejected = sightings(source, page, tally.pages, digest_of)
            tally.objects += len(rejected)
            tally.reject(rejected)
            if rejected:
                staged.confirmed.note(tally.pages, page.read_at, unsure=True)
            for one in seen:
                tally.objects += one.object_id not in batch and one.object_id not in before
                batch[one.object_id] = one
            if len(batch) >= min(enough, HELD // loads_under_way()):
                loader.add(list(batch.values()))
                before, batch = set(batch), {}
        loader.add(list(batch.values()))
    return tally


def _read_each(
    source: Resource, ids: list[str], staged: Stage, digest_of: Digester, *, clock: Clock, threads: int
) -> Tally:
    """Ask for each id; a provider's failure ends the reading and is kept in the tally."""
    tally = Tally()
    batch: list[Read] = []
    suspects = staged.rejected_before
    ids = sorted(ids, key=suspects.__contains__)  # last, so that a provider that fails is not asked for all of them
    for answer in read_singly(source, ids, clock=clock, threads=threads, suspects=suspects):
        if answer.error is not None:
            tally.fail(answer)
            continue
        tally.pages += 1
        tally.objects += 1
        if answer.page is None:
            staged.gone[answer.object_id] = answer.read_at
            continue
        seen, rejected = sightings(source, answer.page, 0, digest_of)
        tally.reject(rejected)
        batch += seen
        if len(batch) >= BATCH:
            tally.reject(staged.add(batch, look_up=False))
            batch = []
    tally.reject(staged.add(batch, look_up=False))
    return tally


def _pages(pages: Iterator[Page], tally: Tally) -> Iterator[Page]:
    try:
        yield from pages
    except PaymentsPipelineError as error:
        tally.error = error


class _Alongside:
    """Loads one batch in a thread of its own while the next is read: the server works while we wait or parse.

    Where nothing is stored the server is not asked, and a second thread would only take turns with this one.
    """

    def __init__(self, staged: Stage, tally: Tally) -> None:
        self._staged = staged
        self._tally = tally
        self._pool = None if staged.nothing_stored else ThreadPoolExecutor(1, thread_name_prefix="load")
        self._loading: Future[list[Rejection]] | None = None

    def add(self, batch: list[Read]) -> None:
        """Hand over a batch, once the one before is loaded.

        Raises:
            Whatever loading the one before raised.
        """
        self._finish()
        if self._pool is None:
            self._tally.reject(self._staged.add(batch))
        elif batch:
            self._loading = self._pool.submit(self._staged.add, batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if error is None:
            self._finish()

    def _finish(self) -> None:
        if self._loading is not None:
            loaded, self._loading = self._loading, None
            self._tally.reject(loaded.result())

"""One snapshot: a provider's list streamed into its raw table, with the certificate of what was read.

Belongs here: the order of events and what a failure half-way leaves behind. Does not belong here: SQL of the load
(staging.py), which windows to read, which resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError, WrongAccountError
from payments_pipeline.ingest import coverage as certificates
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.rows import Rejection, Sighting, salt_of, sighting
from payments_pipeline.ingest.staging import Stage, stage
from payments_pipeline.providers.base import Account, Clock, Page, Provider, Resource, Window

BATCH = 2_000
"""Objects held in memory: about 10 MB of Stripe's."""
REJECTIONS_KEPT = 1_000
"""Rejected objects stored with their bodies; the rest are counted."""


@dataclass(slots=True)
class _Tally:
    """What has been read so far."""

    pages: int = 0
    objects: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    error: PaymentsPipelineError | None = None

    def reject(self, rejections: list[Rejection]) -> None:
        self.rejected += len(rejections)
        self.rejections.extend(rejections[: REJECTIONS_KEPT - len(self.rejections)])

    def problem(self) -> str | None:
        """Why the snapshot is not complete."""
        if self.error is not None:
            return str(self.error)
        if not self.rejected:
            return None
        first = self.rejections[0]
        return (
            f"{self.rejected} objects rejected; the first, {first.object_id}: {first.reason} "
            "What to do: see recon.rejected_objects."
        )


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
) -> Coverage:
    """Read every object of `resource` created in `window` and bring its raw table up to date.

    Rows and certificate appear in one transaction. A provider error half-way keeps what was read and gives an
    incomplete certificate, whose `error` tells why; an object that can't be read is set aside and does the same. An
    object of another account or mode writes nothing but that certificate. A process killed half-way leaves nothing.

    Args:
        account: from `provider.identify()`.
        mode: backfill, incremental, sweep or reread.

    Returns:
        The certificate, stored. Provider errors are in it, not raised, so that other resources go on.
    """
    started_at = clock()
    source = provider.resources[resource]
    with stage(engine, source, account) as (connection, staged):
        tally = _fetch(source, window, staged)
        with connection.begin():
            refused = isinstance(tally.error, WrongAccountError)
            written = 0 if refused else staged.merge()
            if not refused:
                _store_rejections(connection, account, resource, tally.rejections)
            problem = tally.problem()
            made = Coverage(
                provider=account.provider,
                account=account.account,
                livemode=account.livemode,
                resource=resource,
                mode=mode,
                window_from=window.start,
                window_to=window.end,
                as_of=as_of,
                pages=tally.pages,
                objects=tally.objects,
                rows_written=written,
                rejected=tally.rejected,
                complete=problem is None,
                error=problem,
                run_id=run_id,
                started_at=started_at,
                finished_at=clock(),
            )
            return certificates.stored(connection, made)


def _fetch(source: Resource, window: Window, staged: Stage) -> _Tally:
    """Stream all pages into the stage; a provider's error ends the reading and is kept in the tally."""
    tally = _Tally()
    salt = salt_of(source.spec.columns)
    batch: dict[str, Sighting] = {}
    before: set[str] = set()  # ids of the batch before: lists shift by one when something is created meanwhile
    for page in _pages(source.pages(window), tally):
        tally.pages += 1
        for obj in page.objects:
            seen = sighting(source, obj, page.read_at, salt)
            if isinstance(seen, Rejection):
                tally.objects += 1
                tally.reject([seen])
                continue
            tally.objects += seen.object_id not in batch and seen.object_id not in before
            batch[seen.object_id] = seen
        if len(batch) >= BATCH:
            tally.reject(staged.add(list(batch.values())))
            before, batch = set(batch), {}
    tally.reject(staged.add(list(batch.values())))
    return tally


def _pages(pages: Iterator[Page], tally: _Tally) -> Iterator[Page]:
    try:
        yield from pages
    except PaymentsPipelineError as error:
        tally.error = error


def _store_rejections(connection: Connection, account: Account, resource: str, rejections: list[Rejection]) -> None:
    if rejections:
        connection.execute(
            named("ingest/rejected_store.sql"),
            [
                {
                    "provider": account.provider,
                    "account": account.account,
                    "resource": resource,
                    "object_id": one.object_id,
                    "reason": one.reason,
                    "body": one.body,
                    "seen_at": one.seen_at,
                }
                for one in rejections
            ],
        )

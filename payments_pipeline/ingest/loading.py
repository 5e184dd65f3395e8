"""How a fetch ends: rows, rejected objects, certificate and confirmations appear in one transaction.

Belongs here: what a fetch counts, and what it leaves behind in each case. Does not belong here: reading (snapshot.py,
singly.py), the SQL of the load (staging.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError, WrongAccountError
from payments_pipeline.ingest import coverage as certificates
from payments_pipeline.ingest.confirmed import INSTANT, spoken_of
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.rows import Rejection, rejection
from payments_pipeline.ingest.singly import Answer
from payments_pipeline.ingest.staging import Stage
from payments_pipeline.ingest.windows import reach_from
from payments_pipeline.providers.base import Account, Clock, Window

REJECTIONS_KEPT = 1_000
"""Rejected objects stored with their bodies; the rest are counted."""
REMEMBERED = timedelta(days=2)
"""No fetch takes longer than this; confirmations older than that protect from nothing any more."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a fetch was sent for; see `Coverage` for the fields."""

    account: Account
    resource: str
    mode: str
    window: Window
    as_of: datetime
    run_id: str | None
    clock: Clock
    started_at: datetime
    history: timedelta | None = None
    """How far back the provider's list goes; see `ResourceSpec`."""
    owed_from: datetime | None = None
    """See `Coverage`."""


@dataclass(slots=True)
class Tally:
    """What has been read so far.

    Attributes:
        pages, objects: as in `Coverage`.
        rejected: objects that could not be read, each counted once.
        rejections: the first `REJECTIONS_KEPT` of them, by object id.
        error: what ended the reading.
        unsettled: what another fetch contradicts and nobody could ask for again, in words.
    """

    pages: int = 0
    objects: int = 0
    rejected: int = 0
    rejections: dict[str, Rejection] = field(default_factory=dict)
    error: PaymentsPipelineError | None = None
    unsettled: str | None = None

    def reject(self, rejections: list[Rejection]) -> None:
        """Count objects that could not be read or stored, and keep the first ones."""
        for one in rejections:
            self.rejected += one.object_id not in self.rejections
            if one.object_id in self.rejections or len(self.rejections) < REJECTIONS_KEPT:
                self.rejections[one.object_id] = one

    def fail(self, answer: Answer) -> None:
        """Note that an object could not be had: the provider's failure ends the reading, another is the object's."""
        if answer.error is None:
            return
        if answer.last:
            self.error = answer.error
        else:
            self.reject([rejection(answer.object_id, answer.error, b"null", answer.read_at)])

    def problem(self) -> str | None:
        """Why not everything was read; None: it was.

        An object that was rejected by its id withholds itself alone, because what is said of it can be told from the
        rest (findings.py). One without an id, or beyond those kept, could be any.
        """
        if self.error is not None:
            return str(self.error)
        nameless = [one for one in self.rejections.values() if not one.identified]
        if nameless:
            return (
                f"{len(nameless)} objects do not say which they are; the first, {nameless[0].object_id}: "
                f"{nameless[0].reason} What to do: see recon.rejected_objects."
            )
        if self.rejected > len(self.rejections):
            return (
                f"{self.rejected} objects rejected, more than the {REJECTIONS_KEPT} that are kept by name; the first: "
                f"{next(iter(self.rejections.values())).reason} What to do: see recon.rejected_objects."
            )
        return self.unsettled


def settle(connection: Connection, staged: Stage, errand: Errand, tally: Tally) -> Coverage:
    """Merge what is staged and certify it, in the caller's transaction, which holds the stage's lock.

    An object of another account or mode writes nothing but the certificate.

    Returns:
        The certificate, stored.
    """
    refused = isinstance(tally.error, WrongAccountError)
    written = 0 if refused else staged.merge()
    if not refused:
        tally.reject(staged.refused)
        _store_rejections(connection, errand, list(tally.rejections.values()))
    problem = tally.problem()
    made = Coverage(
        provider=errand.account.provider,
        account=errand.account.account,
        livemode=errand.account.livemode,
        resource=errand.resource,
        mode=errand.mode,
        window_from=errand.window.start,
        window_to=errand.window.end,
        as_of=errand.as_of,
        pages=tally.pages,
        objects=tally.objects,
        rows_written=written,
        rejected=tally.rejected,
        complete=problem is None,
        error=problem,
        run_id=errand.run_id,
        started_at=errand.started_at,
        finished_at=errand.clock(),
        reach_from=reach_from(errand.started_at, errand.history),
        owed_from=errand.owed_from,
    )
    made = certificates.stored(connection, made)
    if not refused:
        _store_confirmations(connection, staged, made, list(tally.rejections))
    return made


def _store_confirmations(connection: Connection, staged: Stage, made: Coverage, rejected: list[str]) -> None:
    """Answers of a list confirm what is stored only when all of it was read, see unlisted.py; single reads always.

    All that is stored of the window is then as it was when the list began, or newer, but for what could not be read.
    """
    confirmed = staged.confirmed
    pages = list(spoken_of(confirmed.answers.values())) if made.complete else []
    if made.complete and any(answer.same for answer in confirmed.answers.values()):
        pages.append((made.started_at, made.window_from, made.window_to - INSTANT))
    readings = [*confirmed.objects.values(), *(page[0] for page in pages)]
    if not readings:
        return
    names = staged.names
    connection.execute(
        named("ingest/confirmations_forget.sql"), names | {"before": made.finished_at - REMEMBERED}
    )  # fmt: skip
    connection.execute(
        named("ingest/confirmations_store.sql"),
        names
        | {
            "coverage_id": made.coverage_id,
            "newest_read_at": max(readings),
            "object_ids": list(confirmed.objects),
            "object_read_at": list(confirmed.objects.values()),
            "page_read_at": [page[0] for page in pages],
            "created_from": [page[1] for page in pages],
            "created_to": [page[2] for page in pages],
            "rejected": rejected,
        },
    )


def _store_rejections(connection: Connection, errand: Errand, rejections: list[Rejection]) -> None:
    if rejections:
        connection.execute(
            named("ingest/rejected_store.sql"),
            [
                {
                    "provider": errand.account.provider,
                    "account": errand.account.account,
                    "resource": errand.resource,
                    "object_id": one.object_id,
                    "reason": one.reason,
                    "body": one.body,
                    "seen_at": one.seen_at,
                }
                for one in rejections
            ],
        )

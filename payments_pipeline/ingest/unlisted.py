"""Stored objects that a complete list did not bring: each is asked for singly before it is called vanished.

Belongs here: which they are, and what the answer means. Does not belong here: the list (snapshot.py), the SQL of the
load (staging.py).

The same look finds a stored state that the list never saw: another fetch wrote an older reading between this one's
look-up and its merge. Reading the object again settles that, too.
"""

from __future__ import annotations

from datetime import datetime

from payments_pipeline.ingest.loading import Tally
from payments_pipeline.ingest.rows import Digester, sightings
from payments_pipeline.ingest.singly import read_singly
from payments_pipeline.ingest.staging import Stage
from payments_pipeline.providers.base import Clock, Resource, Window

ASKED_AT_MOST = 500
"""Objects asked for singly in one fetch; what is left over is said in the certificate, and the next fetch goes on."""
THREADS = 4


def newest_certificate(staged: Stage, window: Window) -> int | None:
    """The newest certificate of another fetch that may have written objects of the window."""
    row = staged.run("newest_certificate", {"start": window.start, "end": window.end}).fetchone()
    return row[0] if row else None


def ask_for_unlisted(
    resource: Resource,
    staged: Stage,
    window: Window,
    tally: Tally,
    *,
    digest_of: Digester,
    started_at: datetime,
    clock: Clock,
) -> None:
    """After a complete list of `window`: stage what is still there, note as gone what is not.

    Args:
        tally: takes the provider's error, and what could not be settled.
        started_at: when the list began; it can't know what was created since.
    """
    listed = Window(window.start, min(window.end, started_at.replace(microsecond=0)))
    ids = _unlisted(staged, tally, listed)
    answers = read_singly(
        resource, ids[:ASKED_AT_MOST], clock=clock, threads=THREADS, suspects=staged.rejected_before
    )  # fmt: skip
    for answer in answers:
        if answer.error is not None:
            tally.fail(answer)
        elif answer.page is None:
            staged.gone[answer.object_id] = answer.read_at
        else:
            seen, rejected = sightings(resource, answer.page, 0, digest_of)
            tally.reject(rejected + staged.add(seen, look_up=False))
    if len(ids) > ASKED_AT_MOST:
        tally.unsettled = (
            f"More than {ASKED_AT_MOST} stored objects are no longer listed; only that many were asked for singly. "
            "What to do: run again, which goes on with the others; if they did not vanish, check the base address and "
            "the account."
        )


def _unlisted(staged: Stage, tally: Tally, window: Window) -> list[str]:
    """Ids of stored objects that nothing was heard of; an object that can't be read was heard of, and is there."""
    if window.start >= window.end:
        return []
    confirmed = staged.confirmed
    given = {"start": window.start, "end": window.end}
    found = staged.run("stage_unlisted", given).fetchone()
    if found != (len(confirmed.digests), confirmed.mixed):
        # What waits in memory may have been stored by another fetch meanwhile; in the stage it is seen as listed.
        tally.reject(staged.put_down())
        found = staged.run("stage_unlisted", given).fetchone()
    ids: list[str] = []
    if found != (len(confirmed.digests), confirmed.mixed):
        details = {
            "seen": list(confirmed.digests),
            "heard_of": [*staged.gone, *tally.rejections],
            "most": ASKED_AT_MOST + 1,
        }
        ids = [row[0] for row in staged.run("stage_unlisted_ids", given | details)]
    staged.commit()
    return ids

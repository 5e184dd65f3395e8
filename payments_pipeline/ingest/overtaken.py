"""Readings of objects that are not stored, overtaken by a complete list that began later and does not know them.

Belongs here: asking for them again, and leaving them out. Does not belong here: stored objects that a list did not
bring (unlisted.py), older readings of stored objects (the SQL of the load).

Without it a fetch that was held up would bring back to life what was deleted meanwhile: the later list had nothing to
mark as vanished, because nobody had stored the object yet.
"""

from __future__ import annotations

from payments_pipeline.ingest.loading import Tally
from payments_pipeline.ingest.rows import Digester, sightings
from payments_pipeline.ingest.singly import read_singly
from payments_pipeline.ingest.staging import Stage
from payments_pipeline.providers.base import Clock, Resource

ASKED_AT_MOST = 500
"""Objects asked for again in one look; the rest is left out, and the next fetch brings it."""
THREADS = 4


def ask_for_overtaken(resource: Resource, staged: Stage, tally: Tally, *, digest_of: Digester, clock: Clock) -> None:
    """Read them again, one by one: stage what the provider still has, note as gone what it does not.

    Args:
        tally: takes the provider's error and objects that can't be read.
    """
    ids = _overtaken(staged, tally, ASKED_AT_MOST)
    staged.commit()
    for answer in read_singly(resource, ids, clock=clock, threads=THREADS, suspects=staged.rejected_before):
        if answer.error is not None:
            tally.fail(answer)
        elif answer.page is None:
            staged.gone[answer.object_id] = answer.read_at
        else:
            seen, rejected = sightings(resource, answer.page, 0, digest_of)
            tally.reject(rejected + staged.add(seen, look_up=False))


def leave_out_overtaken(staged: Stage, tally: Tally) -> None:
    """Take those that nobody settled out of the stage; for the transaction of the merge, which holds the lock."""
    ids = _overtaken(staged, tally, None)
    if ids:
        staged.run("stage_forget", {"ids": ids})
        tally.unsettled = tally.unsettled or (
            f"{len(ids)} objects were read before another fetch found them absent, and could not be asked for again. "
            "What to do: run again."
        )


def _overtaken(staged: Stage, tally: Tally, most: int | None) -> list[str]:
    """Ids; looks into the stage only where some list began after what waits in memory was read."""
    oldest = staged.oldest_waiting
    if oldest is not None and staged.run("later_list", {"since": oldest}).fetchall()[0][0]:
        tally.reject(staged.put_down())
    if not staged.holds_rows:
        return []
    return [row[0] for row in staged.run("stage_overtaken", {"gone": list(staged.gone), "most": most})]

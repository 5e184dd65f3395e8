"""Incremental: what was created since the watermark, what the feed says changed, and what is still open.

Belongs here: which windows and objects a run reads, and when the watermark may move. Does not belong here: fetching
(fetches.py), the feed (following.py), storing watermarks (watermarks.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Engine

from payments_pipeline.db.lost import lost_database_is_transient
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.feed import followed
from payments_pipeline.ingest.fetches import Fetches
from payments_pipeline.ingest.following import Following
from payments_pipeline.ingest.relist import stretched
from payments_pipeline.ingest.same_mode import assert_same_mode
from payments_pipeline.ingest.stored import open_objects
from payments_pipeline.ingest.watermarks import OVERLAP, Watermark, move, progress, starting_point
from payments_pipeline.ingest.windows import whole_second
from payments_pipeline.providers.base import Account, Clock, Provider, Window
from payments_pipeline.providers.clocks import by_provider

RELIST_REACH = timedelta(days=30)
"""How far back a list may be stretched to save re-reads of open objects."""
REJECTED_AGAIN = 20
"""Objects that could not be read before, asked for again in one run; they take turns, and a sweep asks for all."""


@lost_database_is_transient("incremental")
def incremental(
    engine: Engine,
    provider: Provider,
    account: Account,
    *,
    as_of: datetime,
    run_id: str | None,
    clock: Clock,
    resources: Collection[str] | None = None,
    keep_raw: bool = True,
) -> list[Coverage]:
    """Bring the raw tables up to `as_of`: new objects, changed ones by the feed, open ones where there is no feed.

    A watermark moves only after what lies behind it was read completely, so a run that fails or dies is made good by
    the next one. One resource's failure leaves the others.

    Args:
        resources: names; None: all of the provider's.
        keep_raw: keep the objects' JSON in recon.raw_json, too.

    Returns:
        All certificates written, in the order of the fetches; a failure is an incomplete one.

    Raises:
        WrongAccountError: the account was read in the other mode before.
    """
    clock = by_provider(provider, clock)
    fetches = Fetches(engine, provider, account, as_of, run_id, clock, keep_raw)
    names = [name for name in provider.resources if resources is None or name in resources]
    end = whole_second(min(as_of, clock()))
    with engine.begin() as connection:
        assert_same_mode(connection, account)
        marks = {name: starting_point(progress(connection, account, name), end) for name in names}
    following = Following(fetches, marks, end)
    made = following.catch_up()
    for name in names:
        made += _bring_up(fetches, following, name, marks[name], end)
    return made


def _bring_up(fetches: Fetches, following: Following, resource: str, mark: Watermark, end: datetime) -> list[Coverage]:
    """List one resource, read again what the list did not bring, then move its watermark."""
    told = resource in followed(fetches.provider)
    began = fetches.clock()
    start = mark.listed_to - OVERLAP
    window = fetches.reachable(
        resource, Window(start if told else stretched(fetches, resource, start, RELIST_REACH), end)
    )
    listed = fetches.listed(resource, window, "incremental", owed_from=start) if window.start < window.end else None
    if listed is not None and not listed.complete and not listed.rejected:
        return [listed]  # the provider fails; asking for single objects would only repeat it
    fresh = window if listed is not None and listed.complete else Window(window.start, window.start)
    ids = following.reads_again(resource, fresh) if told else _open_outside(fetches, resource, fresh)
    rejected = fetches.rejected_before(resource, began, REJECTED_AGAIN)
    again = fetches.again(resource, {*ids, *rejected}) if ids is not None else None
    dealt_with = ids is not None and (again is None or again.complete)
    with fetches.engine.begin() as connection:
        move(
            connection,
            fetches.account,
            resource,
            listed_to=end if listed is not None and listed.complete else None,
            told_to=end if told and dealt_with else None,
            handled=following.heard(resource) if told and dealt_with else (),
            run_id=fetches.run_id,
            at=fetches.clock(),
        )
    return [one for one in (listed, again) if one is not None]


def _open_outside(fetches: Fetches, resource: str, fresh: Window) -> list[str]:
    with fetches.engine.connect() as connection:
        found = open_objects(connection, fetches.account, fetches.spec(resource), fresh)
    return [object_id for object_id, _created in found]

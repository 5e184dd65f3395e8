"""Open objects: listed again in bulk where that takes fewer calls, else one by one.

Belongs here: where a list best begins. Does not belong here: the list itself, the re-reads (fetches.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from payments_pipeline.ingest.fetches import Fetches
from payments_pipeline.ingest.stored import OpenDay, open_days, open_objects
from payments_pipeline.providers.base import Window

LIST_PAGE = 100
"""Objects that one list call brings, against one of a re-read; the smallest of the providers' page sizes."""
ENDLESS = datetime.max.replace(tzinfo=UTC)


def relist_from(start: datetime, days: Sequence[OpenDay]) -> datetime:
    """Where a list that must begin at `start` best begins, so that listing and re-reading together take fewest calls.

    Args:
        days: days before `start`, newest first.
    """
    best, fewest = start, sum(day.open for day in days)
    listed, left = 0, fewest
    for day in days:
        listed += day.objects
        left -= day.open
        calls = -(-listed // LIST_PAGE) + left
        if calls < fewest:
            best, fewest = min(start, day.day), calls
    return best


def stretched(fetches: Fetches, resource: str, start: datetime, reach: timedelta | None = None) -> datetime:
    """`relist_from` over what is stored; `start` itself while few objects are open, which is nearly always.

    Args:
        reach: how far before `start` the list may begin, so that an old open object costs no scan of all history;
            None: as far as open objects go.
    """
    spec, account = fetches.spec(resource), fetches.account
    with fetches.engine.connect() as connection:
        still_open = open_objects(connection, account, spec, outside=Window(start, ENDLESS))
        if len(still_open) <= LIST_PAGE:
            return start
        oldest = min(created for _object_id, created in still_open)
        first = oldest if reach is None else max(oldest, start - reach)
        return relist_from(start, open_days(connection, account, spec, Window(first, start)))

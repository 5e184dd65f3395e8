"""How each account's resources stand: what they are worth now, what was never read, how far the runs have come.

Belongs here: gathering it from certificates and watermarks. Does not belong here: showing it, judging by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.rows import NAMELESS
from payments_pipeline.providers.base import Window


@dataclass(frozen=True, slots=True)
class Standing:
    """A resource of an account, as things are now; times UTC.

    Attributes:
        covered_from, covered_to: creation times from the first to the last that complete lists cover; None: none.
        gaps: times between that nobody can speak of, oldest first.
        listed_to, told_to: the watermark of the incremental runs, see `watermarks.Watermark`; None: there is none.
        moved_at: when the watermark last moved.
        missed_by_feed, swept_at: of the last complete sweep; None: it could not tell, or there was none.
        rejected: objects known by id that can't be read; nothing is said of those.
    """

    covered_from: datetime | None
    covered_to: datetime | None
    gaps: tuple[Window, ...]
    listed_to: datetime | None
    told_to: datetime | None
    moved_at: datetime | None
    missed_by_feed: int | None
    swept_at: datetime | None
    rejected: int


def standing(
    connection: Connection,
    provider: str,
    account: str,
    resource: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Standing:
    """How one resource of one account stands.

    Args:
        since, until: gaps are looked for from the earlier of `since` and `covered_from` to the later of `until` and
            `covered_to`.
    """
    names = {"provider": provider, "account": account, "resource": resource}
    known = connection.execute(named("ingest/standing.sql"), names | {"nameless": f"{NAMELESS}%"}).one()
    starts = [moment for moment in (since, known.covered_from) if moment is not None]
    ends = [moment for moment in (until, known.covered_to) if moment is not None]
    span = Window(min(starts), max(ends)) if starts and ends else None
    missing = gaps(connection, provider, account, resource, span) if span is not None else []
    return Standing(
        covered_from=known.covered_from,
        covered_to=known.covered_to,
        gaps=tuple(missing),
        listed_to=known.listed_to,
        told_to=known.told_to,
        moved_at=known.moved_at,
        missed_by_feed=known.missed_by_feed,
        swept_at=known.swept_at,
        rejected=known.rejected,
    )


def standings(
    connection: Connection, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[Coverage, Standing]]:
    """Every resource of every account that was ever read, with its newest certificate (see `latest`), in that order.

    Args:
        since, until: as in `standing`.
    """
    return [
        (one, standing(connection, one.provider, one.account, one.resource, since=since, until=until))
        for one in latest(connection)
    ]

"""Which objects of a list are stored as they were read: they write no row, but an older reading must not undo them.

Belongs here: the comparison. Does not belong here: what is remembered of it (confirmed.py), writing the others
(staging.py).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import groupby
from operator import attrgetter, xor
from typing import Any

import psycopg

from payments_pipeline.ingest.confirmed import Confirmed, Span
from payments_pipeline.ingest.rows import Digester, Glimpse, Rejection, Sighting, as_row, opened
from payments_pipeline.providers.base import Columned, Resource, Sliced

Read = Sighting | Glimpse
CROWDED = 4
"""Where so many times as many objects are stored between the first and the last of a batch as it has, all of it is
parsed: its list is in no order of creation, or it is a small part of what was created in one second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = int((datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds())


class Known:
    """Tells what of a batch is stored, and parses only what has to be.

    Args:
        run: `Stage.run`.
        confirmed: takes what was found as it is stored.
        gone: takes objects that the provider says it deleted, and when it said so.
    """

    def __init__(
        self,
        run: Callable[..., psycopg.Cursor[Any]],
        resource: Resource,
        digest_of: Digester,
        confirmed: Confirmed,
        gone: dict[str, datetime],
    ) -> None:
        self._run = run
        self._slices = resource if isinstance(resource, Sliced) else None
        self._columns_of = resource.columns_of if digest_of.rows and isinstance(resource, Columned) else None
        self._digest_of = digest_of
        self._confirmed = confirmed
        self._gone = gone

    def new_and_changed(
        self, batch: Iterable[Read], rejected: list[Rejection]
    ) -> tuple[Iterable[Sighting], list[Sighting]]:
        """Objects that are not stored, parsed one by one when they are needed; and those that are stored otherwise.

        Args:
            rejected: takes what can't be parsed.
        """
        listed = [one for one in batch if type(one) is Glimpse or not self._deleted(one)]
        new, other = self._compared(self._unequal(listed))
        # From other bytes than these: only the digest tells whether it changed.
        parsed = list(self.parsed([one for one in other if isinstance(one, Glimpse)], rejected))
        still_new, changed = self._compared(parsed)
        known = [one for one in other if isinstance(one, Sighting)]
        return self.parsed([*new, *still_new], rejected), [*known, *self.parsed(changed, rejected)]

    def unasked(self, batch: Sequence[Read], rejected: list[Rejection]) -> Iterator[Sighting]:
        """All objects of a batch, where nothing of their creation times was stored; parsed when they are needed."""
        for page, read_at in {one.page: one.read_at for one in batch}.items():
            self._confirmed.note(page, read_at, unsure=True)
        return self.parsed(batch, rejected)

    def parsed(self, batch: Iterable[Read], rejected: list[Rejection]) -> Iterator[Sighting]:
        """The objects of a batch, parsed; those that were deleted are noted as gone."""
        for one in batch:
            seen: Sighting | Rejection = one if isinstance(one, Sighting) else self._opened(one)
            if isinstance(seen, Rejection):
                rejected.append(seen)
            elif not self._deleted(seen):
                yield seen

    def _opened(self, glimpse: Glimpse) -> Sighting | Rejection:
        assert self._slices is not None  # noqa: S101  (only such a resource gives glimpses)
        values = self._columns_of(glimpse.raw) if self._columns_of is not None else None
        if values is not None and values[0] == glimpse.object_id:
            return as_row(glimpse, values, self._digest_of)
        return opened(self._slices, glimpse, self._digest_of)

    def _deleted(self, one: Read) -> bool:
        if isinstance(one, Glimpse) or not one.gone:
            return False
        self._gone[one.object_id] = one.read_at
        return True

    def _unequal(self, batch: Sequence[Read]) -> Sequence[Read]:
        """All but the objects whose bytes are those that a stored row was read from; these are remembered as confirmed.

        A list brings what was created one after the other, so that one range of an index tells it of a whole batch.
        """
        dated = [one for one in batch if type(one) is Glimpse and _is_time(one.created)]
        if not dated:
            return batch
        stored = self._stored_between(*_span(dated), most=CROWDED * len(batch))
        for page, listed in groupby(dated, key=attrgetter("page")):
            same = [one for one in listed if one.seen in stored]
            if same:
                self._confirmed.note(page, same[0].read_at, same=_span(same), stored=_span(same), unsure=False)
        equal = {one.object_id: stored[one.seen] for one in dated if one.seen in stored}
        self._confirmed.digests.extend(equal.values())
        self._confirmed.mixed = reduce(xor, equal.values(), self._confirmed.mixed)
        return [one for one in batch if one.object_id not in equal]

    def _stored_between(self, first: datetime, last: datetime, *, most: int) -> dict[int, int]:
        """Stored objects' digests by the hash of the bytes that they were read from; nothing where they are `most`."""
        given = {"first": first, "last": last, "most": most}
        count, seen, digests = self._run("stage_known_span", given).fetchall()[0]
        return dict(zip(_integers(seen), _integers(digests), strict=True)) if seen is not None and count < most else {}

    def _compared(self, batch: Sequence[Read]) -> tuple[list[Read], list[Read]]:
        """What is not stored, and what is stored otherwise; the rest is remembered as confirmed."""
        if not batch:
            return [], []
        given = {
            "ids": _texts([one.object_id for one in batch]),
            "digests": _numbers([one.digest if type(one) is Sighting else None for one in batch]),
            "pages": _numbers([one.page for one in batch]),
        }
        found = self._run("stage_known", given).fetchall()
        read_at = {one.page: one.read_at for one in batch}
        changed: list[int] = []
        new: list[int] = []
        for page, mixed, same_from, same_to, stored_from, stored_to, places, new_places, digests in found:
            changed += places or ()
            new += new_places or ()
            stored = (stored_from, stored_to) if stored_from is not None else None
            same = (same_from, same_to) if digests else None
            self._confirmed.note(page, read_at[page], same=same, stored=stored, unsure=bool(new_places))
            if digests:
                self._confirmed.digests.extend(digests)
                self._confirmed.mixed ^= mixed
        return [batch[place - 1] for place in sorted(new)], [batch[place - 1] for place in sorted(changed)]


def _numbers(values: Sequence[int | None]) -> str:
    """An array in PostgreSQL's own notation, which is written in a tenth of the time that the driver takes for it."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _texts(values: Sequence[str]) -> str | list[str]:
    """As `_numbers`; what needs escapes is left to the driver."""
    joined = '","'.join(values)
    plain = "\\" not in joined and joined.count('"') == 2 * (len(values) - 1)
    return f'{{"{joined}"}}' if plain else list(values)


def _integers(sent: bytes) -> array[int]:
    """What PostgreSQL's int8send wrote."""
    numbers = array("q", sent)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _is_time(created: object) -> bool:
    """Whether it is in seconds since 1970, as providers tell when an object was created."""
    return type(created) is int and 0 <= created <= _LATEST


def _span(listed: Sequence[Glimpse]) -> Span:
    """Between which creation times objects lie."""
    times = [one.created for one in listed]
    return _EPOCH + timedelta(seconds=min(times)), _EPOCH + timedelta(seconds=max(times))

"""Creation order of a store that other threads add to, kept so that a page costs a bisection and not a sort.

Belongs here: the index that all list endpoints share. Does not belong here: filters and cursors of one provider.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from payments_pipeline.sandbox.state import Json, Store

Key = tuple[int, str]


class Listing:
    """Ascending (moment, id) of every object of one store.

    The store's own counters of added and removed keys tell what changed since the last call: a few added keys are
    inserted, anything else rebuilds the index. Replacing an object keeps its place, even if its moment changed.
    """

    def __init__(self, moment: Callable[[Json], int]) -> None:
        self._moment = moment
        self._keys: list[Key] = []
        self._store: Store | None = None
        self._added = self._removed = 0

    def keys(self, objects: Store) -> list[Key]:
        """The index, brought up to date with `objects`; do not change it. Call it under the state's lock."""
        added = objects.added - self._added
        if objects is not self._store or objects.removed != self._removed or added > 1 + len(self._keys) // 10:
            self._keys = sorted((self._moment(obj), name) for name, obj in objects.items())
            self._store = objects
        else:
            for name in islice(reversed(objects), added):
                insort(self._keys, (self._moment(objects[name]), name))
        self._added, self._removed = objects.added, objects.removed
        return self._keys

    def key_of(self, objects: Store, name: str) -> Key:
        """Where `name`, which must be in `objects`, stands in the index; a changed moment costs a search."""
        keys, guess = self.keys(objects), (self._moment(objects[name]), name)
        place = bisect_left(keys, guess)
        if place < len(keys) and keys[place] == guess:
            return guess
        return next(key for key in keys if key[1] == name)


def epoch_seconds(obj: Json) -> int:
    """Stripe's `created`; 0 when it is missing or malformed, so that a poisoned object does not stop the server."""
    created = obj.get("created")
    return created if isinstance(created, int) else 0


def epoch_ms(value: object) -> int:
    """Milliseconds of an ISO 8601 text or of a number of milliseconds; 0 when it is neither."""
    if isinstance(value, int):
        return value
    text = str(value)
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)

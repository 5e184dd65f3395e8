"""Creation order of a store that other threads add to, kept so that a page costs a bisection and not a sort.

Belongs here: the index that all list endpoints share. Does not belong here: filters and cursors of one provider.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from payments_pipeline.sandbox.state import Json

Key = tuple[int, str]


class Listing:
    """Ascending (moment, id) of every object of one store.

    A store is a plain dict, so changes are noticed by its length and its newest key: objects added at the end are
    inserted, anything else rebuilds the index. An object's moment must not change once it was listed.
    """

    def __init__(self, moment: Callable[[Json], int]) -> None:
        self._moment = moment
        self._keys: list[Key] = []
        self._last: str | None = None

    def keys(self, objects: dict[str, Json]) -> list[Key]:
        """The index, brought up to date with `objects`; do not change it. Call it under the state's lock."""
        last = next(reversed(objects), None)
        added = len(objects) - len(self._keys)
        if added == 0 and last == self._last:
            return self._keys
        fresh = self._appended(objects, added)
        if fresh is None:
            self._keys = sorted((self._moment(obj), name) for name, obj in objects.items())
        else:
            for name in fresh:
                insort(self._keys, (self._moment(objects[name]), name))
        self._last = last
        return self._keys

    def _appended(self, objects: dict[str, Json], added: int) -> list[str] | None:
        """Names added since last time when that is all that happened and they are few; else None."""
        if self._last is None or not 0 < added <= 1 + len(self._keys) // 10:
            return None
        names = list(islice(reversed(objects), added + 1))
        return names[:-1] if names[-1] == self._last else None


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

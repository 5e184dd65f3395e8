"""What a fetch found as it is stored: no row is written, but an older reading that comes later must not undo it.

Belongs here: what is remembered of it, and of which objects an answer of a list can speak. Does not belong here: the
comparison with what is stored (known.py), storing it (loading.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

INSTANT = timedelta(microseconds=1)
"""PostgreSQL's times are no finer."""

Span = tuple[datetime, datetime]
"""First and last, both included."""


@dataclass(slots=True)
class Answer:
    """One answer of a list.

    Attributes:
        same: between which creation times it found stored objects as they are; None: it found none so.
        stored: between which creation times it brought stored objects at all.
        unsure: it brought objects whose creation time is not known here: new ones, or some that can't be read.
    """

    read_at: datetime
    same: Span | None = None
    stored: Span | None = None
    unsure: bool = False


@dataclass(slots=True)
class Confirmed:
    """What was read and found as it is stored.

    Attributes:
        answers: of a list, by their number.
        objects: single objects, and when each was read.
        digests: of all objects that `answers` found as they are; `mixed` is all of them by exclusive or.
    """

    answers: dict[int, Answer] = field(default_factory=dict)
    objects: dict[str, datetime] = field(default_factory=dict)
    digests: array[int] = field(default_factory=lambda: array("q"))
    mixed: int = 0

    def note(
        self, number: int, read_at: datetime, *, same: Span | None = None, stored: Span | None = None, unsure: bool
    ) -> None:
        """Add what is known of an answer; its objects may come in several batches."""
        answer = self.answers.setdefault(number, Answer(read_at))
        answer.same = _both(answer.same, same)
        answer.stored = _both(answer.stored, stored)
        answer.unsure = answer.unsure or unsure


def spoken_of(answers: Iterable[Answer]) -> Iterator[tuple[datetime, datetime, datetime]]:
    """When each answer was read, and of which creation times, first and last, it can speak. Pure.

    Objects may share a second, and the second in which one answer ends is often the one in which the next begins. What
    was missing there when the first was read may have come since, unseen by the second: of that second it can't speak.
    """
    passed: Span | None = None
    unsure = False
    for answer in sorted(answers, key=lambda one: one.read_at):
        span = _apart(answer.same, passed, INSTANT if unsure else timedelta()) if answer.same is not None else None
        if span is not None:
            yield answer.read_at, *span
        passed, unsure = _both(passed, answer.stored), answer.unsure


def _apart(span: Span, passed: Span | None, margin: timedelta) -> Span | None:
    """What of a span lies beyond what was passed before; None: nothing, or the list is not in order of creation."""
    first, last = span[0] + margin, span[1] - margin
    if passed is not None and last <= passed[0]:
        last = min(last, passed[0] - INSTANT)
    elif passed is not None and first >= passed[1]:
        first = max(first, passed[1] + INSTANT)
    elif passed is not None:
        return None
    return (first, last) if first <= last else None


def _both(one: Span | None, other: Span | None) -> Span | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])

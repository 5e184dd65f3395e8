"""Arithmetic of windows: where a list may end, and how a long window becomes ranges. Pure.

Belongs here: decisions about times alone. Does not belong here: what was read of a window (gaps.py), SQL, calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from payments_pipeline.providers.base import Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HISTORY_MARGIN = timedelta(hours=1)
"""A list that goes back N days loses its oldest hour while it is read; nothing is claimed of that hour."""
FINER = 4
"""Into so many parts the last pieces of a split are cut."""


def whole_second(moment: datetime) -> datetime:
    """The moment cut to its second: providers stamp whole seconds, and the present second is not over."""
    return moment.replace(microsecond=0)


def settled(window: Window, *, now: datetime, history: timedelta | None = None) -> Window:
    """What of a window a list read from `now` on can speak of: nothing that may still be created or is out of reach.

    Args:
        history: how far back the provider's list goes; None: to the beginning.

    Returns:
        The window, shortened; empty (start equals end) where nothing is left.
    """
    end = min(window.end, whole_second(now))
    reach = reach_from(now, history)
    start = window.start if reach is None else max(window.start, reach)
    return Window(start, max(start, end))


def reach_from(now: datetime, history: timedelta | None) -> datetime | None:
    """Since when a list that goes back so far, read from `now` on, can tell everything; None: since ever."""
    return None if history is None else now - history + HISTORY_MARGIN


def split(windows: Sequence[Window], ranges: int, grain: timedelta, *, side_by_side: int = 0) -> list[Window]:
    """About `ranges` pieces of equal length that together are the windows, newest first.

    Newest first, because most businesses grow: the ranges that hold most come first, and the short ones fill the end.

    Args:
        ranges: how many pieces; more where there are more windows than that, fewer where `grain` forbids.
        grain: pieces meet at multiples of it; no piece is cut finer.
        side_by_side: how many are read at a time. The last so many are cut finer, so that all readers have something to
            do until shortly before the end; not where there are few pieces in all, or one reader.
    """
    total = sum((window.end - window.start for window in windows), timedelta())
    length = total / max(1, ranges)
    pieces = [
        piece
        for window in windows
        for piece in _cut(window, max(1, round((window.end - window.start) / length)) if length else 1, grain)
    ]
    pieces.sort(key=lambda piece: piece.start, reverse=True)
    last = side_by_side if 1 < side_by_side <= len(pieces) // 3 else 0
    whole = pieces[: len(pieces) - last]
    finer = [part for piece in pieces[len(whole) :] for part in reversed(_cut(piece, FINER, grain))]
    return whole + finer


def _cut(window: Window, count: int, grain: timedelta) -> list[Window]:
    """So many pieces, oldest first; fewer where they would be finer than the grain."""
    step = (window.end - window.start) / count
    inner = {_rounded(window.start + step * number, grain) for number in range(1, count)}
    borders = [window.start, *sorted(at for at in inner if window.start < at < window.end), window.end]
    return [Window(*pair) for pair in pairwise(borders)]


def slices(window: Window, longest: timedelta) -> list[Window]:
    """The window in pieces of at most `longest`, oldest first; at least one, be it empty."""
    count = max(1, math.ceil((window.end - window.start) / longest))
    borders = [window.start + longest * number for number in range(count)] + [window.end]
    return [Window(*pair) for pair in pairwise(borders)]


def _rounded(moment: datetime, grain: timedelta) -> datetime:
    return EPOCH + round((moment - EPOCH) / grain) * grain

"""What the last runs of a report found, as a picture on its page: a bar a run, a colour a severity.

Belongs here: from the history to the picture. Does not belong here: reading the history (`sql/assets/`). Every night
draws one for each report that found something, so that a picture may cost some hundredths of a second, no more: bars
and words are put on the figure by hand, because axes with ticks and a legend take ten times as long.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import dagster as dg

from payments_pipeline.assets.pictures import COLOURS, DOTS, INCHES, SMALL, shown

HEIGHT = 1.9
DAY = "%d %b %H:%M"
# Edges of the field of bars, as parts of the picture, and how much of its place a bar takes.
LEFT, RIGHT, BOTTOM, TOP = 0.05, 0.98, 0.17, 0.82
FULL = 0.8

Corners = list[tuple[float, float]]


class Past(NamedTuple):
    """One run: when it judged, its rows, and how many of each severity."""

    as_of: datetime
    row_count: int
    by_severity: dict[str, int]


def report_chart(runs: Sequence[Past], most: int) -> dg.MarkdownMetadataValue:
    """The runs side by side, oldest first; says so when none found anything.

    Args:
        most: how many runs the picture has room for; the newest stands at the right edge.
    """
    if not any(run.row_count for run in runs):
        return dg.MetadataValue.md(f"no rows in the last {len(runs)} runs")
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(INCHES[0], HEIGHT), dpi=DOTS)
    top = max(1, *(sum(run.by_severity.values()) for run in runs))
    for severity, bars in _bars(runs, most, top).items():
        if bars:
            figure.add_artist(PolyCollection(bars, facecolors=COLOURS[severity], transform=figure.transFigure))
    for height in (BOTTOM, TOP):
        figure.add_artist(Line2D([LEFT, RIGHT], [height, height], color="#d0d0d0", linewidth=0.6))
    for x, y, words, colour, side in _words(runs, most, top):
        figure.text(x, y, words, color=colour, ha=side, va="center", fontsize=SMALL)
    return shown(figure, f"Rows of the last {len(runs)} runs by severity")


def _bars(runs: Sequence[Past], most: int, top: int) -> dict[str, list[Corners]]:
    """The corners of each bar, by severity, the gravest at the bottom."""
    bars: dict[str, list[Corners]] = {severity: [] for severity in COLOURS}
    scale = (TOP - BOTTOM) / top
    for place, run in enumerate(runs):
        left, low = _left(place, len(runs), most), BOTTOM
        right = left + FULL * (RIGHT - LEFT) / most
        for severity, corners in bars.items():
            high = low + run.by_severity.get(severity, 0) * scale
            if high > low:
                corners.append([(left, low), (left, high), (right, high), (right, low)])
            low = high
    return bars


def _words(runs: Sequence[Past], most: int, top: int) -> Iterator[tuple[float, float, str, str, str]]:
    """Where which words stand: the scale, the names of the colours, the times of the first and the last run."""
    yield LEFT - 0.008, BOTTOM, "0", "black", "right"
    yield LEFT - 0.008, TOP, str(top), "black", "right"
    for number, (severity, colour) in enumerate(COLOURS.items()):
        yield LEFT + number * 0.11, 0.92, f"■ {severity}", colour, "left"
    yield RIGHT, 0.07, f"{runs[-1].as_of:{DAY}}", "black", "right"
    if len(runs) > most // 4:  # else the two would stand in each other's way
        yield _left(0, len(runs), most), 0.07, f"{runs[0].as_of:{DAY}}", "black", "left"


def _left(place: int, of: int, most: int) -> float:
    return LEFT + (most - of + place) * (RIGHT - LEFT) / most

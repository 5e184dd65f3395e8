"""Pictures on the pages of assets: SVG within Markdown, drawn as text.

Belongs here: bars, lines and names, each within `INLINE` characters. Does not belong here: what they show
(`report_chart.py`, `findings_chart.py`, `stats.py`). Why no library draws them: docs/decisions/0021.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from urllib.parse import quote

import dagster as dg

# Dagster's UI shows Markdown of fewer characters on the page itself, longer behind a button "[Show Markdown]".
INLINE = 1000
COLOURS = {"CRITICAL": "#a22", "HIGH": "#e71", "MEDIUM": "#db2", "LOW": "#8ab"}
LINES = ("#27a", "#e71", "#395", "#a22", "#76a", "#777")
WIDTH, HEIGHT = 344, 112  # as wide as the page's column of values is on a small screen; wider ones are cut
# The field that bars and lines stand in: its edges, and how high it is.
LEFT, RIGHT, FLOOR, TALL = 34, 340, 94, 72
# In how many steps bars rise: the fewer, the more of them are equal to their neighbours, and the shorter the text.
STEPS = (36, 18, 9)
ROW = 14
# What Markdown or an address within it would take for its own is written as %xx; < and > it leaves alone there.
_PLAIN = "/:=',;+<>"

Named = tuple[str, Mapping[str, int]]
Point = tuple[int, float]


def stacked(words: str, columns: Sequence[Named], room: int) -> dg.MarkdownMetadataValue:
    """A bar a column, oldest first, a colour a severity, the gravest at the bottom.

    Args:
        words: stand where pictures are not shown.
        columns: the name of each and its count by severity; where they are too many for a picture on the page itself,
            the newest of them are shown.
        room: how many columns the picture has room for; the newest stands at the right edge.
    """
    for steps in STEPS:
        text = _markdown(words, _stack(columns, room, steps))
        if len(text) < INLINE:
            return dg.MetadataValue.md(text)
    return _largest(len(columns), lambda number: _markdown(words, _stack(columns[-number:], room, STEPS[-1])))


def plotted(words: str, unit: str, series: Mapping[str, Sequence[tuple[str, float]]]) -> dg.MarkdownMetadataValue:
    """A line a series over days.

    Args:
        unit: what the values are, e.g. ``percent``.
        series: (day, value) in order, by the name of the line; the first ones where they are too many.
    """
    names = list(series)
    return _largest(
        len(names), lambda number: _markdown(words, _plot(unit, {name: series[name] for name in names[:number]}))
    )


def ranked(words: str, unit: str, rows: Sequence[tuple[str, float]]) -> dg.MarkdownMetadataValue:
    """A bar a row from left to right, its name and value before it; the first ones where they are too many."""
    return _largest(len(rows), lambda number: _markdown(words, _rank(unit, rows[:number]), ROW * (number + 2)))


def _largest(number: int, draw: Callable[[int], str]) -> dg.MarkdownMetadataValue:
    """The picture of as many as fit."""
    tried = (draw(some) for some in range(number, 0, -1))
    return dg.MetadataValue.md(next((text for text in tried if len(text) < INLINE), "") or draw(1))


def _markdown(words: str, drawn: Iterator[str], height: int = HEIGHT) -> str:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
        f"style='background:#fff;font:10px arial'>{''.join(drawn)}</svg>"
    )
    return f"![{words}](data:image/svg+xml,{quote(svg, safe=_PLAIN)})"


def _stack(columns: Sequence[Named], room: int, steps: int) -> Iterator[str]:
    top = max(1, *(sum(counts.values()) for _, counts in columns))
    used = [name for name in COLOURS if any(counts.get(name) for _, counts in columns)]
    floors, layers = [0] * len(columns), []
    for severity in used:
        floors = [
            _upper(low, counts.get(severity, 0) * steps / top) for low, (_, counts) in zip(floors, columns, strict=True)
        ]
        layers.append(f"<path fill='{COLOURS[severity]}' d='M{room - len(columns)},0{_outline(floors)}V0'/>")
    wide = (RIGHT - LEFT) // room
    yield f"<g transform='matrix({wide},0,0,{TALL // steps},{RIGHT - wide * room},{FLOOR})'>"
    yield from reversed(layers)  # the lowest is drawn over those that reach higher
    yield f"<path stroke='#fff' stroke-width='99' stroke-dasharray='.1,.9' d='M0,0h{room}'/></g>"
    yield from _names(used, [COLOURS[name] for name in used])
    yield from _scale(_short(top), columns[0][0], columns[-1][0])


def _upper(low: int, steps: float) -> int:
    """Where the part of a bar ends that begins at `low`: one row is seen among thousands."""
    return low + max(1, round(steps)) if steps else low


def _outline(heights: Sequence[int]) -> str:
    """The way over bars of these heights, from the floor before the first: equal ones are one step."""
    steps, at = [], 0
    for height, equal in groupby(heights):
        steps.append((f"v{at - height}" if height != at else "") + f"h{len(list(equal))}")
        at = height
    return "".join(steps)


def _plot(unit: str, series: Mapping[str, Sequence[tuple[str, float]]]) -> Iterator[str]:
    days = sorted({day for points in series.values() for day, _ in points})
    top = max(value for points in series.values() for _, value in points)
    low = min(0.0, *(value for points in series.values() for _, value in points))
    wide = (RIGHT - LEFT) // max(1, len(days) - 1)
    tall = TALL / ((top - low) or 1.0)
    places = {day: LEFT + number * wide for number, day in enumerate(days)}
    for colour, points in zip(_colours(len(series)), series.values(), strict=True):
        path = _line([(places[day], FLOOR - (value - low) * tall) for day, value in points])
        yield f"<path fill='none' stroke='{colour}' d='{path}'/>"
    yield from _names([*series, f"({unit})"], [*_colours(len(series)), "#777"])
    yield from _scale(_short(top), days[0], days[-1])


def _line(points: Sequence[Point]) -> str:
    """The way through the points; a dash where there is one only."""
    whole = [(x, round(y)) for x, y in points]
    steps = "".join(f"l{after[0] - x}{after[1] - y:+}" for (x, y), after in pairwise(whole))
    return f"M{whole[0][0]},{whole[0][1]}{steps or 'h3'}"


def _colours(number: int) -> list[str]:
    return [LINES[place % len(LINES)] for place in range(number)]


def _rank(unit: str, rows: Sequence[tuple[str, float]]) -> Iterator[str]:
    middle = WIDTH // 2
    top = max(*(value for _, value in rows), 0.0) or 1.0
    yield f"<text x='4' y='{ROW - 3}' fill='#777'>{_escaped(unit)}</text><text>"
    for number, (name, value) in enumerate(rows, 2):
        yield f"<tspan x='4' y='{ROW * number - 3}'>{_escaped(name[:30])} {value:,.6g}</tspan>"
    bars = (
        f"M{middle},{ROW * number - 7}h{max(1, round((RIGHT - middle) * max(0.0, value) / top))}"
        for number, (_, value) in enumerate(rows, 2)
    )
    yield f"</text><path stroke='{LINES[0]}' stroke-width='9' d='{''.join(bars)}'/>"


def _names(names: Sequence[str], colours: Sequence[str]) -> Iterator[str]:
    """What each colour stands for, above the field."""
    yield f"<text x='{LEFT}' y='12'>"
    for name, colour in zip(names, colours, strict=True):
        yield f"<tspan fill='{colour}' dx='6'>{_escaped(name[:20])}</tspan>"
    yield "</text>"


def _scale(top: str, first: str, last: str) -> Iterator[str]:
    """The greatest value, the lines at top and floor, and the two ends of the time."""
    high = FLOOR - TALL
    yield f"<path stroke='#999' d='M{LEFT},{high}h-5M{LEFT},{FLOOR}H{RIGHT}'/>"
    yield f"<g text-anchor='end'><text x='28' y='{high + 4}'>{top}</text><text x='{RIGHT}' y='107'>{last}</text></g>"
    if first != last:
        yield f"<text x='{LEFT}' y='107'>{first}</text>"


def _short(value: float) -> str:
    """``95``, ``1.5k``, ``631k``, ``2.4M``: room is for five signs."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")

"""How open findings went over time, as a picture, and how long detecting and resolving take, as people say it.

Belongs here: from counts to a picture and a few words. Does not belong here: counting (`sql/assets/`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from payments_pipeline.assets.pictures import COLOURS, SMALL, blank, shown

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def chart(days: Sequence[datetime], by_severity: Mapping[str, Sequence[int]]) -> dg.MarkdownMetadataValue:
    """Open findings by day, one band a severity, the gravest at the bottom; a PNG within the text.

    Args:
        days: the ends of the days, oldest first.
        by_severity: a count for each day.
    """
    from matplotlib import dates
    from matplotlib.ticker import MaxNLocator

    untyped: Any = dates
    figure, axes = blank()
    names = [name for name in COLOURS if name in by_severity]
    axes.stackplot(
        untyped.date2num(list(days)),
        [list(by_severity[name]) for name in names],
        labels=names,
        colors=[COLOURS[one] for one in names],
    )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis_date()
    axes.xaxis.set_major_formatter(untyped.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.legend(loc="upper left", fontsize=SMALL, frameon=False, ncols=len(names))
    return shown(figure, "Open findings by severity")


def bands(rows: Sequence[Any]) -> tuple[list[datetime], dict[str, list[int]]]:
    """From rows of (at, severity, findings) to what `chart` takes."""
    days = sorted({row.at for row in rows})
    found = {(row.at, row.severity): row.findings for row in rows}
    return days, {name: [found.get((day, name), 0) for day in days] for name in COLOURS}


def span(seconds: float | None, of: int) -> str:
    """``5400.0`` of 3 as ``1.5 h (mean of 3)``; ``unknown`` where there is nothing to go by."""
    if seconds is None:
        return "unknown"
    seconds = float(seconds)
    name, size = next(((name, size) for name, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds / size:.1f} {name} (mean of {of})"

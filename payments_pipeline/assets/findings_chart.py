"""How open findings went over time, as a picture, and how long detecting and resolving take, as people say it.

Belongs here: from counts to a picture and a few words. Does not belong here: counting (`sql/assets/`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from payments_pipeline.assets.pictures import COLOURS, stacked

DAY = "%d %b"
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def chart(days: Sequence[datetime], by_severity: Mapping[str, Sequence[int]]) -> dg.MarkdownMetadataValue:
    """Open findings by day, a bar a day, the gravest at the bottom.

    Args:
        days: the ends of the days, oldest first.
        by_severity: a count for each day.
    """
    columns = [
        (f"{day:{DAY}}", {name: counts[place] for name, counts in by_severity.items()})
        for place, day in enumerate(days)
    ]
    return stacked("Open findings by severity", columns, len(columns))


def bands(rows: Sequence[Any]) -> tuple[list[datetime], dict[str, list[int]]]:
    """From rows of (at, severity, findings) to what `chart` takes."""
    days = sorted({row.at for row in rows})
    found = {(row.at, row.severity): row.findings for row in rows}
    return days, {name: [found.get((day, name), 0) for day in days] for name in COLOURS}


def span(seconds: float | None, of: int) -> str:
    """``5400.0`` of 3 as ``1.5 h (mean of 3)``; says so where there is nothing to go by."""
    if seconds is None:
        return "nothing to go by yet"
    seconds = float(seconds)
    name, size = next(((name, size) for name, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds / size:.1f} {name} (mean of {of})"

"""What the last runs of a report found, as a picture on its page, and as numbers that Dagster plots itself.

Belongs here: from the history to the picture and the numbers. Does not belong here: reading the history
(`sql/assets/`), or how bars are drawn (`pictures.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import dagster as dg

from payments_pipeline.assets.pictures import stacked

DAY = "%d %b %H:%M"


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
    columns = [(f"{run.as_of:{DAY}}", run.by_severity) for run in runs]
    return stacked("Rows of the last runs by severity", columns, most)


def plots(by_severity: Mapping[str, int], at_risk: Mapping[str, Decimal]) -> dict[str, dg.MetadataValue]:
    """Numbers for "Plots" beside the table of metadata: a line a severity, a line a currency.

    Plots know floats only; exact amounts stand in ``amount_at_risk``.
    """
    rows = {f"rows/{name}": dg.MetadataValue.int(count) for name, count in by_severity.items()}
    return rows | {
        f"amount_at_risk/{currency}": dg.MetadataValue.float(float(amount)) for currency, amount in at_risk.items()
    }

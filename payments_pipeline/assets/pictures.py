"""Pictures on the pages of assets: an empty figure in the house's look, and a figure as metadata.

Belongs here: what all charts share. Does not belong here: what one of them shows (`findings_chart.py`,
`report_chart.py`, `stats.py`). matplotlib is imported when a picture is drawn: definitions load without it.
"""

import base64
import io
from typing import Any

import dagster as dg

COLOURS = {"CRITICAL": "#a61c1c", "HIGH": "#e8711a", "MEDIUM": "#e6c229", "LOW": "#8fa3b0"}
INCHES = (7.0, 2.6)
DOTS = 110
SMALL = 7


def blank() -> tuple[Any, Any]:
    """A figure and its axes."""
    from matplotlib.figure import Figure  # not pyplot, which keeps every figure

    figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def shown(figure: Any, words: str) -> dg.MarkdownMetadataValue:
    """The figure as a PNG within the text; `words` stand where pictures are not shown."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    encoded = base64.b64encode(picture.getvalue()).decode()
    return dg.MetadataValue.md(f"![{words}](data:image/png;base64,{encoded})")

"""Statistics as assets: a table in schema stats, a preview and a chart each.

Belongs here: metadata and the picture. Does not belong here: the figures (`payments_pipeline.stats`).
"""

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, preview
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.stats import DAYS, SCHEMA, STATS, Stat, store

GROUP = "analytics"
BARS = 12
_INCHES = (7.0, 2.6)


def stat_assets() -> list[dg.AssetsDefinition]:
    """One asset a statistic."""
    return [_asset(stat) for stat in STATS.values()]


def _asset(stat: Stat) -> dg.AssetsDefinition:
    @dg.asset(
        key=stat.name,
        group_name=GROUP,
        deps=list(stat.tables),
        description=f"**{stat.title}**, the last {DAYS} days. At a terminal: `payments-pipeline stats {stat.name}`.",
        kinds={"sql", "postgres"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        metadata={"dagster/table_name": f"{SCHEMA}.{stat.name}"},
    )
    def build(clock: ClockResource, database: DatabaseResource) -> dg.MaterializeResult[Any]:
        rows = store(database.engine, stat, as_of=clock.now())
        metadata: dict[str, Any] = {"dagster/row_count": len(rows), "preview": preview(rows)}
        if rows:
            metadata["chart"] = chart(stat, rows)
        return dg.MaterializeResult(metadata=metadata)

    return build


def chart(stat: Stat, rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Lines over days, else bars for the first rows; a PNG within the text."""
    from matplotlib.figure import Figure  # not pyplot, which keeps every figure

    figure = Figure(figsize=_INCHES, dpi=110, layout="constrained")
    axes = figure.add_subplot()
    if isinstance(rows[0][stat.x], date):
        for name in sorted({str(row[stat.by]) for row in rows}) if stat.by else [""]:
            own = sorted((row[stat.x], row[stat.y]) for row in rows if not stat.by or str(row[stat.by]) == name)
            axes.plot([day for day, _ in own], [float(value or 0) for _, value in own], label=name, marker=".")
        axes.legend(fontsize=7, frameon=False)
        figure.autofmt_xdate()
    else:
        shown = rows[:BARS]
        names = [" ".join(str(row[column]) for column in (stat.by, stat.x) if column)[:40] for row in shown]
        axes.barh(range(len(shown)), [float(row[stat.y] or 0) for row in shown])
        axes.set_yticks(range(len(shown)), names)
        axes.invert_yaxis()
    axes.set_ylabel("" if not isinstance(rows[0][stat.x], date) else stat.y.replace("_", " "), fontsize=7)
    axes.set_title(stat.y.replace("_", " "), fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    encoded = base64.b64encode(picture.getvalue()).decode()
    return dg.MetadataValue.md(f"![{stat.title}](data:image/png;base64,{encoded})")

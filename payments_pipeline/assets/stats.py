"""Statistics as assets: a table in schema stats, a preview and a chart each.

Belongs here: metadata and the picture. Does not belong here: the figures (`payments_pipeline.stats`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from payments_pipeline.assets.columns import STATISTICS
from payments_pipeline.assets.pictures import SMALL, blank, shown
from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, column_schema, preview
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.stats import DAYS, SCHEMA, STATS, Stat, store

GROUP = "analytics"
BARS = 12


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
        metadata={
            "dagster/table_name": f"{SCHEMA}.{stat.name}",
            "dagster/column_schema": column_schema(dict.fromkeys(STATISTICS[stat.name], ""), STATISTICS[stat.name]),
        },
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
    figure, axes = blank()
    if isinstance(rows[0][stat.x], date):
        for name in sorted({str(row[stat.by]) for row in rows}) if stat.by else [""]:
            own = sorted((row[stat.x], row[stat.y]) for row in rows if not stat.by or str(row[stat.by]) == name)
            axes.plot([day for day, _ in own], [float(value or 0) for _, value in own], label=name, marker=".")
        axes.legend(fontsize=SMALL, frameon=False)
        figure.autofmt_xdate()
    else:
        bars = rows[:BARS]
        names = [" ".join(str(row[column]) for column in (stat.by, stat.x) if column)[:40] for row in bars]
        axes.barh(range(len(bars)), [float(row[stat.y] or 0) for row in bars])
        axes.set_yticks(range(len(bars)), names)
        axes.invert_yaxis()
    axes.set_ylabel("" if not isinstance(rows[0][stat.x], date) else stat.y.replace("_", " "), fontsize=SMALL)
    axes.set_title(stat.y.replace("_", " "), fontsize=8)
    return shown(figure, stat.title)

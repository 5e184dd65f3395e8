"""Statistics as assets: a table in schema stats, a preview and a chart each.

Belongs here: metadata and the picture. Does not belong here: the figures (`payments_pipeline.stats`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

import dagster as dg

from payments_pipeline.assets.columns import STATISTICS
from payments_pipeline.assets.pictures import plotted, ranked
from payments_pipeline.assets.presentation import FRESHNESS, OWNERS, column_schema, made_columns, preview
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
            "dagster/column_schema": column_schema(
                made_columns(f"{SCHEMA}.{stat.name}", STATISTICS[stat.name]), STATISTICS[stat.name]
            ),
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
    """Lines over days, else bars for the first rows."""
    unit = stat.y.replace("_", " ")
    if not isinstance(rows[0][stat.x], date):
        names = (" ".join(str(row[column]) for column in (stat.by, stat.x) if column) for row in rows)
        bars = [(name, float(row[stat.y] or 0)) for name, row in zip(names, rows, strict=True)]
        return ranked(stat.title, unit, bars[:BARS])
    series: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in sorted(rows, key=itemgetter(stat.x)):
        series[str(row[stat.by]) if stat.by else unit].append((str(row[stat.x]), float(row[stat.y] or 0)))
    return plotted(stat.title, unit, dict(sorted(series.items())))

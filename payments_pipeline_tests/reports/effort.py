"""How much work a report's run is, told by rows and pages, which unlike seconds are the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from payments_pipeline.reports.materialise import bound_params, bound_query
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import shipped

_LOOKED_AT = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")


def executed(engine: Engine, name: str, as_of: datetime = AS_OF) -> dict[str, Any]:
    """The uppermost node of the plan of a report's run, with what each node did."""
    report = shipped()[name]
    explain = bound_query(report, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ", "")
    with engine.connect() as connection:
        found = connection.execute(explain, bound_params(report, {}) | {"as_of": as_of}).scalar_one()
    return dict(found[0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """It and all below it."""
    yield node
    for part in node.get("Plans", ()):
        yield from nodes(part)


def most_looked_at(plan: dict[str, Any]) -> tuple[int, str]:
    """The step that looks at the most rows, those included that it does not let through: how many, and what it is."""
    return max(
        (round(sum(node.get(way, 0) for way in _LOOKED_AT) * node["Actual Loops"]), node["Node Type"])
        for node in nodes(plan)
    )


def pages(plan: dict[str, Any]) -> int:
    """Pages read, from memory or from disk."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

"""What the UI lists explains itself: no asset, column, check, job, field, schedule or sensor is without words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from payments_pipeline.assets.application_columns import APPLICATION
from payments_pipeline.assets.columns import TABLES, meanings
from payments_pipeline.assets.presentation import table_columns
from payments_pipeline.assets.provider_columns import PROVIDERS
from payments_pipeline.config import Settings
from payments_pipeline.db.contract import CONTRACT
from payments_pipeline.definitions import build_defs
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.repair_sensors import REPAIR_SENSORS
from payments_pipeline.resources import default_resources

# They write the tables of many others.
NO_TABLE = {"intraday_reports"}


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    """With one provider configured and two not: both kinds of pages."""
    return build_defs(default_resources(settings.model_copy(update={"stripe_api_key": SecretStr("sk_test_x")})))


def test_everything_in_the_ui_explains_itself(definitions: dg.Definitions) -> None:
    assert list(lacking(definitions)) == []


def lacking(definitions: dg.Definitions) -> Iterator[str]:
    """What has no words, one line each."""
    graph = definitions.resolve_asset_graph()
    for node in graph.asset_nodes:
        yield from _missing(f"asset {node.key.to_user_string()}", _told(node))
    for key in graph.asset_check_keys:
        yield from _missing(f"check {key}", {"description": graph.get_check_spec(key).description})
    for job in definitions.resolve_all_job_defs():
        if not job.name.startswith("__"):
            yield from _missing(f"job {job.name}", {"description": job.description})
            for op in job.all_node_defs:
                yield from _fields(f"op {op.name}", getattr(op, "config_schema", None))
    for name, resource in (definitions.resources or {}).items():
        yield from _fields(f"resource {name}", getattr(resource, "config_schema", None))
    for automation in [*(definitions.schedules or []), *(definitions.sensors or [])]:
        yield from _missing(getattr(automation, "name", "?"), {"description": getattr(automation, "description", "")})


def _told(node: Any) -> dict[str, Any]:
    """What the page of an asset tells, by what it is called."""
    told = {"description": node.description, "owners": node.owners, "kinds": node.kinds}
    name = node.key.to_user_string()
    if name not in NO_TABLE:
        schema = node.metadata.get("dagster/column_schema")
        columns = schema.columns if schema else []
        told |= {"table name": node.metadata.get("dagster/table_name"), "column schema": columns}
        told |= {f"description of column {column.name}": column.description for column in columns}
        told |= {f"type of column {column.name}": column.type for column in columns}
    return told


def _fields(place: str, schema: Any) -> Iterator[str]:
    shape = getattr(schema, "config_type", None)
    for name, field in getattr(shape, "fields", {}).items():
        yield from _missing(f"{place}, field {name}", {"description": field.description})


def _missing(place: str, told: dict[str, Any]) -> Iterator[str]:
    yield from (f"{place}: no {what}" for what, words in told.items() if not words)


def test_no_words_are_left_of_columns_that_are_gone() -> None:
    known = {**table_columns(), **CONTRACT}
    assert {table: [name for name in own if name not in known[table]] for table, own in TABLES.items()} == {
        table: [] for table in TABLES
    }
    assert set(PROVIDERS) <= {spec.table for spec in SPECS}
    assert set(APPLICATION) == set(CONTRACT)
    assert meanings("stripe_refunds", ["charge_id", "new_column"]) == {"charge_id": "The charge, ch_… or py_…."}


def test_sensors_that_move_money_are_off_and_say_so(definitions: dg.Definitions) -> None:
    stopped = {
        sensor.name: sensor.description or ""
        for sensor in definitions.sensors or []
        if sensor.default_status is dg.DefaultSensorStatus.STOPPED
    }
    assert stopped
    assert set(stopped) <= {sensor.name for sensor in REPAIR_SENSORS}
    assert all("off" in words.lower() for words in stopped.values()), stopped

"""What the pages of reports and statistics say of their columns is what the database makes of their queries.

`make columns` writes the types anew.
"""

from __future__ import annotations

import os

import orjson

from payments_pipeline.assets.presentation import MADE, made_columns, stored_columns
from payments_pipeline.db.contract import CONTRACT
from payments_pipeline.reports import load_reports
from payments_pipeline.stats import STATS
from payments_pipeline_tests.duty.conftest import Town


def test_types_of_columns_in_the_ui_are_the_tables_own(town: Town) -> None:
    names = [
        *(f"reports.{name}" for name in load_reports()),
        *(f"stats.{name}" for name in STATS),
        *(f"recon.{view}" for view in CONTRACT),
    ]
    with town.engine.connect() as connection:
        stored = {name: stored_columns(connection, name) for name in names}
    if os.environ.get("COLUMNS") == "write":
        MADE.write_bytes(orjson.dumps(stored, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    assert orjson.loads(MADE.read_bytes()) == stored, "make columns"


def test_a_report_that_somebody_adds_is_known_by_its_names_until_it_ran(town: Town) -> None:
    assert made_columns("reports.of_a_company", ["amount"]) == {"amount": ""}
    with town.engine.connect() as connection:
        assert stored_columns(connection, "reports.of_a_company") == {}

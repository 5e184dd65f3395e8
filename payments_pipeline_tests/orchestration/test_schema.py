"""What the UI says of tables agrees with the database; dagster.yaml is one that Dagster takes."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL, Engine, text

from payments_pipeline.assets.presentation import table_columns
from payments_pipeline.assets.reports import lineage
from payments_pipeline.config import Settings
from payments_pipeline.dagster_storage import ADDRESS
from payments_pipeline.db.embedded import ensure_database
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.schedules import NIGHTLY_CRON, all_schedules

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = text("""
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'recon' AND table_name = :table ORDER BY ordinal_position
""")


@pytest.mark.parametrize(
    "table", [*(spec.table for spec in SPECS), "provider_transactions", "deposit_matches", "findings"]
)
def test_column_schema_in_the_ui_is_the_tables_own(engine: Engine, table: str) -> None:
    with engine.connect() as connection:
        columns = connection.execute(COLUMNS, {"table": table}).scalars().all()

    assert list(table_columns()[table]) == columns


def test_lineage_leaves_out_what_is_no_asset() -> None:
    tables = ["recon.app_users", "provider_transactions", "recon.state_map"]

    assert lineage(tables) == ["app_users", "provider_transactions"]


def test_nightly_schedule_runs_by_itself_in_the_configured_time_zone(settings: Settings) -> None:
    schedule, *_others = all_schedules(settings.model_copy(update={"nightly_timezone": "Europe/Vienna"}))

    assert schedule.cron_schedule == NIGHTLY_CRON == "0 2 * * *"
    assert schedule.execution_timezone == "Europe/Vienna"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_dagster_yaml_gives_an_instance_on_postgres(
    server: URL, database: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a Unix socket too: the fixture's server has nothing else."""
    storage = ensure_database(server, f"{database.database}_dagster").set(drivername="postgresql+psycopg2")
    monkeypatch.setenv(ADDRESS, storage.render_as_string(hide_password=False))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("probe", ["a"])
        assert instance.get_dynamic_partitions("probe") == ["a"]
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled

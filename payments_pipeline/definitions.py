"""Everything that Dagster loads, put together in one place and explicitly. Belongs here: assembly only."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from payments_pipeline.action_jobs import ACTION_JOBS
from payments_pipeline.assets import all_assets
from payments_pipeline.checks import all_checks
from payments_pipeline.config import load_settings
from payments_pipeline.house_keeping_jobs import house_keeping
from payments_pipeline.ingest_jobs import INGEST_JOBS
from payments_pipeline.intraday_jobs import WATCH_OP_JOBS, intraday_jobs
from payments_pipeline.jobs import OP_JOBS, asset_jobs
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.repair_jobs import ROUND_JOBS, repairs_asset
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import default_resources
from payments_pipeline.schedules import all_schedules
from payments_pipeline.sensors import all_sensors, intervals


def build_defs(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The project's definitions. Reads the environment and `sql/`; touches neither network nor database.

    Args:
        resources: replace resources by name, e.g. ``default_resources(settings, as_of)`` for other settings and a fixed
            time. `settings` among them also decides which providers count as configured.

    Raises:
        ConfigurationError: a setting is malformed. ReportError: a report file is.
    """
    given = dict(resources or {})
    settings = given.get("settings") or load_settings()
    reports = load_reports()
    configured = configured_providers(settings)
    sensors = all_sensors(reports)
    return dg.Definitions(
        assets=[
            *all_assets(configured, reports, intervals(sensors)),
            repairs_asset(reports),
        ],
        asset_checks=all_checks(configured, reports),
        jobs=[
            *asset_jobs(reports),
            *intraday_jobs(reports),
            *OP_JOBS,
            *ROUND_JOBS,
            *ACTION_JOBS,
            *WATCH_OP_JOBS,
            *INGEST_JOBS,
            house_keeping,
        ],
        schedules=all_schedules(settings),
        sensors=sensors,
        resources={**default_resources(settings), **given},
        executor=dg.in_process_executor,
    )


defs = build_defs()

"""The project's jobs for a test's settings: defined once for all tests whose settings define the same.

Putting all definitions together takes half a second, and settings decide of few: which providers there are, when
schedules tick. Where the providers are, which database it is and what time it is comes with the resources of each run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

from payments_pipeline.config import Settings
from payments_pipeline.definitions import build_defs
from payments_pipeline.resources import default_resources

# Where things are: another in each test, and nothing that is defined knows of them.
_PLACES = {
    "database_url", "payments_home", "stripe_api_base", "nowpayments_api_base", "okx_api_base", "discord_webhook_url",
    "discord_api_base",
}  # fmt: skip
_defined: dict[str, dg.Definitions] = {}


def executed(
    job: str,
    settings: Settings,
    instance: dg.DagsterInstance,
    now: datetime | None,
    run_config: Any = None,
    **more: Any,
) -> dg.ExecuteInProcessResult:
    """Run a job to its end, well or not, as the daemon would with these settings.

    Args:
        now: as of when; None: the wall clock.
        run_config: as Dagster takes it.
        more: for Dagster's own function.
    """
    key = settings.model_dump_json(exclude=_PLACES)
    if key not in _defined:
        _defined[key] = build_defs(default_resources(settings))
    return (
        _defined[key]
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            run_config=run_config,
            raise_on_error=False,
            resources=default_resources(settings, now),
            **more,
        )
    )

"""Runs the project's Dagster jobs in this process, for the command line: no daemon, the same definitions.

Belongs here: executing jobs and evaluating sensors. Does not belong here: what they do, or how results are shown.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Connection, MetaData, Table, inspect, select

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.definitions import build_defs
from payments_pipeline.errors import PermanentError
from payments_pipeline.local_instance import in_memory
from payments_pipeline.resources import default_resources

OURS = "payments_pipeline"
_CLASS = re.compile(r"^[\w.]*(?:Error|Exception|Failure|Warning|Failed): ")


class LocalRuns:
    """The definitions for these settings at a fixed time (or the wall clock), on one Dagster instance.

    Attributes:
        problems: what the run before said of errors, one sentence each; empty where it ended well and without any.
    """

    def __init__(
        self, settings: Settings, instance: dg.DagsterInstance, as_of: datetime | None, ahead_seconds: float = 0.0
    ) -> None:
        self.instance = instance
        self.resources = default_resources(settings, as_of, ahead_seconds)
        self.definitions = build_defs(self.resources)
        self.problems: Sequence[str] = ()

    def run(self, job: str, run_config: Any = None, tags: dict[str, str] | None = None) -> bool:
        """Execute a job to its end; False when it failed (`problems` say why)."""
        definition = self.definitions.resolve_job_def(job)
        result = definition.execute_in_process(
            instance=self.instance, run_config=_quiet(run_config), tags=tags, raise_on_error=False
        )
        self.problems = _problems(self.instance.all_logs(result.run_id))
        return result.success

    def tick(self, sensor: str) -> int:
        """Evaluate a sensor once and execute the runs it asks for; returns how many those were.

        Raises:
            PermanentError: a run it asked for failed.
        """
        definition = self.definitions.resolve_sensor_def(sensor)
        with dg.build_sensor_context(instance=self.instance, resources=self.resources) as context:
            requests = definition.evaluate_tick(context).run_requests or ()
        for request in requests:
            job = request.job_name or definition.job_name
            tags = {**request.tags, "dagster/sensor_name": sensor}  # as the daemon would say
            if job is None or not self.run(job, request.run_config, tags):
                raise PermanentError(
                    f"The run that sensor {sensor} asked for failed: {'; '.join(self.problems) or 'no reason given'}.",
                    where=f"job {job}",
                    remedy="Mend that, and run it again; --debug shows where it arose.",
                )
        return len(requests)


@contextmanager
def local_runs(settings: Settings, as_of: datetime | None, ahead_seconds: float = 0.0) -> Iterator[LocalRuns]:
    """Jobs on an instance in memory: nothing of these runs shows up in the UI.

    Args:
        ahead_seconds: how far a simulated world's time is ahead of the wall clock.
    """
    with quiet_dagster(), in_memory() as instance:
        yield LocalRuns(settings, instance, as_of, ahead_seconds)


@contextmanager
def quiet_dagster() -> Iterator[None]:
    """Only errors of Dagster's own log; a run's hundreds of event lines belong to the UI."""
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _quiet(run_config: Any) -> dict[str, Any]:
    """The run's own configuration. Dagster tells errors with their traces: only who asks for traces gets those."""
    level = "ERROR" if logging.getLogger(OURS).isEnabledFor(logging.DEBUG) else "CRITICAL"
    return dict(run_config or {}) | {"loggers": {"console": {"config": {"log_level": level}}}}


def _problems(entries: Iterable[dg.EventLogEntry]) -> list[str]:
    """What a run logged as errors, and why steps of it failed, without traces."""
    found = []
    for entry in entries:
        event = entry.dagster_event
        if event is not None and event.is_step_failure:
            found.append(f"{event.step_key}: {_cause(event.step_failure_data)}")
        elif event is None and int(entry.level) >= logging.ERROR:
            found.append(entry.user_message)
    return list(dict.fromkeys(found))


def _cause(failure: Any) -> str:
    """The first line of what lies at the bottom of a failure, without the name of its class."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    first = error.message.strip().splitlines()[0] if error is not None and error.message.strip() else "no reason given"
    return _CLASS.sub("", first)


def report_rows(connection: Connection, report: str) -> list[dict[str, Any]]:
    """Rows of a materialised report; empty when it was never run."""
    if not inspect(connection).has_table(report, schema="reports"):
        return []
    table = Table(report, MetaData(), schema="reports", autoload_with=connection)
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def environment_settings(values: dict[str, str], home: Path) -> Settings:
    """Settings from these variables alone: neither the process's environment nor a .env file leaks in."""
    hidden = {name.upper() for name in Settings.model_fields} & set(os.environ)
    saved = {name: os.environ.pop(name) for name in hidden}
    try:
        fields = {name.lower(): value for name, value in values.items() if name.lower() in Settings.model_fields}
        return load_settings(_env_file=None, payments_home=home, **fields)
    finally:
        os.environ.update(saved)

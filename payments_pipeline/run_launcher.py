"""Starts each run as a process of its own, forked from one that has Dagster and the other libraries loaded already.

Belongs here: starting, ending and watching those processes, for `dagster.yaml`. Does not belong here: what runs do.
Dagster's own launcher starts an empty interpreter for each run, which imports for seconds before it does anything:
docs/decisions/0022. The project's own modules are loaded by each run anew, so that a run is of the code and the
reports that are there when it starts.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any, Self

import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteExternalJobArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value
from dagster._utils import get_run_crash_explanation
from dagster._utils.hosted_user_process import recon_job_from_origin

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
# Libraries alone: our own modules are not among them, see above.
LOADED = [
    "dagster", "dagster._grpc.impl", "dagster._core.execution.api", "dagster_postgres", "psycopg", "psycopg2",
    "sqlalchemy.dialects.postgresql.psycopg", "pydantic_settings", "sqlglot.optimizer.scope", "orjson", "msgspec",
    "yaml", "requests", "stripe", "discord", "tenacity", "psutil",
]  # fmt: skip
LAUNCHER_TAG = "payments_pipeline/launcher"
BEGUN = re.compile(r"Started process for run \(pid: (\d+)\)")
LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Started:
    """A run's process, and what asks it to end."""

    process: BaseProcess
    end: Event


class _Unheard:
    """Takes what a run's process has to say of its own start; what counts stands in the run's events."""

    def put(self, told: object) -> None:
        message = getattr(told, "message", None)
        if message:
            _log.error(message)


class WarmRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Runs as forked processes of whoever launches them: the daemon, where runs are queued."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._started: dict[str, _Started] = {}
        self._lock = threading.Lock()
        self._watching = False
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """As Dagster stores it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003  (Dagster's signature; there is nothing in it)
    ) -> Self:
        """The launcher of a process."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process; returns when it is there, before it has loaded the job."""
        run = context.dagster_run
        assert run.job_code_origin is not None  # noqa: S101  (the run was asked of a code location)
        assert run.remote_job_origin is not None  # noqa: S101  (the same)
        ref = self._instance.get_ref()
        asked = ExecuteExternalJobArgs(job_origin=run.remote_job_origin, run_id=run.run_id, instance_ref=ref)
        method: Any = multiprocessing.get_context(METHOD)
        if METHOD == "forkserver":
            method.set_forkserver_preload(LOADED)
        end = method.Event()
        job = recon_job_from_origin(run.job_code_origin)
        self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: _name_of(None)})
        process = method.Process(target=execute, args=(serialize_value(asked), job, end), name=f"run {run.run_id}")
        process.start()
        with self._lock:
            self._started[run.run_id] = _Started(process, end)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="runs", daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Ask a run to end, from whichever process: whoever launched it sees that it is to be canceled."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Also of runs whose launcher has died."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether somebody looks after the run, or its process lives; on another machine both are taken for granted."""
        launcher = run.tags.get(LAUNCHER_TAG, "")
        host, _, rest = launcher.partition(" ")
        if not launcher or host != socket.gethostname():
            return CheckRunHealthResult(WorkerStatus.RUNNING, "launched on another machine")
        if launcher == _name_of(int(rest.partition(" ")[0])):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its launcher looks after it")
        for entry in self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
            begun = BEGUN.search(entry.user_message or (entry.dagster_event and entry.dagster_event.message) or "")
            if begun and _lives(int(begun[1]), entry.timestamp):
                return CheckRunHealthResult(WorkerStatus.RUNNING, "its launcher is gone, its process is not")
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")

    def join(self, timeout: int = 30) -> None:
        """Wait for the runs that were launched here."""
        end = time.monotonic() + timeout
        for one in list(self._started.values()):
            one.process.join(max(0.0, end - time.monotonic()))

    def _watch(self) -> None:
        """While runs are under way: end those that are to be canceled, say so of those whose process died."""
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                under_way = dict(self._started)
                if not under_way:
                    self._watching = False
                    return
            for run_id, one in under_way.items():
                try:
                    if self._over(run_id, one):
                        with self._lock:
                            del self._started[run_id]
                except Exception:  # noqa: BLE001  (the database may be away for a moment; the next look comes soon)
                    _log.warning("run %s could not be looked at", run_id, exc_info=True)

    def _over(self, run_id: str, one: _Started) -> bool:
        over = not one.process.is_alive()
        run = self._instance.get_run_by_id(run_id)
        if over and run is not None and not run.is_finished:
            why = get_run_crash_explanation(f"Process of run {run_id}", one.process.exitcode or 0)
            self._instance.report_engine_event(why, run, cls=type(self))
            self._instance.report_run_failed(run)
        elif not over and run is not None and run.status == DagsterRunStatus.CANCELING:
            one.end.set()
        return over


def execute(asked: str, job: ReconstructableJob, end: Event) -> None:
    """In the run's own process: execute it to its end, or until `end` is set."""
    from dagster._grpc.impl import start_run_in_subprocess

    start_run_in_subprocess(asked, job, _Unheard(), end)  # type: ignore[no-untyped-call]


def _name_of(pid: int | None) -> str:
    """``host pid since`` of a process (None: of this one); empty where there is none of that number."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"
    return ""


def _lives(pid: int, at: float) -> bool:
    """Whether the process that had this number at that time is there still, and not another of the same number."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return bool(process.create_time() <= at and process.status() != psutil.STATUS_ZOMBIE)
    return False

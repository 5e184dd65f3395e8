"""Starts each run as a process of its own, forked from one that has Dagster and the other libraries loaded already.

Belongs here: starting, ending and watching those processes, for `dagster.yaml`. Does not belong here: what runs do.
Dagster's own launcher starts an empty interpreter for each run, which imports for seconds before it does anything:
docs/decisions/0022. The project's own modules are loaded by each run anew, so that a run is of the code and the
reports that are there when it starts.
"""

from __future__ import annotations

import atexit
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
from typing import Any, Self

import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteExternalJobArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value
from dagster._utils import get_run_crash_explanation
from dagster._utils.hosted_user_process import recon_job_from_origin

from payments_pipeline.ingest.collector import collect_seldom

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
# A run that is over for Dagster (its time was up, say) while its process goes on: told to end, then killed.
TEARDOWN_SECONDS = 10.0
KILL_SECONDS = 40.0
# A daemon that stops waits so long for its runs, tells them to end, and kills what has not ended so much later.
STOP_SECONDS = 45.0
STOP_KILL_SECONDS = 25.0
_log = logging.getLogger(__name__)


@dataclass
class _Started:
    """A run's process. Asked by signal: an event shared with a process that hangs would block who sets it."""

    process: BaseProcess | None
    """As its fork server tells of it; None where a launcher before this one started it."""
    seen: psutil.Process | None
    """As the operating system tells of it, which knows better once the fork server has died."""
    asked: bool = False
    closed: float | None = None
    """Since when (monotonic seconds) the run is over for Dagster."""

    def lives(self) -> bool:
        """Whether it is there."""
        return (self.process is not None and self.process.is_alive()) or _is_there(self.seen)

    def ask(self) -> None:
        """Interrupt it, once: Dagster takes SIGTERM for an interrupt and ends the run's steps."""
        if not self.asked and self.seen is not None:
            self.asked = True
            with contextlib.suppress(psutil.Error):
                self.seen.terminate()

    def kill(self) -> None:
        """End it whatever it does."""
        if self.seen is not None:
            with contextlib.suppress(psutil.Error):
                self.seen.kill()


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
        self._stops = False
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
        job = recon_job_from_origin(run.job_code_origin)
        self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: _name_of(None)})
        process = method.Process(target=execute, args=(serialize_value(asked), job), name=f"run {run.run_id}")
        process.start()
        self._look_after(run.run_id, _Started(process, _found(process.pid)))

    def terminate(self, run_id: str) -> bool:
        """Ask a run to end, from whichever process: its launcher, if that is there, sees that it is to be canceled."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        with self._lock:
            one = self._started.get(run_id)
        if one is None and _launcher_is_gone(run):
            one = _Started(None, self._process_of(run))
        if one is not None:
            one.ask()  # now: who asks may close the run right after
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Also of runs whose launcher has died."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is looked after; one whose launcher is gone is taken over, or reported as gone.

        On another machine both are taken for granted.
        """
        if not _launcher_is_gone(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its launcher looks after it, or is on another machine")
        process = self._process_of(run)
        if process is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        with self._lock:
            known = run.run_id in self._started
        if not known:
            self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: _name_of(None)})
            self._look_after(run.run_id, _Started(None, process))
        return CheckRunHealthResult(WorkerStatus.RUNNING, "its launcher is gone, its process is not")

    def _process_of(self, run: DagsterRun) -> psutil.Process | None:
        """The run's process on this machine, as its events name it, if it is there."""
        for entry in self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
            begun = BEGUN.search(entry.user_message or (entry.dagster_event and entry.dagster_event.message) or "")
            process = _found(int(begun[1])) if begun else None
            if process is not None and process.create_time() <= entry.timestamp and _is_there(process):
                return process
        return None

    def join(self, timeout: float = 30) -> None:
        """Wait for the runs that were launched here."""
        end = time.monotonic() + timeout
        while any(_is_there(one.seen) for one in list(self._started.values())) and time.monotonic() < end:
            time.sleep(0.1)

    def _look_after(self, run_id: str, one: _Started) -> None:
        with self._lock:
            self._started[run_id] = one
            if not self._stops:
                self._stops = True
                atexit.register(self._stop)  # comes before multiprocessing's own, which waits without end
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="runs", daemon=True).start()

    def _stop(self) -> None:
        """As this process ends: wait for its runs, but not for ever."""
        for seconds, then in ((STOP_SECONDS, _Started.ask), (STOP_KILL_SECONDS, _Started.kill)):
            self.join(seconds)
            for one in list(self._started.values()):
                then(one)
        end = time.monotonic() + 5 * LOOK_SECONDS
        while self._started and time.monotonic() < end:  # the next look reports what was killed
            time.sleep(0.1)

    def _watch(self) -> None:
        """While runs are under way: end those that are to be canceled, say so of those whose process died."""
        held = self._instance  # the launcher itself knows it weakly; it is needed as long as there are runs
        while held is not None:
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
        """Look at a run; whether its process has ended."""
        lives = one.lives()
        run = self._instance.get_run_by_id(run_id)
        if not lives:
            if run is not None and not run.is_finished:
                self._report_dead(run, one)
            return True
        if run is not None and not run.is_finished:
            if run.status == DagsterRunStatus.CANCELING:
                one.ask()
            return False
        now = time.monotonic()
        one.closed = one.closed or now
        # A run that ended by itself needs a moment to clear up; one deleted or canceled by force has none to wait for.
        by_force = run is None or run.status == DagsterRunStatus.CANCELED
        if by_force or now - one.closed >= TEARDOWN_SECONDS:
            one.ask()
        if now - one.closed >= KILL_SECONDS:
            _log.warning("process of run %s is killed: the run is over and the process does not end", run_id)
            one.kill()
        return False

    def _report_dead(self, run: DagsterRun, one: _Started) -> None:
        if run.status == DagsterRunStatus.CANCELING:  # before it had begun, or hard
            self._instance.report_run_canceled(run)
            return
        exit_code = (one.process.exitcode if one.process is not None else None) or 0
        why = get_run_crash_explanation(f"Process of run {run.run_id}", exit_code)
        self._instance.report_engine_event(why, run, cls=type(self))
        self._instance.report_run_failed(run)


def execute(asked: str, job: ReconstructableJob) -> None:
    """In the run's own process: execute it to its end, or until a signal interrupts it."""
    from dagster._grpc.impl import start_run_in_subprocess

    collect_seldom()
    start_run_in_subprocess(asked, job, _Unheard(), multiprocessing.Event())  # type: ignore[no-untyped-call]


def _name_of(pid: int | None) -> str:
    """``host pid since`` of a process (None: of this one); empty where there is none of that number."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"
    return ""


def _launcher_is_gone(run: DagsterRun) -> bool:
    """Whether the run was launched on this machine, by a process that is no more."""
    launcher = run.tags.get(LAUNCHER_TAG, "")
    host, _, rest = launcher.partition(" ")
    return bool(launcher) and host == socket.gethostname() and launcher != _name_of(int(rest.partition(" ")[0]))


def _found(pid: int | None) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid) if pid is not None else None
    return None


def _is_there(process: psutil.Process | None) -> bool:
    """Whether it runs still, and not another of the same number."""
    with contextlib.suppress(psutil.Error):
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False

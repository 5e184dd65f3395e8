"""Runs as real processes of our launcher: they end well, are canceled, die, and are missed when it is gone itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance import InstanceRef
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import URL

from payments_pipeline import run_launcher
from payments_pipeline.db import embedded
from payments_pipeline.run_launcher import LAUNCHER_TAG, WarmRunLauncher
from payments_pipeline_tests.orchestration.sleepy import naps

MODULE = "payments_pipeline_tests.orchestration.sleepy"


@pytest.fixture(scope="module")
def instance(server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance whose books are in Postgres, because runs are processes of their own."""
    url = embedded.fresh_database(server, f"test_runs_{os.getpid()}").set(drivername="postgresql+psycopg2")
    ours = {
        "run_launcher": {"module": "payments_pipeline.run_launcher", "class": "WarmRunLauncher"},
        "storage": {"postgres": {"postgres_url": url.render_as_string(hide_password=False)}},
    }
    folder = str(tmp_path_factory.mktemp("runs"))
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=ours)) as made,
    ):
        patch.setattr(run_launcher, "LOOK_SECONDS", 0.2)
        yield made
        made.run_launcher.join()


def launched(instance: dg.DagsterInstance, seconds: float) -> dg.DagsterRun:
    """A run that sleeps so long."""

    repository = dg.Definitions(jobs=[naps]).get_repository_def()
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name=MODULE, executable_path=None), location_name="sleepy"
    )

    python = RepositoryPythonOrigin(
        executable_path=sys.executable, code_pointer=ModuleCodePointer(MODULE, "defs", str(Path.cwd()))
    )
    run: dg.DagsterRun = create_run_for_test(
        instance,
        job_name="naps",
        run_config={"ops": {"nap": {"config": {"seconds": seconds}}}},
        job_code_origin=JobPythonOrigin(job_name="naps", repository_origin=python),
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(origin, repository.name), "naps"),
        status=dg.DagsterRunStatus.STARTING,
    )
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    return run


def eventually(instance: dg.DagsterInstance, run: dg.DagsterRun, wanted: dg.DagsterRunStatus) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = instance.get_run_by_id(run.run_id)
        if now is not None and now.status is wanted:
            return True
        time.sleep(0.1)
    return False


def launcher_of(instance: dg.DagsterInstance) -> WarmRunLauncher:
    launcher = instance.run_launcher
    assert isinstance(launcher, WarmRunLauncher)
    return launcher


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Of a run of this process's launcher."""
    process = launcher_of(instance)._started[run.run_id].process
    assert process is not None
    assert process.pid is not None
    return process.pid


def is_gone(pid: int) -> bool:
    """Within half a minute; what its parent has not fetched yet counts as gone."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def without_its_launcher(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WarmRunLauncher:
    """The launcher of a daemon that comes after one that died, and what that left behind."""
    now = instance.get_run_by_id(run.run_id)
    assert now is not None
    gone = now.tags[LAUNCHER_TAG].rpartition(" ")[0] + " 1.00"  # the same number, of a process of long ago
    instance.add_run_tags(run.run_id, {LAUNCHER_TAG: gone})
    del launcher_of(instance)._started[run.run_id]
    after = WarmRunLauncher()
    after.register_instance(instance)
    return after


def test_runs_end_well_are_canceled_and_do_not_hang_when_their_process_dies(instance: dg.DagsterInstance) -> None:
    ends, stays, dies = (launched(instance, seconds) for seconds in (0, 300, 300))
    assert eventually(instance, stays, dg.DagsterRunStatus.STARTED)
    assert eventually(instance, dies, dg.DagsterRunStatus.STARTED)
    assert instance.run_launcher.terminate(stays.run_id)
    os.kill(process_of(instance, dies), signal.SIGKILL)
    assert eventually(instance, ends, dg.DagsterRunStatus.SUCCESS)
    assert eventually(instance, stays, dg.DagsterRunStatus.CANCELED)
    assert eventually(instance, dies, dg.DagsterRunStatus.FAILURE)
    assert not instance.run_launcher.terminate(ends.run_id)


def test_a_run_whose_launcher_died_counts_as_alive_only_while_its_process_does(instance: dg.DagsterInstance) -> None:
    run = launched(instance, 300)
    assert eventually(instance, run, dg.DagsterRunStatus.STARTED)

    def health() -> WorkerStatus:
        now = instance.get_run_by_id(run.run_id)
        assert now is not None
        return instance.run_launcher.check_run_worker_health(now).status

    assert health() is WorkerStatus.RUNNING
    mine = instance.get_run_by_id(run.run_id)
    assert mine is not None
    gone = mine.tags[LAUNCHER_TAG].rpartition(" ")[0] + " 1.00"  # the same number, of a process of long ago
    instance.add_run_tags(run.run_id, {LAUNCHER_TAG: gone})
    assert health() is WorkerStatus.RUNNING
    process = psutil.Process(process_of(instance, run))
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert health() is WorkerStatus.FAILED
    instance.add_run_tags(run.run_id, {LAUNCHER_TAG: "elsewhere 1 1.00"})
    assert health() is WorkerStatus.RUNNING


def test_a_run_that_dagster_has_closed_is_ended_and_killed_if_it_hangs(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_launcher, "TEARDOWN_SECONDS", 0.5)
    monkeypatch.setattr(run_launcher, "KILL_SECONDS", 4.0)
    failed, timed_out, forced, deleted, hung = runs = [launched(instance, 300) for _ in range(5)]
    assert all(eventually(instance, run, dg.DagsterRunStatus.STARTED) for run in runs)
    pids = [process_of(instance, run) for run in runs]
    os.kill(pids[-1], signal.SIGSTOP)  # hears nothing
    instance.report_run_failed(failed)
    assert instance.run_launcher.terminate(timed_out.run_id)
    instance.report_run_failed(timed_out)  # at once, as run monitoring does with a run whose time is up
    instance.report_run_canceling(forced)
    instance.report_run_canceled(forced)  # at once, as the UI does when it is to be by force
    instance.delete_run(deleted.run_id)
    instance.report_run_canceled(hung)
    assert all(is_gone(pid) for pid in pids)


def test_the_next_daemon_ends_and_looks_after_runs_that_outlived_theirs(instance: dg.DagsterInstance) -> None:
    canceled, taken_over, dies = runs = [launched(instance, 300) for _ in range(3)]
    assert all(eventually(instance, run, dg.DagsterRunStatus.STARTED) for run in runs)
    pids = [process_of(instance, run) for run in runs]
    after = [without_its_launcher(instance, run) for run in runs][-1]
    assert after.terminate(canceled.run_id)
    assert eventually(instance, canceled, dg.DagsterRunStatus.CANCELED)
    for run in (taken_over, dies):
        now = instance.get_run_by_id(run.run_id)
        assert now is not None
        assert after.check_run_worker_health(now).status is WorkerStatus.RUNNING
    os.kill(pids[2], signal.SIGKILL)
    instance.report_run_canceling(taken_over)
    assert eventually(instance, dies, dg.DagsterRunStatus.FAILURE)
    assert eventually(instance, taken_over, dg.DagsterRunStatus.CANCELED)
    assert all(is_gone(pid) for pid in pids)


def test_runs_outlive_the_fork_server(instance: dg.DagsterInstance) -> None:
    ends, stays = launched(instance, 4), launched(instance, 300)
    assert all(eventually(instance, run, dg.DagsterRunStatus.STARTED) for run in (ends, stays))
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)
    assert is_gone(server)
    after = launched(instance, 0)
    assert eventually(instance, ends, dg.DagsterRunStatus.SUCCESS)
    assert eventually(instance, after, dg.DagsterRunStatus.SUCCESS)
    assert eventually(instance, stays, dg.DagsterRunStatus.STARTED)
    instance.report_run_canceling(stays)
    assert eventually(instance, stays, dg.DagsterRunStatus.CANCELED)


def test_a_process_that_stops_does_not_wait_for_ever_for_runs_that_hang(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_launcher, "STOP_SECONDS", 1.0)
    monkeypatch.setattr(run_launcher, "STOP_KILL_SECONDS", 4.0)
    runs = [launched(instance, 300) for _ in range(2)]
    assert all(eventually(instance, run, dg.DagsterRunStatus.STARTED) for run in runs)
    pids = [process_of(instance, run) for run in runs]
    os.kill(pids[1], signal.SIGSTOP)
    launcher_of(instance)._stop()
    assert all(is_gone(pid) for pid in pids)
    assert all(eventually(instance, run, dg.DagsterRunStatus.FAILURE) for run in runs)  # nobody had canceled them

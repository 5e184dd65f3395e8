"""`payments-pipeline dev` as a newcomer starts it: UI and daemon on loopback over a world; all gone when stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from payments_pipeline.dev import LOOPBACK
from payments_pipeline_tests.test_demo import CLEAN, command

RUNS = "{ runsOrError { ... on Runs { results { jobName status } } } }"
ASSETS = "{ assetNodes { groupName description assetMaterializations(limit: 1) { runId } } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("dev")
    yield home
    command(home, "db", "stop")


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    words = [sys.executable, "-m", "payments_pipeline.cli", "dev", "--users", "60", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=home, env=CLEAN, stdout=log, stderr=log, start_new_session=True)
        yield process, port
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(port: int, query: str) -> dict[str, Any]:
    answer = requests.post(f"http://{LOOPBACK}:{port}/graphql", json={"query": query}, timeout=10)
    return dict(answer.json()["data"])


def eventually(told: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if told():
                return True
        except (requests.RequestException, KeyError, ValueError):
            pass
        time.sleep(1)
    return False


def test_the_ui_shows_a_reconciled_world_and_the_sensors_act(served: tuple[subprocess.Popen[bytes], int]) -> None:
    _, port = served

    def done() -> set[str]:
        return {run["jobName"] for run in ask(port, RUNS)["runsOrError"]["results"] if run["status"] == "SUCCESS"}

    wanted = {"nightly_reconciliation", "deliver_alerts", "repair_findings"}
    assert eventually(lambda: wanted <= done(), 180)
    nodes = ask(port, ASSETS)["assetNodes"]
    assert {node["groupName"] for node in nodes} == {
        "providers",
        "application",
        "canonical",
        "reports",
        "findings",
        "analytics",
    }
    assert all(node["description"] for node in nodes)
    materialised = [node for node in nodes if node["assetMaterializations"]]
    assert {node["groupName"] for node in materialised} == {
        "providers",
        "canonical",
        "reports",
        "findings",
        "analytics",
    }


def test_a_taken_port_is_one_clear_sentence(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        refused = command(home, "dev", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 2
    assert "is taken" in refused.stderr
    assert "--port" in refused.stderr


def test_stopping_it_ends_every_process_but_the_database(served: tuple[subprocess.Popen[bytes], int]) -> None:
    process, _ = served
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)  # as a supervisor does: to the parent alone
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [child for child in alive if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []

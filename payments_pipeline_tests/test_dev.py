"""`payments-pipeline dev` as a newcomer starts it: UI and daemon on loopback over a world; all gone when stopped.

The pages of the UI are looked at in a real browser, over the same world, where there is one.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import psycopg
import pytest
import requests

from payments_pipeline.db import embedded
from payments_pipeline.dev import LOOPBACK
from payments_pipeline_tests.terminal import Typed
from payments_pipeline_tests.test_demo import CLEAN, command

ROOT = Path(__file__).resolve().parents[1]
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"
DUE_AGAIN = """
    UPDATE recon.notifications SET state = 'pending', attempts = 0, next_attempt_at = now()
    WHERE notification_id = (SELECT min(notification_id) FROM recon.notifications WHERE state = 'sent')
"""
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


def database_of(home: Path) -> str:
    """The database that `dev` works in, on the server it started."""
    url = embedded.server_url(home / ".payments", "sandbox").set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def daemon(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Dagster's daemon among what `dev` started."""
    family = psutil.Process(process.pid).children(recursive=True)
    return next(one for one in family if "dagster._daemon" in one.cmdline())


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


def test_the_ui_shows_a_reconciled_world_and_the_sensors_act(
    home: Path, served: tuple[subprocess.Popen[bytes], int]
) -> None:
    _, port = served

    def done() -> set[str]:
        return {run["jobName"] for run in ask(port, RUNS)["runsOrError"]["results"] if run["status"] == "SUCCESS"}

    assert eventually(lambda: {"nightly_reconciliation", "repair_findings"} <= done(), 300)
    assert eventually(lambda: "Discord: " in (home / "log").read_text(encoding="utf-8", errors="replace"), 60)
    # The runs that find also tell. Something is due once more, so that there is work for the sensor of alerts.
    with psycopg.connect(database_of(home)) as connection:
        connection.execute(DUE_AGAIN)
    assert eventually(lambda: "deliver_alerts" in done(), 180)
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


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    """The script that takes the pictures: it knows the pages, and what each must show."""
    found = spec_from_file_location("make_screenshots", ROOT / "docs" / "make_screenshots.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses look their module up
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(served: tuple[subprocess.Popen[bytes], int], pictures: ModuleType) -> Iterator[Any]:
    """A page of a browser on the served UI."""
    pytest.importorskip("playwright", reason="the tests of the UI want playwright: pip install playwright")
    browser = pictures.found_browser()
    if browser is None:
        pytest.skip(f"the tests of the UI want a browser on the PATH: one of {', '.join(pictures.BROWSERS)}")
    with pictures.opened(browser, f"http://{LOOPBACK}:{served[1]}") as page:
        daemon(served[0]).suspend()  # pages are looked at sooner while no sensor works
        yield page


@pytest.fixture(scope="module")
def nightly(served: tuple[subprocess.Popen[bytes], int]) -> str:
    """Id of the run that a page is shown of."""
    runs = ask(served[1], RUNS)["runsOrError"]["results"]
    return str(next(run["runId"] for run in runs if run["jobName"] == "nightly_reconciliation"))


def test_pages_that_are_pictured_show_what_they_should(page: Any, pictures: ModuleType, nightly: str) -> None:
    for picture in pictures.PICTURES[:1]:  # `make screenshots` visits them all
        pictures.visit(page, picture, nightly)


def test_a_reports_page_tells_its_rows_by_severity_the_amounts_and_its_last_runs(page: Any) -> None:
    page.goto("/assets/stuck_authorizations?view=overview")
    for words in ("by_severity", "amount_at_risk", "first_rows", "preview", "chart_of_last_runs", "What to do"):
        page.get_by_text(words).first.wait_for()
    told = page.locator("tr", has_text="amount_at_risk").first.inner_text()
    assert re.search(r"\d[\d,.]* [A-Z]{3}", told)
    assert re.search(r"(CRITICAL|HIGH|MEDIUM|LOW) \d", page.locator("tr", has_text="by_severity").first.inner_text())
    rows = page.locator("tr", has_text="first_rows").first.locator("table").first  # no button before it, nor the chart
    assert {"severity", "user_id", "amount"} <= set(rows.locator("th").all_inner_texts())
    assert rows.locator("tbody tr").count() > 0
    image = page.locator("tr", has_text="chart_of_last_runs").locator("img[src^='data:image/svg']").first
    image.wait_for()  # on the page itself, behind no button
    assert image.evaluate("one => one.complete && one.naturalWidth") > 300


def test_the_launchpad_of_a_repair_says_what_each_field_means(page: Any, pictures: ModuleType) -> None:
    page.goto("/locations/payments_pipeline/jobs/capture_payment/playground")
    pictures.in_the_config(page)
    for words in ("A part to take, in major units", "it stands in the audit trail", "A live finding that asks for"):
        page.get_by_text(re.compile(words.replace(" ", r"\s+"))).first.wait_for()


def test_sensors_that_move_money_are_shown_as_stopped(page: Any) -> None:
    for name, running in (("alerts_due", True), ("approved_money_due", False), ("automatic_money_due", False)):
        page.goto(f"/locations/payments_pipeline/sensors/{name}")
        switch = page.locator("input[type=checkbox]").first
        switch.wait_for(state="attached")
        assert switch.is_checked() is running, name


def test_a_taken_port_is_one_clear_sentence(typed: Typed) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        refused = typed("dev", "--port", str(taken.getsockname()[1]))
    assert refused.code == 2
    assert "is taken" in refused.err
    assert "--port" in refused.err


def test_stopping_it_ends_every_process_but_the_database(served: tuple[subprocess.Popen[bytes], int]) -> None:
    process, _ = served
    daemon(process).resume()
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)  # as a supervisor does: to the parent alone
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [child for child in alive if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []

"""The demonstration and `reconcile`, as a newcomer runs them: the real command line, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, text

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.reports import load_reports
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World, build_world, write_application
from payments_pipeline_tests.terminal import Typed

# Stripe tells events of the last thirty days only, by the wall clock.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
# One of each kind of trouble: the demonstration itself has them all.
FAULTS = [
    "webhook_never_came", "gateway_callback_never_came", "paid_there_pending_here", "refunded_there_only",
    "no_show_with_a_fresh_hold", "active_without_any_payment", "card_declined", "short_beyond_tolerance",
    "deposit_that_nobody_waits_for", "status_nobody_knows",
]  # fmt: skip
CLEAN = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}


def command(cwd: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`payments-pipeline WORDS` in an empty folder, with nothing of the developer's environment."""
    arguments = [sys.executable, "-m", "payments_pipeline.cli", *words]
    return subprocess.run(
        arguments, cwd=cwd, env={**CLEAN, **environment}, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture
def world() -> World:
    return build_world(7, 40, NOW, only=FAULTS)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world.state) as served:
        yield served


def pointing_at(database: URL, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment alone decides which providers and which database."""
    url = database.set(drivername="postgresql").render_as_string(hide_password=False)
    return {**environment, "DATABASE_URL": url}


@pytest.mark.usefixtures("server")
def test_the_demo_finds_all_that_was_planted_and_nothing_else(tmp_path: Path, server_home: Path) -> None:
    """In a process of its own; that the server starts from nothing, test_dev.py and test_package.py see."""
    words = ("--users", "60", "--seed", "3", "--json", "out/demo.json")
    done = command(tmp_path, "demo", *words, PAYMENTS_HOME=str(server_home))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert set(result["reports"]) == set(load_reports())
    for report in result["reports"].values():
        assert report["planted"] == report["found"]
        assert report["missed"] == report["false"] == 0
    assert result["reports"]["activation_gaps"]["found"] > 0
    assert {line["state"] for line in result["coverage"]} == {"complete"}
    assert set(result["actions"]) <= {"verified", "proposed", "rejected"}
    assert result["actions"]["verified"] > 0
    assert result["repairs"] == {"not_made": 0, "unproved": 0}
    assert result["findings"]["second_run"]["resolved"] >= result["actions"]["verified"]
    assert result["notifications"]["messages"] > 0
    assert set(result["seconds"]) == {"database", "world", "reconcile", "alert", "repair", "prove"}
    assert "Discord shows" in done.stdout
    assert "dagster" not in done.stderr.lower()


def test_reconcile_follows_the_environment_to_providers_and_database(
    typed: Typed, tmp_path: Path, database: URL, engine: Engine, world: World, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    environment = pointing_at(database, sandbox.environment())
    done = command(tmp_path, "reconcile", "--as-of", NOW.isoformat(), "--json", "r.json", **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    expected = sum(label.expected for label in world.labels)
    assert sum(report["rows"] for report in result["reports"].values()) == expected
    assert result["actions"] == {}
    later = (NOW + timedelta(seconds=30)).isoformat()
    again = typed("reconcile", "--as-of", later, "--repair", "--json", "r.json", **environment)
    after: dict[str, Any] = json.loads((tmp_path / "r.json").read_text())
    assert again.code == 1
    assert after["actions"]["verified"] > 0
    assert after["findings"]["resolved"] >= after["actions"]["verified"]


def test_a_hand_filled_database_without_any_provider_is_judged_by_its_own_evidence(
    typed: Typed, tmp_path: Path, database: URL, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO plans (id, name, tier, period, price, currency) VALUES (1, 'P', 'pro', 'month', 9, 'USD')"))  # fmt: skip  # noqa: E501
        connection.execute(text("INSERT INTO users (id, username, email) VALUES (1, 'payer', 'payer@example.com')"))
        connection.execute(
            text(
                "INSERT INTO payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount, "
                "currency, created_at, confirmed_at) VALUES (1, 1, 'stripe', 'pi_1', 'completed', 9, 'USD', :at, :at)"
            ),
            {"at": NOW - timedelta(hours=1)},
        )
    done = typed("reconcile", "--as-of", NOW.isoformat(), "--json", "r.json", **pointing_at(database, {}))
    assert done.code == 1, done.out + done.err
    result = json.loads((tmp_path / "r.json").read_text())
    assert {line["state"] for line in result["coverage"]} == {"not configured"}
    assert result["reports"]["activation_gaps"]["rows"] == result["open_findings"] == 1


def test_a_provider_that_is_down_ends_the_run_as_failed_and_hides_nothing_of_the_others(
    tmp_path: Path, database: URL, engine: Engine, world: World, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    environment = pointing_at(database, sandbox.environment())
    environment |= {"NOWPAYMENTS_API_BASE": "http://127.0.0.1:9", "HTTP_MAX_ATTEMPTS": "1"}
    done = command(tmp_path, "reconcile", "--as-of", NOW.isoformat(), "--json", "r.json", **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert 'File "' not in done.stdout + done.stderr
    assert "nowpayments payments" in done.stdout
    assert "What to do: payments-pipeline doctor" in done.stdout
    result = json.loads((tmp_path / "r.json").read_text())
    states = {(line["provider"], line["resource"]): line["state"] for line in result["coverage"]}
    assert states["nowpayments", "payments"] != "complete"
    assert states["stripe", "payment_intents"] == states["okx", "deposits"] == "complete"
    assert result["open_findings"] > 0
    with engine.connect() as connection:
        found = connection.execute(text("SELECT DISTINCT report FROM recon.findings WHERE provider = 'nowpayments'"))
        assert not [report for report in found.scalars() if load_reports()[report].coverage]


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        (("reconcile", "--as-of", "yesterday"), {}, "is not a time"),
        (("reconcile",), {"DATABASE_URL": "mysql://host/db"}, "postgresql://"),
        (("db", "upgrade"), {"HTTP_TIMEOUT_SECONDS": "soon"}, "HTTP_TIMEOUT_SECONDS"),
        (("db", "upgrade"), {"CONTRACT_DIR": "/nowhere"}, "docs/adapting.md"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_exit_code_2(
    typed: Typed, database: URL, words: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    done = typed(*words, **{**pointing_at(database, {}), **environment})
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err

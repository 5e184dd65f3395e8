"""`backfill` and `coverage`, as people type them: progress, tables, JSON, exit codes, one sentence for bad input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import Engine, make_url, text
from typer.testing import CliRunner

from payments_pipeline.cli import app
from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import CredentialsError
from payments_pipeline.ingest.across import Request
from payments_pipeline.intake import run_backfill, run_coverage
from payments_pipeline.present import coverage_lines, show_coverage
from payments_pipeline.providers.base import Window
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.terminal import Typed
from payments_pipeline_tests.test_demo import command, pointing_at

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MARCH = Window(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
KEYS = ("sk_test_0", "sk_test_1")

EVENTS_READ = text("""
    INSERT INTO recon.coverage (
        provider, account, livemode, resource, mode, window_from, window_to, as_of, pages, objects, rows_written,
        complete, started_at, finished_at
    )
    SELECT
        provider, account, livemode, 'events', mode, window_from, window_to, as_of, pages, objects, rows_written,
        complete, started_at, finished_at
    FROM recon.coverage WHERE resource = 'refunds'
""")


@pytest.fixture
def sandboxes() -> Iterator[list[Sandbox]]:
    """Two Stripe accounts, the first with four payments in March."""
    states = [SandboxState(clock=lambda: NOW), SandboxState(clock=lambda: NOW)]
    for number, state in enumerate(states):
        state.stripe.account_id, state.stripe.api_keys = f"acct_{number}", {KEYS[number]}
    life = StripeLife(states[0])
    for day in (0, 9, 17, 30):
        life.create_intent(at=MARCH.start + timedelta(days=day))
    with Sandbox(states[0], FaultPlan()) as first, Sandbox(states[1], FaultPlan()) as second:
        yield [first, second]


@pytest.fixture
def both(settings: Settings, sandboxes: list[Sandbox]) -> Settings:
    first, second = sandboxes
    assert settings.database_url is not None
    other = {"provider": "stripe", "name": "other", "api_key": KEYS[1], "api_base": second.stripe_base}
    return load_settings(
        _env_file=None,
        database_url=settings.database_url.get_secret_value(),
        payments_home=settings.payments_home,
        stripe_api_key=KEYS[0],
        stripe_api_base=first.stripe_base,
        stripe_calls_per_second=1000,
        provider_accounts=[other],
        http_max_attempts=1,
    )


def fill(settings: Settings, file: Path, **more: Any) -> tuple[int, list[dict[str, Any]]]:
    values: dict[str, Any] = {"resources": ("payment_intents",), "ranges": 4, "threads": 1}
    request = Request("stripe", MARCH, **(values | more))
    code = run_backfill(settings, request, clock=lambda: NOW, json=file)
    return code, json.loads(file.read_text())["resources"]


def cover(settings: Settings, file: Path, **more: Any) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    values: dict[str, Any] = {"provider": "stripe", "since": None, "now": MARCH.end} | more
    code = run_coverage(settings, json=file, **values)
    lines = json.loads(file.read_text())["resources"]
    return code, {(line.get("account", ""), line["resource"]): line for line in lines}


def test_a_backfill_reads_every_account_and_tells_its_ranges(
    engine: Engine, both: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, resources = fill(both, tmp_path / "r.json")

    assert code == 0
    told = [
        (one["label"], one["account"], one["ranges_done"], one["ranges_total"], one["objects"]) for one in resources
    ]
    assert told == [("default", "acct_0", 4, 4, 4), ("other", "acct_1", 4, 4, 0)]
    assert "stripe default payment_intents" in capsys.readouterr().out


def test_what_could_not_be_read_is_exit_code_1_and_the_same_command_goes_on(
    engine: Engine, both: Settings, sandboxes: list[Sandbox], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sandboxes[0].faults.server_error("stripe", "/v1/payment_intents", times=2)

    code, (reading,) = fill(both, tmp_path / "r.json", account="default")
    assert (code, reading["complete"], reading["objects"]) == (1, False, 3)
    assert "The same command goes on where this one stopped." in capsys.readouterr().out

    code, (reading,) = fill(both, tmp_path / "r.json", account="default")
    assert (code, reading["complete"], reading["objects"]) == (0, True, 1)


def test_coverage_shows_each_account_with_its_gaps_and_what_was_never_read(
    engine: Engine, both: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(both, tmp_path / "r.json")
    code, lines = cover(both, tmp_path / "c.json", since=MARCH.start - timedelta(days=2))

    assert code == 1
    first, second = lines["acct_0", "payment_intents"], lines["acct_1", "payment_intents"]
    assert (first["state"], first["read_by"], first["mode"]) == ("complete", "backfill", "test")
    assert first["covered"] == {"from": MARCH.start.isoformat(), "to": MARCH.end.isoformat()}
    assert (
        first["gaps"]
        == second["gaps"]
        == [{"from": (MARCH.start - timedelta(days=2)).isoformat(), "to": MARCH.start.isoformat()}]
    )
    assert lines["", "refunds"]["state"] == "never read"
    shown = capsys.readouterr().out
    assert "stripe acct_0 test" in shown
    assert "nobody read 2024-02-28" in shown


def test_what_nobody_has_read_since_is_a_gap_too(engine: Engine, both: Settings, tmp_path: Path) -> None:
    fill(both, tmp_path / "r.json")
    code, lines = cover(both, tmp_path / "c.json", now=NOW)
    assert code == 1
    since = {"from": MARCH.end.isoformat(), "to": (NOW - timedelta(hours=26)).isoformat()}
    assert lines["acct_0", "payment_intents"]["gaps"] == [since]


def test_all_is_well_is_exit_code_0(engine: Engine, both: Settings, tmp_path: Path) -> None:
    assert fill(both, tmp_path / "r.json", resources=(), ranges=1)[0] == 0
    code, lines = cover(both, tmp_path / "c.json")
    # Stripe keeps its events for a month: a backfill of 2024 has none to read.
    assert {name for (_, name), line in lines.items() if line["state"] != "complete"} == {"events"}
    assert code == 1
    with engine.begin() as connection:
        connection.execute(EVENTS_READ)
    assert cover(both, tmp_path / "c.json")[0] == 0


def test_coverage_of_the_night_shows_every_account(engine: Engine, both: Settings, tmp_path: Path) -> None:
    fill(both, tmp_path / "r.json")
    with engine.connect() as connection:
        lines = coverage_lines(connection, frozenset({"stripe"}))
    accounts = [line["account"] for line in lines if line["resource"] == "payment_intents"]
    assert accounts == ["acct_0", "acct_1"]
    console = Console(width=200, record=True, file=StringIO())
    show_coverage(console, lines)
    assert "acct_1" in console.export_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("backfill", "paypal", "--from", "2024-03-01", "--to", "2024-04-01"), "There is no provider 'paypal'"),
        (("backfill", "okx", "--from", "2024-03-01", "--to", "2024-04-01"), "okx has no credentials"),
        (("backfill", "stripe", "--from", "2024-03-01", "--to", "2024-04-01", "--resource", "deposits"), "no resource"),
        (("backfill", "stripe", "--from", "2024-03-01", "--to", "2024-04-01", "--account", "eu"), "no account called"),
        (("backfill", "stripe", "--from", "2024-04-01", "--to", "2024-03-01"), "which is not before its end"),
        (("backfill", "stripe", "--from", "2024-04-01", "--to", "2999-03-01"), "lies in the future"),
        (("backfill", "stripe", "--from", "soon", "--to", "2999-03-01"), "'soon' is not a time"),
        (("coverage", "--provider", "paypal"), "There is no provider 'paypal'"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_1")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, list(words))
    assert told in str(result.exception)
    assert "\n" not in str(result.exception)


def test_the_command_itself_backfills_shows_and_refuses(
    typed: Typed, tmp_path: Path, settings: Settings, sandboxes: list[Sandbox]
) -> None:
    assert settings.database_url is not None
    environment = pointing_at(make_url(settings.database_url.get_secret_value()), sandboxes[0].environment())
    words = ("backfill", "stripe", "--from", "2024-03-01", "--to", "2024-04-01", "--resource", "payment_intents")
    done = command(tmp_path, *words, "--ranges", "2", "--threads", "2", "--json", "r.json", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["resources"][0]["objects"] == 4
    assert typed("coverage", "--provider", "stripe", **environment).code == 1
    refused = typed("backfill", "stripe", "--from", "2024-03-01", "--to", "2024-02-01", **environment)
    assert refused.code == 2
    assert "Traceback" not in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_a_key_that_is_refused_is_an_error_not_an_incomplete_backfill(tmp_path: Path, both: Settings) -> None:
    wrong = both.model_copy(update={"stripe_api_key": SecretStr("sk_test_9"), "provider_accounts": ()})
    with pytest.raises(CredentialsError):
        fill(wrong, tmp_path / "r.json")

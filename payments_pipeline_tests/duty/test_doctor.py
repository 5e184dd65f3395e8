"""`doctor`: each thing that is not well is one line with its remedy; the rest goes on."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from payments_pipeline import __version__
from payments_pipeline.cli import app
from payments_pipeline.config import Settings
from payments_pipeline.doctor import Line, examine, run_doctor
from payments_pipeline.json_output import STDOUT
from payments_pipeline_tests.duty.conftest import Town


def lines(settings: Settings, **changed: object) -> list[Line]:
    return list(examine(settings.model_copy(update=changed), now=datetime.now(UTC), post=False))


def state(found: list[Line], part: str, word: str = "") -> set[str]:
    return {line.state for line in found if line.part == part and word in line.what}


def test_a_sound_installation_is_sound(town: Town) -> None:
    found = lines(town.settings)
    assert state(found, "database") == {"ok"}
    assert state(found, "contract") == {"ok"}
    assert state(found, "indexes") == {"ok"}
    assert state(found, "providers") == {"ok"}
    assert state(found, "alerts") == {"ok"}
    told = " ".join(line.what for line in found)
    for name in ("stripe", "nowpayments", "okx", "payment_intents", "deposits"):
        assert name in told


def test_it_begins_with_which_installation_and_database_it_looks_at_and_ends_with_a_count(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    run_doctor(town.settings, now=datetime.now(UTC), post=False, json=None)
    told = capsys.readouterr().out.splitlines()
    assert f"payments-pipeline {__version__}, Python 3" in told[0]
    assert f"database {town.engine.url.database} on " in told[1]
    assert re.fullmatch(r"\d+ lines: \d+ ok, \d+ warning, 0 failed, \d+ skipped\.", told[-1])


def test_a_daemon_that_gives_no_sign_of_life_is_a_warning_that_says_what_to_do(
    engine: Engine, settings: Settings
) -> None:
    found = [line for line in lines(settings) if line.part == "daemon"]
    assert {line.state for line in found} == {"warning"}
    assert all("Start it" in line.remedy for line in found)


def test_every_ill_line_says_what_to_do(town: Town) -> None:
    found = lines(
        town.settings,
        stripe_api_key=SecretStr("sk_test_wrong"),
        discord_webhook_url=SecretStr("https://discord.com/api/webhooks/1/wrong"),
    )
    ill = [line for line in found if line.state in {"failed", "warning"}]
    assert {line.part for line in ill} >= {"providers", "alerts"}
    assert all(line.remedy for line in ill)
    assert "sk_test_wrong" not in str(ill)
    assert state(found, "providers", "okx") == {"ok"}


def test_a_database_that_is_away_is_one_line_and_the_rest_goes_on(town: Town) -> None:
    found = lines(town.settings, database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"))
    assert state(found, "database") == {"failed"}
    assert not state(found, "contract")
    assert state(found, "providers", "stripe") == {"ok"}


def test_an_empty_database_asks_for_its_upgrade(server: object, engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA recon CASCADE"))
    found = lines(settings)
    assert "payments-pipeline db upgrade" in " ".join(line.remedy for line in found if line.part == "database")
    assert state(found, "contract") == {"failed"}


def test_a_missing_index_is_named_with_its_columns(engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX public.payment_transactions_by_reference"))
        connection.execute(text("DROP INDEX public.subscription_events_user"))
    told = [line.what for line in lines(settings) if line.part == "indexes"]
    assert len(told) == 2
    assert "app_payments by provider and provider_ref" in told[1]
    assert "app_subscription_events by user_id" in told[0]


def test_refused_signatures_and_a_clock_that_is_off_are_warnings(engine: Engine, settings: Settings) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO webhook_logs (payment_method, webhook_type, signature_valid, processing_status,"
                " created_at) VALUES ('stripe', 'charge.succeeded', FALSE, 'failed', :at)"
            ),
            {"at": now - timedelta(hours=1)},
        )
    found = list(examine(settings, now=now + timedelta(minutes=3), post=False))
    assert state(found, "webhooks", "stripe") == {"warning"}
    assert state(found, "clocks") == {"warning"}


def test_the_test_message_is_sent_only_when_asked_for(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(town.sandbox.state.discord.messages)
    run_doctor(town.settings, now=datetime.now(UTC), post=False, json=None)
    assert len(town.sandbox.state.discord.messages) == before
    capsys.readouterr()
    run_doctor(town.settings, now=datetime.now(UTC), post=True, json=STDOUT)
    assert len(town.sandbox.state.discord.messages) == before + 1
    assert {line["part"] for line in json.loads(capsys.readouterr().out)["lines"]} >= {"database", "alerts"}


@pytest.mark.parametrize("word", ["check", "watch", "user", "payment", "doctor"])
def test_each_command_teaches_itself(word: str) -> None:
    shown = CliRunner().invoke(app, [word, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output

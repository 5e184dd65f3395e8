"""`check` and `watch`: what needs eyes now, judged on what is stored."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from payments_pipeline.config import Settings
from payments_pipeline.json_output import STDOUT
from payments_pipeline.quick_look import quick_look, run_check, run_watch
from payments_pipeline.reports import load_reports
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.duty.conftest import Town

PAYER = """
INSERT INTO plans (id, name, tier, period, price, currency) VALUES (1, 'P', 'pro', 'month', 9, 'USD');
INSERT INTO users (id, username, email) VALUES (1, 'early', 'early@example.com'), (2, 'late', 'late@example.com');
INSERT INTO payment_transactions
(user_id, plan_id, payment_method, transaction_id, status, amount, currency, created_at, confirmed_at) VALUES
(2, 1, 'stripe', 'pi_2', 'completed', 9, 'USD', '2026-11-01T11:00Z', '2026-11-01T11:00Z'),
(1, 1, 'stripe', 'pi_1', 'completed', 9, 'USD', '2026-11-01T10:00Z', '2026-11-01T10:00Z')
"""


def test_a_gap_is_seen_before_any_run_and_its_age_grows(engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(PAYER)
    found = quick_look(engine, settings, load_reports(), AS_OF)
    assert [row["username"] for row in found.gaps] == ["early", "late"]
    assert found.found
    later = quick_look(engine, settings, load_reports(), AS_OF + timedelta(minutes=5))
    assert later.gaps[0]["seconds_since_payment"] - found.gaps[0]["seconds_since_payment"] == 300


def test_where_nothing_is_amiss_the_exit_code_is_0(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(settings, now=AS_OF, json=None) == 0
    assert "Every payer has access." in capsys.readouterr().out
    assert run_check(settings, now=AS_OF, json=STDOUT) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["gaps"] == told["live_findings"] == []


def test_findings_what_was_not_read_and_what_waits_are_shown(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check(town.settings, now=AS_OF, json=None) == 1
    shown = capsys.readouterr().out
    assert "CRITICAL" in shown
    assert "Alerts waiting:" in shown
    assert run_check(town.settings, now=AS_OF, json=STDOUT) == 1
    told = json.loads(capsys.readouterr().out)
    assert sum(row["findings"] for row in told["live_findings"]) > 0
    assert told["notifications"]["waiting"] > 0
    assert told["unread"] == []


def test_watch_looks_again_until_its_rounds_are_over(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([AS_OF, AS_OF + timedelta(seconds=2)])
    waits: list[float] = []
    assert run_watch(settings, every=2.0, rounds=2, clock=lambda: next(times), sleep=waits.append) == 0
    assert capsys.readouterr().out.count("Every payer has access.") == 2
    assert waits == [2.0]

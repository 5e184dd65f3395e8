"""Payers without access and crypto payments that wait are noticed between two nights; a lost cursor does no harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.payment_sensors import COMMIT_LATE, Memory, activation_sensor, grace, open_crypto_payments
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.conftest import AS_OF

PLAN = """
    INSERT INTO public.plans (id, name, tier, period, price, currency) VALUES (1, 'Gold', 'gold', 'month', 10, 'USD')
    ON CONFLICT DO NOTHING
"""
PAYMENT = """
    WITH payer AS (
        INSERT INTO public.users (username, email, subscription_status, subscription_tier)
        VALUES ('kim', 'kim@example.com', :access, :tier) RETURNING id
    )
    INSERT INTO public.payment_transactions (
        user_id, plan_id, payment_method, transaction_id, status, amount, currency, created_at, updated_at
    )
    SELECT payer.id, 1, :method, :ref, :status, 10, 'USD', :at, :at FROM payer
"""
JUDGED = """
    INSERT INTO recon.report_runs (report, as_of, rows, by_severity, amount_at_risk, seconds)
    VALUES ('activation_gaps', :at, 0, '{}', '{}', 0)
"""
SECOND = timedelta(seconds=1)
PROBE = activation_sensor(load_reports())
GRACE = grace(load_reports(), {})


class Counter:
    """Ticks with what the tick before remembered; a request that was made before is none, as Dagster has it."""

    def __init__(self, engine: Engine, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.engine, self.settings, self.instance = engine, settings, instance
        self.cursor: str | None = None
        self.keys: set[str] = set()

    def pay(
        self, ref: str = "pi_1", *, at: datetime = AS_OF, access: str = "inactive", tier: str = "free",
        status: str = "succeeded", method: str = "stripe",
    ) -> None:  # fmt: skip
        row = {"ref": ref, "at": at, "access": access, "tier": tier, "status": status, "method": method}
        with self.engine.begin() as connection:
            connection.execute(text(PLAN))
            connection.execute(text(PAYMENT), row)

    def judged(self, at: datetime) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(JUDGED), {"at": at})

    def tick(self, sensor: dg.SensorDefinition, now: datetime) -> bool:
        resources = default_resources(self.settings, now)
        with dg.build_sensor_context(instance=self.instance, resources=resources, cursor=self.cursor) as context:
            answer: Any = sensor.evaluate_tick(context)
        self.cursor = answer.cursor
        asked = {request.run_key for request in answer.run_requests or ()} - self.keys
        self.keys |= asked
        return bool(asked)

    def probed(self, seconds: float) -> bool:
        """Whether a tick so long after the grace period starts a probe."""
        return self.tick(PROBE, AS_OF + GRACE + seconds * SECOND)


@pytest.fixture
def counter(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[Counter]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Counter(engine, settings, instance)


def test_payer_without_access_is_probed_once_the_webhook_had_its_time(counter: Counter) -> None:
    counter.pay()
    assert not counter.probed(-60)
    assert counter.probed(5)
    counter.judged(AS_OF + GRACE + 8 * SECOND)
    assert not counter.probed(10)
    counter.pay("pi_2", at=AS_OF + 12 * SECOND)
    assert counter.probed(15)


def test_a_setting_of_the_grace_period_is_the_sensors_too(counter: Counter) -> None:
    overrides = {"activation_gaps": {"grace_seconds": 0}}
    counter.settings = counter.settings.model_copy(update={"report_params": overrides})
    counter.pay()
    assert counter.tick(PROBE, AS_OF)


def test_payer_with_the_tier_that_was_paid_for_is_not_probed(counter: Counter) -> None:
    counter.pay(access="active", tier="gold")
    assert not counter.probed(5)


def test_a_payment_that_is_committed_after_its_time_of_change_is_noticed(counter: Counter) -> None:
    assert not counter.probed(5)
    counter.pay(at=AS_OF - COMMIT_LATE / 2)
    assert counter.probed(10)


def test_a_lost_cursor_costs_one_run_at_most(counter: Counter) -> None:
    counter.pay()
    assert counter.probed(5)
    counter.judged(AS_OF + GRACE + 8 * SECOND)
    for lost in (None, "2026-11-01T12:00:00+00:00", "{}", "[1]"):
        counter.cursor = lost
        assert not counter.probed(10), "the same suspects have the same key"
        assert not counter.probed(15)


def test_a_probe_that_died_gets_successors_ever_more_rarely_until_one_judges(counter: Counter) -> None:
    counter.judged(AS_OF)
    counter.pay()
    assert counter.probed(5)
    looks = [10, 120, 125, 130, 360, 365, 370, 840, 845, 850, 1300]
    asked = [second for second in looks if counter.probed(second)]
    assert asked == [125, 365, 845]
    counter.judged(AS_OF + GRACE + 1300 * SECOND)
    assert not any(counter.probed(second) for second in (1800, 3600, 9000))


def test_what_a_tick_remembers_does_not_grow(counter: Counter) -> None:
    for number in range(5):
        at = AS_OF + number * timedelta(minutes=3)
        counter.pay(f"pi_{number}", at=at)
        assert counter.tick(PROBE, at + GRACE + 5 * SECOND)
        assert counter.cursor is not None
        assert len(json.loads(counter.cursor)["asked"]) <= 2
    assert Memory.read(counter.cursor) is not None


def test_crypto_providers_are_asked_while_a_payment_waits_and_nobody_asks_yet(counter: Counter) -> None:
    assert not counter.tick(open_crypto_payments, AS_OF), "not configured"
    counter.settings = counter.settings.model_copy(update={"nowpayments_api_key": SecretStr("key")})
    counter.pay("1", method="nowpayments", status="finished")
    counter.pay("2", method="nowpayments", status="waiting", at=AS_OF - timedelta(days=30))
    counter.pay("3", method="stripe", status="pending")
    assert not counter.tick(open_crypto_payments, AS_OF), "nothing waits for coins"
    counter.pay("4", method="NOWPayments", status="Waiting")
    run = dg.DagsterRun(job_name="check_crypto_payments", status=dg.DagsterRunStatus.STARTED)
    counter.instance.add_run(run)
    assert not counter.tick(open_crypto_payments, AS_OF), "the run before is at it"
    counter.instance.delete_run(run.run_id)
    assert counter.tick(open_crypto_payments, AS_OF)

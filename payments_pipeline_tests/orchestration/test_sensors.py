"""Sensors tick on a real Dagster instance over a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.local_instance import in_memory
from payments_pipeline.repair_jobs import in_earnest, repair_findings
from payments_pipeline.repair_sensors import repairs_due
from payments_pipeline.resources import default_resources
from payments_pipeline.sensors import alerts_due, run_failed
from payments_pipeline_tests.conftest import AS_OF

FINDING = text("""
    INSERT INTO recon.findings (
        report, fingerprint, episode, status, severity, action, evidence, opened_at, last_seen_at, times_seen
    ) VALUES (
        'activation_gaps', :fingerprint, 1, :status, 'CRITICAL', 'activate_subscription', CAST(:evidence AS jsonb),
        :at, :at, 1
    ) RETURNING finding_id
""")
ACTION = text("""
    INSERT INTO recon.actions (
        finding_id, kind, target, precondition, precondition_digest, effects, state, proposed_by, proposed_at
    ) VALUES (:finding_id, 'activate_subscription', '{}', '{}', '', '[]', :state, 'test', :at)
""")
NOTIFICATION = text("""
    INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, state, next_attempt_at, created_at)
    VALUES (:key, 'discord', 'opened', 'HIGH', '{}', :state, :due, :due)
""")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as instance:
        yield instance


def _tick(
    sensor: dg.SensorDefinition,
    instance: dg.DagsterInstance,
    settings: Settings,
    now: datetime = AS_OF,
    cursor: str | None = None,
) -> Any:
    resources = default_resources(settings, now)
    with dg.build_sensor_context(instance=instance, resources=resources, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def _with_discord(settings: Settings) -> Settings:
    return settings.model_copy(update={"discord_webhook_url": _secret("https://example.com/api/webhooks/1/token")})


def _secret(value: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(value)


def _execute(engine: Engine, statement: Any, **values: object) -> Any:
    with engine.begin() as connection:
        result = connection.execute(statement, values)
        return result.scalar() if result.returns_rows else None


def test_outbox_waits_quietly_while_no_channel_is_configured(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    _execute(engine, NOTIFICATION, key="a", state="pending", due=AS_OF)

    tick = _tick(alerts_due, instance, settings)

    assert not tick.run_requests
    assert "DISCORD_WEBHOOK_URL" in tick.skip_message


def test_due_notification_starts_one_delivery_run(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    settings = _with_discord(settings)
    assert not _tick(alerts_due, instance, settings).run_requests
    _execute(engine, NOTIFICATION, key="sent", state="sent", due=AS_OF)
    _execute(engine, NOTIFICATION, key="later", state="pending", due=AS_OF + timedelta(days=36500))
    assert not _tick(alerts_due, instance, settings).run_requests

    _execute(engine, NOTIFICATION, key="now", state="pending", due=AS_OF)
    (first,) = _tick(alerts_due, instance, settings).run_requests
    (again,) = _tick(alerts_due, instance, settings).run_requests

    assert first.run_key == again.run_key


def test_repairable_finding_starts_a_repair_run_until_it_is_repaired(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    finding = _execute(engine, FINDING, fingerprint="a", status="open", evidence="{}", at=AS_OF)

    (first,) = _tick(repairs_due, instance, settings).run_requests
    assert first.run_key == f"repair:{int(AS_OF.timestamp())}:{finding}.1.0:0"

    _execute(engine, ACTION, finding_id=finding, state="failed", at=AS_OF)
    (second,) = _tick(repairs_due, instance, settings).run_requests
    assert second.run_key == f"repair:{int(AS_OF.timestamp())}:{finding}.1.1:0"

    _execute(engine, ACTION, finding_id=finding, state="verified", at=AS_OF)
    assert not _tick(repairs_due, instance, settings).run_requests


def test_no_second_run_is_asked_for_while_one_waits_to_begin(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    """It will see all that is due by then; runs that pile up in their lane would only keep the newest waiting."""
    _execute(engine, FINDING, fingerprint="a", status="open", evidence="{}", at=AS_OF)
    (first,) = _tick(repairs_due, instance, settings).run_requests
    assert first.run_config["ops"]["repair_live_findings"]["config"]["finding_ids"] == []
    waiting = instance.create_run_for_job(
        repair_findings, tags={"dagster/sensor_name": "repairs_due"}, status=dg.DagsterRunStatus.NOT_STARTED
    )
    _execute(engine, FINDING, fingerprint="b", status="open", evidence="{}", at=AS_OF)
    assert not _tick(repairs_due, instance, settings).run_requests
    instance.delete_run(waiting.run_id)
    (second,) = _tick(repairs_due, instance, settings).run_requests
    assert second.run_key != first.run_key


def test_what_a_run_under_way_has_found_is_left_to_that_run_if_it_repairs(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    finding = _execute(engine, FINDING, fingerprint="a", status="open", evidence="{}", at=AS_OF)
    by_hand, by_schedule = (
        instance.add_run(dg.DagsterRun("ingest_changes", run_config=config, status=dg.DagsterRunStatus.STARTED))
        for config in ({}, in_earnest())
    )
    of_run = text("UPDATE recon.findings SET run_id = :run WHERE finding_id = :finding")

    _execute(engine, of_run, finding=finding, run=by_schedule.run_id)
    assert "under way" in _tick(repairs_due, instance, settings).skip_message
    _execute(engine, of_run, finding=finding, run=by_hand.run_id)
    assert _tick(repairs_due, instance, settings).run_requests
    _execute(engine, of_run, finding=finding, run=by_schedule.run_id)
    instance.report_run_failed(by_schedule)
    assert _tick(repairs_due, instance, settings).run_requests, "it ended without having repaired"


def test_a_repair_that_keeps_failing_is_left_to_people(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    finding = _execute(engine, FINDING, fingerprint="a", status="open", evidence="{}", at=AS_OF)
    for _ in range(3):
        _execute(engine, ACTION, finding_id=finding, state="failed", at=AS_OF)

    assert not _tick(repairs_due, instance, settings).run_requests


@pytest.mark.parametrize("status", ["acknowledged", "snoozed", "resolved"])
def test_finding_that_a_person_took_up_or_that_is_over_is_not_repaired(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings, status: str
) -> None:
    _execute(engine, FINDING, fingerprint="a", status=status, evidence="{}", at=AS_OF)

    assert not _tick(repairs_due, instance, settings).run_requests


def test_finding_without_a_clear_repair_starts_nothing(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    _execute(engine, FINDING, fingerprint="a", status="open", evidence='{"repairable": false}', at=AS_OF)

    assert not _tick(repairs_due, instance, settings).run_requests


@pytest.mark.parametrize("mode", ["off", "propose"])
def test_policy_is_the_gate_of_the_repair_sensor(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings, mode: str
) -> None:
    _execute(engine, FINDING, fingerprint="a", status="open", evidence="{}", at=AS_OF)
    _execute(engine, text("UPDATE recon.policies SET mode = :mode WHERE action = 'activate_subscription'"), mode=mode)

    assert not _tick(repairs_due, instance, settings).run_requests


def _failed(job: str, instance: dg.DagsterInstance, settings: Settings) -> str:
    """A run of a job of this name fails, and the sensor sees it, twice."""

    @dg.op
    def explode() -> None:
        raise RuntimeError("no")

    @dg.job(name=job, tags={"payments_pipeline/lane": "test"})
    def doomed() -> None:
        explode()

    result = doomed.execute_in_process(instance=instance, raise_on_error=False)
    event = result.get_run_failure_event()
    for _ in range(2):
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failed",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources=default_resources(settings, AS_OF),
        )
        with context:
            run_failed(context.for_run_failure())
    return result.run_id


def test_a_job_that_fails_again_and_again_is_told_once(
    instance: dg.DagsterInstance, engine: Engine, settings: Settings
) -> None:
    first = _failed("doomed", instance, settings)
    _failed("doomed", instance, settings)
    _failed("nightly_reconciliation", instance, settings)
    _failed("deliver_alerts", instance, settings)

    with engine.connect() as connection:
        told = connection.execute(text("SELECT kind, body FROM recon.notifications ORDER BY notification_id")).all()
        found = connection.execute(text("SELECT report, times_seen, evidence FROM recon.findings ORDER BY 1")).all()
    assert [(row.report, row.times_seen) for row in found] == [("failed_runs", 4), ("nightly_run", 2)]
    assert found[0].evidence["job"] == "doomed"
    assert [(row.kind, row.body["report"]) for row in told] == [("opened", "failed_runs"), ("opened", "nightly_run")]
    assert told[0].body["run_id"] == first
    assert "explode" in str(told[0].body["evidence"]["error"])

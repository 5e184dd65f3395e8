"""Changes are read every few minutes: what is new gets in, nothing new costs little, an outage is told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from payments_pipeline.config import Settings
from payments_pipeline.schedules import all_schedules
from payments_pipeline_tests.orchestration.stripe_desk import INTENTS, NOW, Desk, metadata, observations

CHANGES = "ingest_changes"
FIVE_MINUTES = timedelta(minutes=5)


def five_minutes_later(desk: Desk) -> dg.ExecuteInProcessResult:
    desk.now += FIVE_MINUTES
    return desk.run(CHANGES)


def test_a_payment_since_the_last_run_reaches_the_canonical_table(desk: Desk) -> None:
    desk.pay(NOW - timedelta(days=2))
    assert desk.run(CHANGES).success
    new = desk.pay(NOW + timedelta(minutes=1))

    result = five_minutes_later(desk)

    assert result.success
    assert new in {row.provider_ref for row in desk.all("SELECT provider_ref FROM recon.provider_transactions")}
    made = metadata(result, "provider_changes")
    assert made["complete"]
    assert made["rows_written"] >= 1
    seen = {one["asset"]: one for one in observations(result)}
    assert (seen[INTENTS]["rows_written"], seen[INTENTS]["complete"]) == (1, True)


def test_a_change_that_the_feed_tells_gets_in_whenever_the_payment_was_made(desk: Desk) -> None:
    old = desk.life.succeed(desk.life.create_intent(at=NOW - timedelta(days=20))["id"], at=NOW - timedelta(days=20))
    assert desk.run(CHANGES).success
    desk.life.refund(old["latest_charge"], at=NOW + timedelta(minutes=1))

    assert five_minutes_later(desk).success

    (row,) = desk.all("SELECT charge_refunded FROM recon.stripe_payment_intents")
    assert row.charge_refunded


def test_a_quiet_run_writes_nothing_shows_nothing_and_asks_little(desk: Desk) -> None:
    for day in range(1, 250):
        desk.pay(NOW - timedelta(hours=2 * day))
    assert desk.run(CHANGES).success
    before = len(desk.sandbox.requests)

    result = five_minutes_later(desk)

    assert metadata(result, "provider_changes")["rows_written"] == 0
    assert observations(result) == []
    # Who we are, the feed (in a few calls), and a page of each of twelve lists.
    assert len(desk.sandbox.requests) - before <= 20


def test_an_outage_fails_the_run_in_which_it_begins_and_ends_without_a_trace(desk: Desk) -> None:
    assert desk.run(CHANGES).success
    fault = desk.sandbox.faults.unauthorized("stripe", times=None)

    first, second = five_minutes_later(desk), five_minutes_later(desk)

    assert not first.success
    assert "No longer read in full: stripe" in str(first.get_step_failure_events()[0].event_specific_data)
    assert second.success
    assert not metadata(second, "provider_changes")["complete"]
    fault.times = 0
    assert metadata(five_minutes_later(desk), "provider_changes")["complete"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that a schedule's tick can find: on disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_without_a_provider_the_schedule_rests(settings: Settings, kept: dg.DagsterInstance) -> None:
    assert isinstance(tick(settings, kept), dg.SkipReason)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_run_that_waits_or_runs_is_not_overtaken(
    settings: Settings, kept: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    configured = settings.model_copy(update={"stripe_api_key": SecretStr("sk_test_1")})
    kept.add_run(dg.DagsterRun(job_name="another", status=status))
    kept.add_run(dg.DagsterRun(job_name=CHANGES, status=dg.DagsterRunStatus.SUCCESS))
    assert isinstance(tick(configured, kept), dg.RunRequest)
    kept.add_run(dg.DagsterRun(job_name=CHANGES, status=status))

    answer = tick(configured, kept)

    assert isinstance(answer, dg.SkipReason)
    assert "has not ended" in (answer.skip_message or "")


@pytest.mark.parametrize("days", [None, 30])
def test_schedules_that_only_read_run_by_themselves_and_dropping_json_where_asked_for(
    settings: Settings, days: int | None
) -> None:
    found = {one.name: one for one in all_schedules(settings.model_copy(update={"raw_json_days": days}))}

    running = dg.DefaultScheduleStatus.RUNNING
    assert found["changes_every_five_minutes"].default_status is running
    assert (found["retention_after_the_night"].default_status is running) == (days is not None)


def tick(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    (schedule,) = [one for one in all_schedules(settings) if one.name == "changes_every_five_minutes"]
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=NOW) as context:
        answer = schedule(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def test_money_that_nobody_booked_is_found_between_two_nights(desk: Desk) -> None:
    assert desk.run("nightly_reconciliation").success
    stranger = desk.pay(NOW + timedelta(minutes=1))

    desk.now += timedelta(hours=3)
    result = desk.run(CHANGES)

    assert result.success
    rows = desk.all("SELECT evidence ->> 'provider_ref' AS ref FROM recon.findings WHERE status = 'open'")
    assert stranger in {row.ref for row in rows}
    made = metadata(result, "intraday_reports")
    assert made["opened"] >= 1
    assert made["made_anew"] == "none"


LAGGING = """
    WITH u AS (INSERT INTO users (username, email) VALUES ('lag', 'lag@example.com') RETURNING id)
    INSERT INTO payment_transactions (
        user_id, payment_method, transaction_id, status, amount, currency, created_at, updated_at
    ) SELECT u.id, 'stripe', :ref, 'pending', 20, 'usd', :at, :at FROM u
"""


def test_a_row_that_lags_behind_is_found_told_and_brought_in_line_in_one_run(
    desk: Desk, kept: dg.DagsterInstance
) -> None:
    at = NOW - timedelta(hours=2)
    paid = desk.pay(at)
    with desk.engine.begin() as connection:
        connection.execute(text(LAGGING), {"ref": paid, "at": at})

    assert desk.run(CHANGES).success
    assert [row.state for row in desk.all("SELECT state FROM recon.actions")] == [], "by hand it is a dry run"
    asked = tick(desk.settings, kept)
    assert isinstance(asked, dg.RunRequest)
    result = desk.run(CHANGES, asked.run_config, tags={"dagster/sensor_name": CHANGES})

    assert result.success
    (row,) = desk.all("SELECT status FROM payment_transactions")
    assert row.status == "completed"
    assert metadata(result, "repairs")["verified"] == 1
    found = desk.all("SELECT status, resolved_how FROM recon.findings WHERE report = 'out_of_sync_payments'")
    assert [(one.status, one.resolved_how) for one in found] == [("resolved", "action")]

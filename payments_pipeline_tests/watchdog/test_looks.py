"""What stops without a word is seen: the night, sensors, the daemon, readings, webhooks, the outbox, clocks."""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.watchdog.machinery import last_due
from payments_pipeline_tests.watchdog.conftest import House

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
WAITING = """
    INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, state, next_attempt_at, created_at)
    VALUES (:key, :channel, 'opened', 'HIGH', '{}', :state, :due, :due)
"""


def test_a_night_that_did_not_run_or_failed_is_amiss_until_one_succeeds(house: House) -> None:
    assert house.amiss("nightly_run")["nightly"][0] == "MEDIUM", "a new house has had no night"
    house.night(dg.DagsterRunStatus.SUCCESS)
    assert house.amiss("nightly_run") == {}
    house.now += DAY
    due = last_due(house.now, "UTC")
    house.now = due + 20 * MINUTE
    assert house.amiss("nightly_run") == {}, "it may be a little late"
    house.now = due + 40 * MINUTE
    severity, reason = house.amiss("nightly_run")["nightly"]
    assert severity == "HIGH"
    assert "did not start" in reason


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_failed_night_is_amiss_also_while_the_next_attempt_runs(house: House, status: dg.DagsterRunStatus) -> None:
    house.night(status)
    house.night(dg.DagsterRunStatus.STARTED)
    assert "ended as" in house.amiss("nightly_run")["nightly"][1]
    house.night(dg.DagsterRunStatus.SUCCESS)
    assert house.amiss("nightly_run") == {}


@pytest.mark.parametrize(
    ("now", "zone", "due"),
    [
        ("2026-11-01T02:00:00+00:00", "UTC", "2026-11-01T02:00:00+00:00"),
        ("2026-11-01T01:59:00+00:00", "UTC", "2026-10-31T02:00:00+00:00"),
        ("2026-07-01T00:30:00+00:00", "Europe/Zurich", "2026-07-01T00:00:00+00:00"),
        ("2026-03-29T12:00:00+00:00", "America/New_York", "2026-03-29T06:00:00+00:00"),
    ],
)
def test_the_night_is_due_at_two_in_its_own_time_zone(now: str, zone: str, due: str) -> None:
    assert last_due(datetime.fromisoformat(now), zone) == datetime.fromisoformat(due)


def test_a_job_whose_last_run_failed_is_amiss_until_one_succeeds(house: House) -> None:
    def ended(job: str, status: dg.DagsterRunStatus, **tags: str) -> None:
        house.instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=tags))

    ours = {"payments_pipeline/lane": "changes"}
    ended("ingest_changes", dg.DagsterRunStatus.FAILURE, **ours)
    ended("of another project", dg.DagsterRunStatus.FAILURE)
    ended("nightly_reconciliation", dg.DagsterRunStatus.FAILURE, **ours)
    ended("retention", dg.DagsterRunStatus.FAILURE, **ours)
    ended("retention", dg.DagsterRunStatus.SUCCESS, **ours)
    ended("ingest_changes", dg.DagsterRunStatus.STARTED, **ours)
    assert list(house.amiss("failed_runs")) == ["ingest_changes"]
    ended("ingest_changes", dg.DagsterRunStatus.SUCCESS, **ours)
    assert house.amiss("failed_runs") == {}


def test_a_sensor_that_does_not_tick_or_only_fails_is_amiss(house: House) -> None:
    house.sensors = {"well": 5, "slow": 300, "silent": 5, "never": 5, "off": 5, "failing": 5, "stumbled": 5}
    house.ticked("well", house.now - MINUTE)
    house.ticked("slow", house.now - 40 * MINUTE)
    house.ticked("silent", house.now - 6 * MINUTE)
    house.ticked("off", house.now - DAY, on=False)
    house.ticked("failing", house.now, failed=3)
    house.ticked("stumbled", house.now, failed=2)
    found = house.amiss("sensor_silent")
    assert sorted(found) == ["failing", "never", "silent"]
    assert "ticks failed" in found["failing"][1]


def test_a_dead_daemon_is_seen_by_who_asks_from_outside(house: House) -> None:
    assert set(dict(house.amiss("daemon_silent").values())) == {"CRITICAL"}
    house.alive()
    assert house.amiss("daemon_silent") == {}
    house.now += 5 * MINUTE
    assert "5 min ago" in house.amiss("daemon_silent")["sensor"][1]


def test_a_provider_that_was_not_read_in_full_for_long_is_amiss(house: House) -> None:
    assert house.amiss("provider_feed_stale") == {}, "nothing is configured"
    house.settings = house.settings.model_copy(update={"stripe_api_key": SecretStr("sk_test_1")})
    assert "never read" in house.amiss("provider_feed_stale")["stripe"][1]
    house.read(stripe=True, okx=True)
    assert house.amiss("provider_feed_stale") == {}
    house.now += 40 * MINUTE
    house.read(stripe=False)
    (severity, reason), *none = house.amiss("provider_feed_stale").values()
    assert (severity, none) == ("HIGH", [])
    assert "last read in full 40 min ago" in reason


def test_an_account_that_was_retired_is_not_waited_for(house: House) -> None:
    house.settings = house.settings.model_copy(update={"stripe_api_key": SecretStr("sk_test_1")})
    house.read(stripe=True)
    house.write("UPDATE recon.coverage SET account = 'acct_old', finished_at = :now - interval '3 days'")
    house.read(stripe=True)
    house.write("UPDATE recon.coverage SET finished_at = :now - interval '3 days' WHERE account = 'acct_old'")
    assert house.amiss("provider_feed_stale") == {}


def test_webhooks_that_stopped_while_payments_went_on_are_seen_between_two_nights(house: House) -> None:
    assert house.amiss("webhook_silence") == {}
    hook = "INSERT INTO public.webhook_logs (payment_method, created_at) VALUES ('stripe', :at)"
    pay = (
        "INSERT INTO public.payment_transactions (payment_method, transaction_id, status, amount, currency, created_at)"
        " VALUES ('stripe', :ref, 'succeeded', 10, 'USD', :at)"
    )
    for hours in range(10, 100):
        house.write(hook, at=house.now - hours * HOUR)
        house.write(pay, ref=f"pi_{hours}", at=house.now - hours * HOUR)
    for hours in range(1, 10):
        house.write(pay, ref=f"pi_{hours}", at=house.now - hours * HOUR)
    assert list(house.amiss("webhook_silence")) == ["stripe"]


def test_messages_that_should_have_been_sent_are_amiss_and_those_that_may_wait_are_not(house: House) -> None:
    house.write(WAITING, key="sent", channel="discord", state="sent", due=house.now - DAY)
    house.write(WAITING, key="later", channel="discord", state="pending", due=house.now + HOUR)
    house.write(WAITING, key="fresh", channel="*", state="pending", due=house.now - 5 * MINUTE)
    assert house.amiss("outbox_growing") == {}
    house.write(WAITING, key="late", channel="*", state="pending", due=house.now - 2 * HOUR)
    severity, reason = house.amiss("outbox_growing")["outbox"]
    assert severity == "MEDIUM"
    assert "no channel is configured" in reason
    url = SecretStr("https://example.com/api/webhooks/1/token")
    house.settings = house.settings.model_copy(update={"discord_webhook_url": url})
    assert house.amiss("outbox_growing")["outbox"][0] == "HIGH"


def test_a_clock_that_is_off_is_seen_by_the_databases_and_by_the_providers(house: House) -> None:
    with Sandbox(SandboxState(tells_time=True)) as sandbox:
        house.settings = house.settings.model_copy(
            update={"stripe_api_key": SecretStr("sk_test_1"), "stripe_api_base": f"{sandbox.base_url}/stripe"}
        )
        assert house.amiss("clock_skew") == {}
        house.ahead = timedelta(seconds=10)
        assert list(house.amiss("clock_skew")) == ["database"]
        house.ahead = -timedelta(minutes=6)
        found = house.amiss("clock_skew")
    assert sorted(found) == ["database", "stripe"]
    assert found["stripe"][0] == "HIGH"
    assert "behind stripe's" in found["stripe"][1]
    house.ahead = timedelta(0)
    assert house.amiss("clock_skew") == {}, "who does not answer says nothing about the time"

"""The watchdog's runs and sensors: findings that open and resolve by themselves, the summary once a night, snoozes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from payments_pipeline.config import AlertChannel, Settings
from payments_pipeline.definitions import build_defs
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import STDOUT
from payments_pipeline.present_health import show_health
from payments_pipeline.resources import default_resources
from payments_pipeline.watch_sensors import night_over, snoozes_over, watchdog_due
from payments_pipeline_tests.orchestration.defined import executed
from payments_pipeline_tests.watchdog.conftest import House

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
SNOOZED = """
    INSERT INTO recon.findings (
        report, fingerprint, episode, status, severity, evidence, opened_at, last_seen_at, times_seen, snoozed_until
    ) VALUES ('disputes', 'a', 1, 'snoozed', 'HIGH', '{}', :now, :now, 1, :until)
"""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def run(house: House, job: str, **more: Any) -> dg.ExecuteInProcessResult:
    return executed(job, house.settings, house.instance, None, **more)


def tick(house: House, sensor: dg.SensorDefinition, cursor: str | None = None) -> Any:
    resources = default_resources(house.settings, house.now)
    with dg.build_sensor_context(instance=house.instance, resources=resources, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def live(house: House) -> set[tuple[str, str]]:
    return {
        (row.report, row.severity)
        for row in house.rows("SELECT report, severity FROM recon.findings WHERE status <> 'resolved'")
    }


def test_a_round_opens_findings_shows_them_as_checks_and_the_next_resolves_them(house: House) -> None:
    house.night(FAILURE)
    first = run(house, "watchdog")
    assert first.success
    checks = {one.check_name: one.passed for one in first.get_asset_check_evaluations()}
    assert not checks["nightly_run"]
    assert checks["outbox_growing"]
    assert {("nightly_run", "HIGH"), ("daemon_silent", "CRITICAL"), ("sensor_silent", "HIGH")} == live(house)
    house.night(SUCCESS)
    house.alive()
    assert run(house, "watchdog").success
    assert live(house) == {("sensor_silent", "HIGH")}
    told = house.rows("SELECT kind FROM recon.notifications WHERE body ->> 'report' = 'nightly_run' ORDER BY 1")
    assert [row.kind for row in told] == ["opened", "resolved"]


def test_the_command_says_the_same_without_writing_anything(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**__import__("os").environ, "DAGSTER_HOME": house.instance.root_directory})
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://unused.example.com/none")
    house.night(FAILURE)
    assert show_health(house.settings, now=house.now, json=STDOUT) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["healthy"]
    (night,) = [one for one in told["looks"] if one["look"] == "nightly_run"]
    assert (night["amiss"][0]["key"], night["amiss"][0]["severity"]) == ("nightly", "HIGH")
    assert show_health(house.settings, now=house.now, json=None) == 1
    shown = capsys.readouterr().out
    assert len([line for line in shown.splitlines() if line.startswith("│ daemon_silent")]) == 1  # its parts together
    assert "nightly_run: What to do: " in shown
    assert "clock_skew: What to do: " not in shown
    assert live(house) == set()


def test_the_summary_is_asked_for_once_a_night_however_the_night_ended(house: House) -> None:
    assert not tick(house, night_over).run_requests
    house.night(FAILURE)
    first = tick(house, night_over)
    (asked,) = first.run_requests
    assert not tick(house, night_over, first.cursor).run_requests
    house.night(SUCCESS)  # launched by hand, the same night
    (again,) = tick(house, night_over, first.cursor).run_requests
    (lost,) = tick(house, night_over).run_requests
    assert {again.run_key, lost.run_key} == {asked.run_key}
    for _ in range(2):
        assert run(house, "daily_summary", run_config=asked.run_config).success
    assert len(house.rows("SELECT 1 FROM recon.notifications WHERE kind = 'summary'")) == 1


def test_a_snooze_that_is_over_is_noticed_where_no_run_judges(house: House) -> None:
    house.write(SNOOZED, until=house.now + timedelta(hours=1))
    assert not tick(house, snoozes_over).run_requests
    house.write("UPDATE recon.findings SET snoozed_until = :now - interval '1 minute'")
    (asked,) = tick(house, snoozes_over).run_requests
    (same,) = tick(house, snoozes_over).run_requests
    assert asked.run_key == same.run_key
    house.now += timedelta(minutes=12)
    (successor,) = tick(house, snoozes_over).run_requests
    assert successor.run_key != asked.run_key, "the first may have died"
    assert run(house, "wake_snoozed_findings").success
    assert live(house) == {("disputes", "HIGH")}
    assert not tick(house, snoozes_over).run_requests


def test_one_round_of_the_watchdog_at_a_time(house: House) -> None:
    assert tick(house, watchdog_due).run_requests
    house.instance.add_run(dg.DagsterRun(job_name="watchdog", status=dg.DagsterRunStatus.STARTED))
    assert not tick(house, watchdog_due).run_requests


def test_channel_for_a_report_that_does_not_exist_is_refused_at_start(settings: Settings) -> None:
    def wants(*reports: str) -> dict[str, Any]:
        one = AlertChannel(name="oncall", url=SecretStr("json://127.0.0.1:9/hush"), reports=reports)
        return default_resources(settings.model_copy(update={"alert_channels": (one,)}))

    with pytest.raises(ConfigurationError, match="oncall wants to hear of activation_gap:") as caught:
        build_defs(wants("activation_gap", "clock_skew"))
    assert "activation_gaps" in str(caught.value)
    build_defs(wants("activation_gaps", "undelivered_notifications", "nightly_run"))

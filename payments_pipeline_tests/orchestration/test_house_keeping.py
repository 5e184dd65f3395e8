"""What nobody needs any more is dropped, by the clock or by hand; what proves something stays."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.definitions import build_defs
from payments_pipeline.house_keeping_jobs import HouseKeepingConfig
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.orchestration.defined import executed

OLD, NEW = AS_OF - timedelta(days=200), AS_OF - timedelta(days=2)
FINDING = text(
    "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, evidence, opened_at, last_seen_at,"
    " times_seen, resolved_at) VALUES ('r', :name, 1, :status, 'HIGH', '{}', :at, :at, 1, :ended) RETURNING finding_id"
)
MESSAGE = text(
    "INSERT INTO recon.notifications (dedupe_key, channel, kind, finding_id, severity, body, state, next_attempt_at,"
    " created_at) VALUES (:name, 'discord', 'opened', :finding, 'HIGH', '{}', :state, :at, :at)"
)
HISTORY = text(
    "INSERT INTO recon.report_runs (report, as_of, rows, by_severity, amount_at_risk, seconds)"
    " VALUES (:report, :at, 0, '{}', '{}', 1)"
)


@pytest.fixture
def stored(engine: Engine) -> Engine:
    """One of each kind of row: long over, over since, live since long, never sent."""
    with engine.begin() as connection:
        for name, status, at, ended, state in (
            ("over", "resolved", OLD, OLD, "sent"),
            ("recent", "resolved", OLD, NEW, "sent"),
            ("live", "open", OLD, None, "sent"),
            ("unsent", "resolved", OLD, OLD, "pending"),
        ):
            finding = connection.execute(FINDING, {"name": name, "status": status, "at": at, "ended": ended}).scalar()
            connection.execute(MESSAGE, {"name": name, "finding": finding, "state": state, "at": at})
        connection.execute(MESSAGE, {"name": "summary", "finding": None, "state": "sent", "at": OLD})
        for report, at in (("a", OLD), ("a", NEW), ("b", OLD)):
            connection.execute(HISTORY, {"report": report, "at": at})
    return engine


def keep_house(settings: Settings, instance: dg.DagsterInstance, config: HouseKeepingConfig) -> dict[str, object]:
    done = executed("house_keeping", settings, instance, AS_OF, dg.RunConfig(ops={"drop_old_history": config}))
    (output,) = [event for event in done.all_events if event.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def left(engine: Engine) -> tuple[set[str], list[str], int]:
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT dedupe_key FROM recon.notifications")).scalars())
        runs = list(connection.execute(text("SELECT report FROM recon.report_runs ORDER BY report")).scalars())
        findings = connection.execute(text("SELECT count(*) FROM recon.findings")).scalar_one()
    return names, runs, findings


def test_by_hand_it_only_says_what_it_would_drop(
    stored: Engine, settings: Settings, instance: dg.DagsterInstance
) -> None:
    before = left(stored)
    told = keep_house(settings, instance, HouseKeepingConfig())
    assert (told["dry_run"], told["notifications"], told["report_runs"]) == (True, 2, 1)
    assert left(stored) == before


def test_in_earnest_old_messages_and_history_go_and_what_is_needed_stays(
    stored: Engine, settings: Settings, instance: dg.DagsterInstance
) -> None:
    told = keep_house(settings, instance, HouseKeepingConfig(dry_run=False))
    assert (told["notifications"], told["report_runs"]) == (2, 1)
    assert left(stored) == ({"recent", "live", "unsent"}, ["a", "b"], 4)


def test_ended_runs_go_after_their_days_and_those_under_way_never(
    stored: Engine, settings: Settings, instance: dg.DagsterInstance
) -> None:
    ended = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.SUCCESS).run_id
    going = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED).run_id
    far = settings.model_copy(update={"history_days": 180})
    config = dg.RunConfig(ops={"drop_old_history": HouseKeepingConfig(dry_run=False)})
    assert executed("house_keeping", far, instance, AS_OF + timedelta(days=400), config).success
    assert not instance.has_run(ended)
    assert instance.has_run(going)


def test_the_schedule_runs_it_in_earnest(settings: Settings) -> None:
    schedule = build_defs(default_resources(settings, AS_OF)).resolve_schedule_def("house_keeping_after_the_night")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(scheduled_execution_time=AS_OF) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.run_config["ops"]["drop_old_history"]["config"]["dry_run"] is False


def _job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None:
        """Nothing."""

    @dg.job
    def some() -> None:
        nothing()

    return some

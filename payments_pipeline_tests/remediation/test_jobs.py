"""Repairs as people launch them and as sensors do: typed configuration, dry run first, findings over within seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from payments_pipeline.action_jobs import CONFIGS, action_op
from payments_pipeline.local_instance import in_memory
from payments_pipeline.remediation import oversight
from payments_pipeline.remediation.registry import KINDS
from payments_pipeline.repair_sensors import approved_money_due, approved_repairs_due, repairs_due
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.orchestration.defined import executed
from payments_pipeline_tests.remediation.teller import Teller


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


OF_A_SENSOR = {"dagster/sensor_name": "repairs_due"}
"""As the daemon marks the runs that sensors ask for."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as instance:
        yield instance


def run(
    teller: Teller, instance: dg.DagsterInstance, job: str, config: Any = None, **more: Any
) -> dg.ExecuteInProcessResult:
    return executed(job, teller.settings, instance, AS_OF, config, **more)


def one(kind: str, **config: Any) -> dict[str, Any]:
    return {"ops": {action_op(kind): {"config": config}}}


def metadata(result: dg.ExecuteInProcessResult, op: str) -> dict[str, Any]:
    outputs = [event for event in result.events_for_node(op) if event.is_successful_output]
    return {name: value.value for event in outputs for name, value in event.step_output_data.metadata.items()}


def tick(sensor: dg.SensorDefinition, teller: Teller, instance: dg.DagsterInstance, at: Any = AS_OF) -> Any:
    resources = default_resources(teller.settings, at)
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return sensor.evaluate_tick(context).run_requests or []


def test_every_kind_has_a_job_whose_every_field_is_described() -> None:
    assert CONFIGS.keys() == KINDS.keys()
    for kind, shape in CONFIGS.items():
        assert all(field.description for field in shape.model_fields.values()), kind
        assert shape.model_fields["dry_run"].default is True, kind


def test_capture_by_hand_says_what_would_change_on_both_sides_and_changes_nothing(
    teller: Teller, instance: dg.DagsterInstance
) -> None:
    intent = teller.hold(started=True)
    dry = run(teller, instance, "capture_payment", one("capture_payment", provider_ref=intent, capture_amount="30.50"))
    assert dry.success
    told = metadata(dry, action_op("capture_payment"))
    assert (told["dry_run"], told["proposed"]) == (True, 1)
    lines = told["changes"].splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| provider", "| provider", "| application", "| application"]
    assert f"| provider | Stripe {intent} | amount_received | 0.00 | 30.50 |" in lines
    assert (teller.moves(intent), teller.town.count("recon.actions")) == ([], 0)


def test_nobody_repairs_without_a_name(teller: Teller, instance: dg.DagsterInstance) -> None:
    intent = teller.hold(started=True)
    config = one("capture_payment", provider_ref=intent, dry_run=False)
    nameless = run(teller, instance, "capture_payment", config)
    assert not nameless.success
    assert "set `actor`" in str(nameless.failure_data_for_node(action_op("capture_payment")))
    for name in ("policy", "System ", "pol\u00adicy"):
        theirs = one("capture_payment", provider_ref=intent, dry_run=False, actor=name)
        taken = run(teller, instance, "capture_payment", theirs)
        assert "calls itself" in str(taken.failure_data_for_node(action_op("capture_payment"))), name
    assert teller.town.count("recon.actions") == 0
    assert run(teller, instance, "capture_payment", config, tags={"user": "ann@example.com"}).success
    assert teller.town.run("SELECT proposed_by || ' ' || state FROM recon.actions") == "ann@example.com proposed"


def test_what_people_approved_is_carried_out_once_and_money_only_where_its_sensor_is_on(
    teller: Teller, instance: dg.DagsterInstance
) -> None:
    intent = teller.hold(started=True)
    run(teller, instance, "capture_payment", one("capture_payment", provider_ref=intent, actor="kim", dry_run=False))
    (action,) = teller.town.run("SELECT array_agg(action_id) FROM recon.actions")
    assert not tick(approved_repairs_due, teller, instance)
    oversight.approve(teller.engine, action, actor="ann", as_of=AS_OF)
    assert not tick(approved_repairs_due, teller, instance), "money does not move from here"
    assert approved_money_due.default_status is dg.DefaultSensorStatus.STOPPED
    (request,) = tick(approved_money_due, teller, instance)
    (again,) = tick(approved_money_due, teller, instance)
    assert request.run_key == again.run_key
    rehearsal = run(teller, instance, "apply_approved_actions")
    assert metadata(rehearsal, "apply_approved")["verified"] == 1
    assert teller.moves(intent) == []
    for _ in range(2):
        assert run(teller, instance, request.job_name, request.run_config, tags=OF_A_SENSOR).success
    assert teller.moves(intent) == [("capture", 8000)]
    assert not tick(approved_money_due, teller, instance)


def test_what_a_dead_run_left_open_is_settled_whatever_its_kind(teller: Teller, instance: dg.DagsterInstance) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'capture_payment'")
    intent, action = teller.proposed("capture_payment", started=True)
    teller.killed(action, "called")
    assert not tick(approved_repairs_due, teller, instance), "it may still be at it"
    teller.lease_over()
    (request,) = tick(approved_repairs_due, teller, instance)
    assert run(teller, instance, request.job_name, request.run_config, tags=OF_A_SENSOR).success
    assert (teller.state_of(action), teller.moves(intent)) == ("verified", [("capture", 8000)])


def test_a_repair_by_hand_that_is_not_due_fails_with_the_reason(teller: Teller, instance: dg.DagsterInstance) -> None:
    intent = teller.hold()
    config = one("capture_payment", provider_ref=intent, actor="kim", dry_run=False)
    refused = run(teller, instance, "capture_payment", config)
    assert not refused.success
    assert "Nothing says yet that the service was given" in str(
        refused.failure_data_for_node(action_op("capture_payment"))
    )


def test_by_hand_any_user_gets_any_plan_with_the_reason_on_record(teller: Teller, instance: dg.DagsterInstance) -> None:
    user = teller.town.user()
    config = one("activate_by_hand", user_id=str(user), plan_id="5", reason="prize", actor="kim", dry_run=False)
    assert run(teller, instance, "activate_by_hand", config).success
    assert teller.town.look(user)["subscription_status"] == "active"
    assert "prize" in teller.town.run("SELECT reason FROM public.subscription_events")


CUT_OFF = """
    INSERT INTO recon.coverage (
        provider, account, livemode, resource, mode, window_from, window_to, as_of, pages, objects, rows_written,
        complete, error, started_at, finished_at
    )
    SELECT
        provider, account, livemode, resource, 'sweep', window_from, window_to, as_of + interval '1 minute', 0, 0, 0,
        FALSE, 'cut off', finished_at + interval '1 minute', finished_at + interval '1 minute'
    FROM recon.coverage WHERE resource = 'payment_intents' AND complete ORDER BY coverage_id DESC LIMIT 1
"""


def test_verified_repairs_end_their_findings_within_seconds_inside_complete_coverage(
    teller: Teller, instance: dg.DagsterInstance
) -> None:
    """A hold of a no-show: Stripe is read in full, the report finds it, the sensor's run lets it go and looks again."""
    teller.hold(booking="no_show")
    teller.town.run("DELETE FROM recon.provider_transactions")
    assert run(teller, instance, "nightly_reconciliation").success
    status = "SELECT concat(status, ' ', resolved_how) FROM recon.findings WHERE report = 'no_show_holds'"
    assert teller.town.run(status) == "open "
    teller.town.run(CUT_OFF)
    (request,) = tick(repairs_due, teller, instance)
    assert run(teller, instance, request.job_name, request.run_config, tags=OF_A_SENSOR).success
    assert len(teller.sandbox.state.stripe.moves) == 1
    assert teller.town.run(status) == "open ", "of an incomplete reading nothing is believed"
    teller.town.run("DELETE FROM recon.coverage WHERE error = 'cut off'")
    assert not tick(repairs_due, teller, instance, AS_OF + timedelta(seconds=20))
    (later,) = tick(repairs_due, teller, instance, AS_OF + timedelta(minutes=2))
    began = time.monotonic()
    assert run(teller, instance, later.job_name, later.run_config, tags=OF_A_SENSOR).success
    assert time.monotonic() - began < 10
    assert teller.town.run(status) == "resolved action"
    assert len(teller.sandbox.state.stripe.moves) == 1


def test_ticks_cost_little_with_many_findings_and_actions(teller: Teller, instance: dg.DagsterInstance) -> None:
    """20,000 live findings and 40,000 actions beside 100,000 resolved ones: below 50 ms each."""
    with teller.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, action, evidence,"
                " opened_at, last_seen_at, times_seen) SELECT 'stuck_authorizations', n::text, 1,"
                " CASE WHEN n <= 20000 THEN 'open' ELSE 'resolved' END, 'HIGH', 'capture_payment', '{}', :at, :at, 1"
                " FROM generate_series(1, 120000) AS n"
            ),
            {"at": AS_OF},
        )
        connection.execute(
            text(
                "INSERT INTO recon.actions (finding_id, kind, target, precondition, precondition_digest, effects,"
                " state, proposed_by, proposed_at, finished_at) SELECT n, 'capture_payment', '{}', '{}', '', '[]',"
                " 'verified', 'x', :at, :at FROM generate_series(20001, 60000) AS n"
            ),
            {"at": AS_OF},
        )
    with teller.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE recon.findings, recon.actions"))
    for sensor in (repairs_due, approved_repairs_due, approved_money_due):
        tick(sensor, teller, instance)
        began = time.perf_counter()
        assert not tick(sensor, teller, instance)
        assert time.perf_counter() - began < 0.25, "the query and Dagster's own work around it"

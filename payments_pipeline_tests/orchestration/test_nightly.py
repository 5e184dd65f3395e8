"""The nightly reconciliation, run for real: providers over HTTP on loopback, PostgreSQL, a Dagster instance."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.action_jobs import ActivateSubscription
from payments_pipeline.config import Settings, load_settings
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.definitions import build_defs
from payments_pipeline.jobs import PROBED
from payments_pipeline.local_instance import in_memory
from payments_pipeline.payment_sensors import Suspect, probe
from payments_pipeline.repair_jobs import RepairConfig, in_earnest
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import default_resources
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World, build_world, write_application
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.orchestration.defined import executed

NIGHTLY = "nightly_reconciliation"
USERS = 60
YESTERDAY = """
    INSERT INTO recon.coverage (
        provider, account, livemode, resource, mode, window_from, window_to, as_of, pages, objects, rows_written,
        complete, started_at, finished_at
    ) VALUES (
        'nowpayments', 'np_before', true, 'payments', 'sweep', '2026-08-02Z', '2026-10-31Z', '2026-10-31Z', 1, 0, 0,
        true, '2026-10-31Z', '2026-10-31Z'
    )
"""
STRAY_REFUNDS = """
    INSERT INTO recon.stripe_refunds (
        account, livemode, object_id, status, currency, amount, created_at, read_at, digest
    ) VALUES
    (:account, true, 're_stray_live', 'succeeded', 'USD', 1, '2026-10-01Z', '2026-10-01Z', 1),
    (:account, false, 're_stray_test', 'succeeded', 'USD', 1, '2026-10-01Z', '2026-10-01Z', 1)
"""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as instance:
        yield instance


@pytest.fixture
def world(engine: Engine) -> World:
    """A small planted world; its application rows are in the database."""
    world = build_world(7, USERS, AS_OF)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    return world


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def configured(settings: Settings, world: World, faults: FaultPlan) -> Iterator[Settings]:
    """Settings that point at the served world with all providers and Discord."""
    with Sandbox(world.state, faults) as sandbox:
        values: dict[str, Any] = {name.lower(): value for name, value in sandbox.environment().items()}
        url = settings.database_url
        assert url is not None
        yield load_settings(
            _env_file=None,
            **{
                **values,
                "database_url": url.get_secret_value(),
                "payments_home": settings.payments_home,
                "http_max_attempts": 2,
            },
        )


def _run(
    job: str, settings: Settings, instance: dg.DagsterInstance, now: datetime = AS_OF, config: Any = None, **more: Any
) -> dg.ExecuteInProcessResult:
    return executed(job, settings, instance, now, config, **more)


def _all(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)).all())


def _execute(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def _tell_until_quiet(engine: Engine, settings: Settings, instance: dg.DagsterInstance) -> None:
    """Delivery runs, as the sensor would start them, until nothing waits; a run sends 200 messages at most."""
    for _ in range(5):
        assert _run("deliver_alerts", settings, instance).success
        if not _all(engine, "SELECT 1 FROM recon.notifications WHERE state IN ('pending', 'sending')"):
            return
    raise AssertionError("the outbox does not become empty")


def _checks(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    return {
        (evaluation.asset_key.to_user_string(), evaluation.check_name): evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
    }


def _looked_at_everything(result: dg.ExecuteInProcessResult) -> bool:
    (refresh,) = result.asset_materializations_for_node("provider_transactions")
    return bool(refresh.metadata["everything"].value)


def _materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def test_without_credentials_nothing_is_read_and_no_empty_snapshot_is_pretended(
    engine: Engine, settings: Settings, instance: dg.DagsterInstance
) -> None:
    result = _run(NIGHTLY, settings, instance)

    assert result.success
    assert "stripe_payment_intents" not in _materialised(result)
    assert {"provider_transactions", "activation_gaps", "findings/activation_gaps", "findings"} <= _materialised(result)
    assert _all(engine, "SELECT 1 FROM recon.coverage") == []
    graph = build_defs(default_resources(settings)).resolve_asset_graph()
    node = graph.get(dg.AssetKey("okx_deposits"))
    assert not node.is_executable
    assert "Not configured" in (node.description or "")


def test_a_night_finds_alerts_repairs_and_the_next_proves_it(
    engine: Engine, configured: Settings, world: World, instance: dg.DagsterInstance
) -> None:
    first = _run(NIGHTLY, configured, instance)

    assert first.success
    assert {row.complete for row in _all(engine, "SELECT complete FROM recon.coverage")} == {True}
    gaps = _all(engine, "SELECT finding_id, evidence FROM recon.findings WHERE report = 'activation_gaps'")
    assert gaps
    shown = first.asset_materializations_for_node("findings")[0].metadata
    assert "](data:image/svg+xml," in str(shown["open_over_time"].value)
    assert "CRITICAL" in str(shown["open_findings"].value)
    metadata = first.asset_materializations_for_node("activation_gaps")[0].metadata
    assert metadata["dagster/row_count"].value == len(gaps)

    _tell_until_quiet(engine, configured, instance)
    told = Counter(row.state for row in _all(engine, "SELECT state FROM recon.notifications WHERE channel = 'discord'"))
    del told["superseded"]  # gathered in digests: so much at once is a storm
    assert told == {"sent": len(world.state.discord.messages)}, "each once: nothing is left, nothing is there twice"

    earnest = dg.RunConfig(ops={"repair_live_findings": RepairConfig(dry_run=False, actor="test", limit=500)})
    assert _run("repair_findings", configured, instance, config=earnest).success
    assert _all(engine, "SELECT 1 FROM recon.actions WHERE state = 'verified'")

    second = _run(NIGHTLY, configured, instance, AS_OF + timedelta(seconds=30))
    assert second.success
    assert _looked_at_everything(second)
    left = _all(
        engine,
        "SELECT 1 FROM recon.findings WHERE report = 'activation_gaps' AND status <> 'resolved' "
        "AND coalesce(evidence ->> 'repairable', 'true') = 'true'",
    )
    assert left == []
    between = _run("refresh_reports", configured, instance, AS_OF + timedelta(seconds=60))
    assert between.success
    assert not _looked_at_everything(between)
    asked = {"ops": {"provider_transactions": {"config": {"everything": True}}}}
    assert _looked_at_everything(_run("refresh_reports", configured, instance, AS_OF + timedelta(seconds=90), asked))


def test_one_provider_down_leaves_the_others_and_fails_the_run_at_its_end(
    engine: Engine, configured: Settings, faults: FaultPlan, instance: dg.DagsterInstance
) -> None:
    """Also where yesterday's reading was complete: it must not vouch for today."""
    _execute(engine, YESTERDAY)
    faults.unauthorized("nowpayments", times=None)

    result = _run(NIGHTLY, configured, instance)

    assert not result.success
    checks = _checks(result)
    assert checks["stripe_payment_intents", "read_in_full"]
    assert not checks["nowpayments_payments", "read_in_full"]
    assert not checks["findings", "every_provider_was_read"]
    assert {"provider_transactions", "activation_gaps", "findings"} <= _materialised(result)
    found = {(row.report, row.provider) for row in _all(engine, "SELECT DISTINCT report, provider FROM recon.findings")}
    assert ("out_of_sync_payments", "stripe") in found
    assert not [report for report, provider in found if provider == "nowpayments" and load_reports()[report].coverage]
    certificates = _all(
        engine, "SELECT complete FROM recon.coverage WHERE provider = 'nowpayments' ORDER BY coverage_id"
    )
    assert [row.complete for row in certificates] == [True, False]


def test_repair_is_a_dry_run_unless_asked_otherwise(
    engine: Engine, settings: Settings, world: World, instance: dg.DagsterInstance
) -> None:
    assert _run("probe_activations", settings, instance).success
    assert _all(engine, "SELECT 1 FROM recon.actions") == []
    (finding, *_) = _all(
        engine,
        "SELECT finding_id FROM recon.findings WHERE coalesce(evidence ->> 'repairable', 'true') = 'true' "
        "ORDER BY finding_id",
    )

    one = dg.RunConfig(ops={"apply_activate_subscription": ActivateSubscription(finding_id=finding.finding_id)})
    assert _run("activate_subscription", settings, instance, config=one).success
    assert _run("repair_findings", settings, instance).success
    assert _all(engine, "SELECT 1 FROM recon.actions") == []

    earnest = dg.RunConfig(
        ops={
            "apply_activate_subscription": ActivateSubscription(
                finding_id=finding.finding_id, dry_run=False, actor="kim"
            )
        }
    )
    assert _run("activate_subscription", settings, instance, config=earnest).success
    assert [row.state for row in _all(engine, "SELECT state FROM recon.actions")] == ["verified"]


def test_activation_of_a_finding_that_does_not_exist_fails_and_says_so(
    engine: Engine, settings: Settings, instance: dg.DagsterInstance
) -> None:
    config = dg.RunConfig(ops={"apply_activate_subscription": ActivateSubscription(finding_id=4711)})

    assert not _run("activate_subscription", settings, instance, config=config).success


def test_probe_repairs_what_its_reports_find_in_the_same_run(
    engine: Engine, settings: Settings, world: World, instance: dg.DagsterInstance
) -> None:
    request, _ = probe(None, [Suspect("1", AS_OF)], None, now=AS_OF, until=AS_OF, run_config=in_earnest(*PROBED))
    assert isinstance(request, dg.RunRequest)
    tags = {"dagster/sensor_name": "activation_probe"}
    result = _run("probe_activations", settings, instance, config=request.run_config, tags=tags)

    assert result.success
    assert _materialised(result) == {
        "activation_gaps", "findings/activation_gaps", "wrong_tier", "findings/wrong_tier", "deliveries",
        "repairs",
    }  # fmt: skip
    states = {row.state for row in _all(engine, "SELECT DISTINCT state FROM recon.actions")}
    assert states == {"verified"}
    signed = _all(engine, "SELECT DISTINCT actor FROM recon.audit_log WHERE event LIKE 'action%'")
    assert [row.actor for row in signed] == ["policy"]
    how = {row.resolved_how for row in _all(engine, "SELECT DISTINCT resolved_how FROM recon.findings")}
    assert "action" in how, "and their findings are over with it"


def test_objects_of_two_modes_in_one_account_stop_the_run_before_they_are_counted(
    engine: Engine, configured: Settings, world: World, instance: dg.DagsterInstance
) -> None:
    _execute(engine, STRAY_REFUNDS, account=world.state.stripe.account_id)

    result = _run(NIGHTLY, configured, instance)

    assert not result.success
    assert not _checks(result)["stripe_refunds", "one_mode_an_account"]
    assert "provider_transactions" not in _materialised(result)

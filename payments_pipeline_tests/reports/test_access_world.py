"""Every fault and look-alike of lines E, read over HTTP from all three providers among residents who do no wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.entitlements import refresh_entitlements
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.reconcile import environment_settings
from payments_pipeline.sandbox.scoring import score
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Row
from payments_pipeline_tests.reports.small_world import DAYS, planted_by, reported, small_world

REPORTS = (
    "activation_gaps", "wrong_tier", "renewal_gaps", "unpaid_access", "refunded_access", "duplicate_payments",
)  # fmt: skip
RESOURCES = {"stripe": ("payment_intents", "refunds", "disputes"), "nowpayments": ("payments",), "okx": ("deposits",)}
MODULES = ("access", "access_lookalikes", "access_mixtures", "entitlement", "entitlement_lookalikes", "state", "crypto")


def read_all(engine: Engine, world: World, tmp: Path) -> None:
    with Sandbox(world.state) as sandbox:
        settings = environment_settings(sandbox.environment(), tmp)
        for configured in build_providers(settings, lambda: AS_OF):
            account = configured.identify()
            for name in RESOURCES[account.provider]:
                read = snapshot(
                    engine, configured, account, name, Window(AS_OF - DAYS, AS_OF),
                    as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF,
                )  # fmt: skip
                assert (read.error, read.complete) == (None, True)
    refresh_provider_transactions(engine, AS_OF)


@pytest.fixture(params=[1, 2])
def world(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    made = small_world(engine, planted_by(*MODULES), seed=request.param, users=300)
    read_all(engine, made, tmp_path)
    return made


def test_all_that_was_planted_is_found_and_nothing_else(engine: Engine, world: World) -> None:
    rows: dict[str, list[Row]] = reported(engine, REPORTS)
    reports, lines = score(world.labels, rows)
    assert {name: (tally.missed, tally.false) for name, tally in reports.items() if not tally.perfect} == {}
    assert all(tally.planted > 0 for tally in reports.values())
    assert {line for line in lines if line.startswith("E")} == {f"E{number}" for number in range(1, 16)}
    reasons = {row["reason"].split(":")[0] for row in rows["activation_gaps"]}
    assert {"webhook never came", "webhook failed", "webhook stuck", "processed and lost"} <= reasons
    assert any(row["reason"] == "webhook refused: signature invalid" for row in rows["activation_gaps"])
    _entitlements_agree(engine, rows)


def _entitlements_agree(engine: Engine, rows: dict[str, list[Row]]) -> None:
    """The stored judgement: who lacks something is entitled to it, who has it for nothing is not."""
    refresh_entitlements(engine, AS_OF)
    with engine.connect() as connection:
        stored = {
            row["user_ref"]: row
            for row in connection.execute(text("SELECT * FROM recon.entitlements")).mappings()
        }  # fmt: skip
    for row in [*rows["activation_gaps"], *rows["wrong_tier"]]:
        assert stored[str(row["user_id"])]["is_entitled"]
        assert stored[str(row["user_id"])]["tier"] == row["expected_tier"]
    assert not any(str(row["user_id"]) in stored for row in rows["unpaid_access"])

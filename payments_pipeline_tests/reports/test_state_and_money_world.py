"""Lines S and what providers tell, planted among clean residents and read over HTTP: all found, nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from payments_pipeline.db.sql import sql_root
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.reconcile import environment_settings
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.small_world import planted_by, reported, scores, small_world

REPORTS = (
    "out_of_sync_payments", "amount_mismatches", "orphan_provider_payments", "unknown_payments", "unmapped_statuses",
    "foreign_charges", "disputes", "failed_payments", "canceled_payments", "refunds",
)  # fmt: skip
MODULES = ("state", "state_lookalikes", "unlinked", "outcomes", "entitlement_lookalikes")
RESOURCES = {
    "payment_intents", "refunds", "charges", "disputes", "balance_transactions", "events", "checkout_sessions",
    "payments", "deposits",
}  # fmt: skip
WINDOW = Window(AS_OF - timedelta(days=90), AS_OF)
# Metadata that names another product is only understood by the deeper linking.
TELLS_FOREIGN = (sql_root() / "canonical" / "links").is_dir()


def read_all(engine: Engine, world: World, home: Path, window: Window = WINDOW) -> None:
    """Sweep what the reports need of all three providers, and bring provider transactions up to date."""
    with Sandbox(world.state) as sandbox:
        settings = environment_settings(sandbox.environment(), home)
        for provider in build_providers(settings, lambda: AS_OF):
            account = provider.identify()
            for name in RESOURCES & provider.resources.keys():
                read = snapshot(
                    engine, provider, account, name, window, as_of=AS_OF, mode="sweep", run_id=None,
                    clock=lambda: AS_OF,
                )  # fmt: skip
                assert (read.error, read.complete) == (None, True), name
    refresh_provider_transactions(engine, AS_OF)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_planted_difference_and_event_is_found_and_nothing_else(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    faults = [name for name in planted_by(*MODULES) if TELLS_FOREIGN or "another_product" not in name]
    world = small_world(engine, faults, seed=seed, users=300)
    read_all(engine, world, tmp_path)
    for name, tally in scores(engine, world, REPORTS).items():
        assert (name, tally.missed, tally.false) == (name, [], [])
        assert tally.planted >= 2 or name == "foreign_charges", name
    lines = {label.line for label in world.labels if label.report in REPORTS}
    assert lines >= {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S12", "E7", "E8", "E11", "E13"}


def test_a_town_where_nothing_goes_wrong_gives_only_what_providers_tell(engine: Engine, tmp_path: Path) -> None:
    world = small_world(engine, [], seed=5, users=200)
    read_all(engine, world, tmp_path)
    told = {"refunds", "failed_payments", "canceled_payments", "disputes"}
    assert {name: rows for name, rows in reported(engine, REPORTS).items() if rows and name not in told} == {}
    assert all(tally.perfect for tally in scores(engine, world, REPORTS).values())


def test_a_short_list_says_nothing_of_payments_made_before_it_begins(engine: Engine, tmp_path: Path) -> None:
    world = small_world(engine, planted_by("unlinked"), seed=3, users=100)
    read_all(engine, world, tmp_path, Window(AS_OF - timedelta(days=30), AS_OF))
    tally = scores(engine, world, ["unknown_payments"])["unknown_payments"]
    rows = {str(row["id"]): row for row in world.tables["payment_transactions"]}
    assert tally.false == []
    assert tally.found > 0
    assert tally.missed
    assert all(rows[missed["payment_id"]]["created_at"] < AS_OF - timedelta(days=29) for missed in tally.missed)

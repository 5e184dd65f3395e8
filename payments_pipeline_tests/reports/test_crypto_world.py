"""Lines C1 to C14 planted among clean residents, read over HTTP, matched, reported on: all is found, nothing else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.reconcile import environment_settings
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.small_world import DAYS, planted_by, scores, small_world
from payments_pipeline_tests.reports.test_crypto_deposits import REPORTS

MODULES = ("crypto", "crypto_lookalikes", "crypto_deposits", "crypto_deposit_lookalikes")
LINES = {f"C{number}" for number in range(1, 15)}


def read_crypto(engine: Engine, world: World, home: Path) -> None:
    """Sweep the gateway and the exchange over HTTP, and match."""
    with Sandbox(world.state) as sandbox:
        settings = environment_settings(sandbox.environment() | {"OKX_CALLS_PER_SECOND": "6"}, home)
        for provider in build_providers(settings, lambda: AS_OF):
            if provider.name == "stripe":
                continue
            account = provider.identify()
            for resource in provider.resources:
                window = Window(AS_OF - DAYS, AS_OF + timedelta(seconds=1))
                read = snapshot(
                    engine, provider, account, resource, window, as_of=AS_OF, mode="sweep", run_id=None,
                    clock=lambda: AS_OF,
                )  # fmt: skip
                assert (read.error, read.complete) == (None, True)
    refresh_provider_transactions(engine, AS_OF)
    refresh_deposit_matches(engine, AS_OF)


def mistakes(engine: Engine, world: World, reports: Collection[str] = REPORTS) -> dict[str, list[object]]:
    found = scores(engine, world, reports)
    return {name: [tally.missed, tally.false] for name, tally in found.items() if not tally.perfect}


@pytest.mark.parametrize("seed", [1, 2])
def test_all_that_was_planted_is_found_and_nothing_else(engine: Engine, tmp_path: Path, seed: int) -> None:
    world = small_world(engine, planted_by(*MODULES), seed=seed, users=300)
    read_crypto(engine, world, tmp_path)
    assert mistakes(engine, world, (*REPORTS, "activation_gaps", "out_of_sync_payments")) == {}
    assert {label.line for label in world.labels if label.line.startswith("C")} == LINES
    planted = scores(engine, world, REPORTS)
    assert all(tally.planted for tally in planted.values())


def test_residents_who_pay_in_crypto_show_nowhere(engine: Engine, tmp_path: Path) -> None:
    world = small_world(engine, (), seed=5, users=500)
    read_crypto(engine, world, tmp_path)
    assert mistakes(engine, world) == {}

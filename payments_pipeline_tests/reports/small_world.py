"""A world with chosen faults, read over HTTP and reported on as in production, without Dagster.

Belongs here: the way from a world to report rows. Does not belong here: what a report should say (the world's labels).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from sqlalchemy import Engine

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.reconcile import report_rows
from payments_pipeline.reports import materialise
from payments_pipeline.sandbox.faults import FAULTS
from payments_pipeline.sandbox.scoring import Score, score
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World, build_world, write_application
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.providers.stripe_history import provider
from payments_pipeline_tests.reports.ledger import Row, shipped

DAYS = timedelta(days=90)


def planted_by(*modules: str) -> list[str]:
    """Names of all faults of these modules of sandbox/faults/."""
    return [name for name, fault in FAULTS.items() if fault.plant.__module__.rsplit(".", 1)[-1] in modules]


def read_stripe(engine: Engine, world: World, resources: Iterable[str]) -> None:
    """Sweep these resources over HTTP, and bring provider transactions up to date."""
    with Sandbox(world.state) as sandbox:
        made = provider(sandbox.stripe_base)
        account = made.identify()
        for name in resources:
            read = snapshot(
                engine, made, account, name, Window(AS_OF - DAYS, AS_OF + timedelta(seconds=1)),
                as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF,
            )  # fmt: skip
            assert (read.error, read.complete) == (None, True)
    refresh_provider_transactions(engine, AS_OF)


def reported(engine: Engine, reports: Collection[str]) -> dict[str, list[Row]]:
    """All rows of these reports as of AS_OF."""
    rows = {}
    for name in reports:
        materialise(engine, shipped()[name], as_of=AS_OF, overrides={}, run_id=None)
        with engine.connect() as connection:
            rows[name] = report_rows(connection, name)
    return rows


def small_world(engine: Engine, faults: Collection[str], *, seed: int, users: int) -> World:
    """Build the world and write its application's tables."""
    world = build_world(seed, users, AS_OF, only=faults)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    return world


def scores(engine: Engine, world: World, reports: Collection[str]) -> dict[str, Score]:
    """Each report held against the world's labels."""
    return score(world.labels, reported(engine, reports))[0]

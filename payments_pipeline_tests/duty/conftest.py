"""One world, reconciled and repaired once, that all commands of a person on duty are asked about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Engine

from payments_pipeline.assets.canonical import NIGHTLY
from payments_pipeline.config import Settings
from payments_pipeline.db.engine import driver_connection, engine_for
from payments_pipeline.reconcile import environment_settings, local_runs
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World, build_world, write_application
from payments_pipeline_tests.conftest import AS_OF, TEMPLATE


@dataclass(frozen=True)
class Town:
    """A world whose providers answer and whose database was reconciled at AS_OF."""

    world: World
    sandbox: Sandbox
    settings: Settings
    engine: Engine

    def labelled(self, fault: str, report: str) -> dict[str, str]:
        """The key of a finding that was planted."""
        return next(
            label.key
            for label in self.world.labels
            if label.expected and (label.fault, label.report) == (fault, report)
        )


@pytest.fixture(scope="session")
def town(server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    name = sql.Identifier(f"town_{os.getpid()}")
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))
    url = server.set(database=f"town_{os.getpid()}").render_as_string(hide_password=False)
    engine = engine_for(url)
    world = build_world(5, 40, AS_OF)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    with Sandbox(world.state) as sandbox:
        home = tmp_path_factory.mktemp("town")
        settings = environment_settings({**sandbox.environment(), "DATABASE_URL": url}, home)
        with local_runs(settings, AS_OF, world.ahead_seconds) as runs:
            assert runs.run(NIGHTLY)
            runs.tick("repairs_due")
        yield Town(world, sandbox, settings, engine)
    engine.dispose()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

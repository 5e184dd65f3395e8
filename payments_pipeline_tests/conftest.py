"""Shared fixtures: a real PostgreSQL (embedded) with a fresh, migrated database for each test that asks for one.

What tests write is thrown away, so it is kept in memory where the machine offers a file system for that: a fresh
database costs a fiftieth of what it does on a busy disk.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from sqlalchemy import URL, Engine, create_engine

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.ingest.collector import collect_seldom

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from payments_pipeline_tests.terminal import Typed

AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
TEMPLATE = "template_migrated"
SERVER = "PAYMENTS_TEST_SERVER"  # where the server of the run is in which a test starts another pytest
LONG = [
    "test_dev.py", "test_demo.py", "test_run_launcher.py", "test_nightly.py", "test_snapshot_assets.py",
    "test_accuracy.py", "test_rounds.py", "test_doctor.py", "test_jobs.py", "test_ingest_changes.py",
    "test_same_rule.py", "test_histories.py", "test_plans.py", "test_intraday.py", "test_state_and_money_world.py",
    "test_holds_and_payouts_world.py", "test_crypto_world.py", "test_package.py", "test_documents.py",
    "test_json_output.py",
]  # fmt: skip
TOWN = "payments_pipeline_tests/duty/"  # one town for all of its files
MEMORY = Path("/dev/shm")  # noqa: S108  (Linux only; a directory of our own is made in it)
MEMORY_NEEDED = 6 * 2**30
LOG_TAIL = 8_000


def pytest_configure() -> None:
    """Temporary directories go where the databases go, unless somebody said otherwise."""
    collect_seldom()  # Dagster and thousands of tests stay to the end, too
    if _scratch() == MEMORY:
        root = MEMORY / f"payments_pipeline_{os.getuid()}"
        root.mkdir(mode=0o700, exist_ok=True)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(root))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: the workers then end at about the same time."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """A file stays with one worker, and so do the files that ask one town: it would be built once for each worker."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):  # type: ignore[misc]  # xdist says nothing of types
        def _split_scope(self, nodeid: str) -> str:
            return TOWN if nodeid.startswith(TOWN) else str(super()._split_scope(nodeid))

    return Together(config, log)


def _scratch() -> Path:
    """Where what is thrown away is written."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return MEMORY if roomy else Path(tempfile.gettempdir())


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PAYMENTS_HOME of `server`, for commands that make databases of their own there."""
    if SERVER in os.environ:
        return Path(os.environ[SERVER])
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "server"


@pytest.fixture(scope="session")
def server(server_home: Path) -> Iterator[URL]:
    """One embedded server for all workers of a test run; the last worker out stops it."""
    home = server_home
    home.mkdir(parents=True, exist_ok=True)
    users = home / "users"
    with FileLock(home / "fixture.lock"):
        users.mkdir(exist_ok=True)
        (users / str(os.getpid())).touch()
        url = embedded.server_url(home, "postgres")
        with psycopg.connect(_dsn(url), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            # Each new database is a checkpoint, after which every page that is touched would go to the log whole.
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if found is None:
            template = embedded.ensure_database(url, TEMPLATE)
            migrated = create_engine(template)
            upgrade(migrated)
            migrated.dispose()
    yield url
    with FileLock(home / "fixture.lock"):
        (users / str(os.getpid())).unlink(missing_ok=True)
        if not any(users.iterdir()):
            embedded.stop(home)
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def database(server: URL, server_home: Path, request: pytest.FixtureRequest) -> Iterator[URL]:
    """URL of a fresh, migrated, empty database; dropped after the test."""
    name = f"test_{os.getpid()}_{abs(hash(request.node.nodeid)) % 10**10}"
    try:
        _create(server, name)
    except psycopg.OperationalError as error:
        # The server went away for a moment. Its own words tell why, and are gone with its folder after the run.
        log = (server_home / "postgres" / "log").read_text(encoding="utf-8", errors="replace")
        print(f"{name}: {error}\n{log[-LOG_TAIL:]}", file=sys.__stderr__)
        time.sleep(5)
        _create(server, name)
    yield server.set(database=name)
    with psycopg.connect(_dsn(server), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def engine(database: URL) -> Iterator[Engine]:
    """Engine on the fresh database, as the code under test would get it."""
    engine = engine_for(database.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name the fresh database and no provider; the developer's own environment does not leak in."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return load_settings(
        _env_file=None, database_url=database.render_as_string(hide_password=False), payments_home=tmp_path
    )


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`payments-pipeline WORDS` in this process, in an empty folder, with nothing of the developer's environment."""
    from payments_pipeline_tests.terminal import typed_in

    return typed_in(tmp_path, monkeypatch, capsys)


def _create(server: URL, name: str) -> None:
    with psycopg.connect(_dsn(server), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)

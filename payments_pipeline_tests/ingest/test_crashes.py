"""Crashes: a backfill killed by the system, a database that restarts in the middle of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.errors import TransientError
from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.providers import stripe_lists
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.ingest.served import (
    INTENTS,
    KEY,
    MONTH,
    NOW,
    bring_up,
    calls,
    empty,
    fill,
    ids,
    stripe,
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Seven payments at Stripe over the month, three a page."""
    monkeypatch.setattr(stripe_lists, "PAGE_LIMIT", 3)
    fill(running)
    return running


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    empty(shared_engine)


BACKFILL = textwrap.dedent("""
    import sys
    from datetime import datetime, timedelta
    from payments_pipeline.config import load_settings
    from payments_pipeline.db.engine import engine_for
    from payments_pipeline.ingest.backfill import backfill
    from payments_pipeline.providers.base import Window
    from payments_pipeline.providers.stripe import StripeProvider

    database, base, key, now = sys.argv[1:]
    now = datetime.fromisoformat(now)
    provider = StripeProvider(load_settings(_env_file=None, stripe_api_base=base, stripe_api_key=key), lambda: now)
    backfill(
        engine_for(database), provider, provider.identify(), "payment_intents", Window(now - timedelta(days=30), now),
        as_of=now, run_id="killed", clock=lambda: now, ranges=30, threads=2,
    )
""")


def test_a_backfill_killed_by_the_system_is_taken_up_where_it_stopped(engine: Engine, sandbox: Sandbox) -> None:
    asked = threading.Semaphore(0)

    def note(_provider: str, path: str, _page: int) -> None:
        if path == INTENTS:
            asked.release()

    sandbox.faults.on_page = note
    sandbox.faults.latency["stripe"] = 0.05
    command = [sys.executable, "-c", BACKFILL, engine.url.render_as_string(hide_password=False)]
    with subprocess.Popen([*command, sandbox.stripe_base, KEY, NOW.isoformat()], env=clean_environment()) as process:
        for _ in range(12):
            assert asked.acquire(timeout=30), "the backfill does not get on"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    sandbox.faults.latency.clear()
    certified = certificates(engine)
    assert 0 < len(certified) < 30
    assert all(certified)
    before = calls(sandbox)
    provider = stripe(sandbox)
    made = backfill(
        engine, provider, provider.identify(), "payment_intents", MONTH,
        as_of=NOW, run_id=None, clock=lambda: NOW, ranges=30, threads=2,
    )  # fmt: skip
    assert all(one.complete for one in made)
    assert ids(engine) == set(sandbox.state.stripe.payment_intents)
    left = timedelta(days=30 - len(certified))
    assert sum((one.window_to - one.window_from for one in made), timedelta()) == left, "what was certified is not read"
    assert calls(sandbox) - before >= len(made)
    engine.dispose()  # what is left now was left by the dead; the living keep their private tables for the next fetch
    assert left_overs(engine) == []


def certificates(engine: Engine) -> Sequence[bool]:
    with engine.connect() as connection:
        return connection.execute(text("SELECT complete FROM recon.coverage")).scalars().all()


def left_overs(engine: Engine) -> Sequence[str]:
    """Sessions that a dead process left behind, and their temporary tables; the server needs a moment to notice."""
    statement = text(
        "SELECT c.relname FROM pg_class AS c WHERE c.relpersistence = 't' AND c.relname LIKE 'snapshot_stage%'"
    )
    for _ in range(50):
        with engine.connect() as connection:
            found = connection.execute(statement).scalars().all()
        if not found:
            break
        time.sleep(0.1)
    return found


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "DATABASE_"))}


def test_a_database_that_restarts_in_mid_run_is_a_transient_error_and_the_next_run_makes_it_good(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    url = embedded.ensure_database(embedded.server_url(tmp_path), "payments")
    try:
        migrated = create_engine(url)
        upgrade(migrated)
        migrated.dispose()
        engine = engine_for(url.render_as_string(hide_password=False))
        provider = stripe(sandbox)
        bring_up(engine, provider, "refunds")
        restarts = iter([1])

        def restart(_provider: str, path: str, page: int) -> None:
            if (path, page) == (INTENTS, 2) and next(restarts, None):
                embedded.stop(tmp_path)
                embedded.server_url(tmp_path)

        sandbox.faults.on_page = restart
        with pytest.raises(TransientError, match=r"PostgreSQL failed us .* What to do: Run again"):
            bring_up(engine, provider, "payment_intents")
        assert ids(engine) == set(), "rows without a certificate would be worth nothing"
        assert all(one.complete for one in bring_up(engine, provider, "payment_intents", "charges"))
        assert ids(engine) == set(sandbox.state.stripe.payment_intents)
        engine.dispose()
    finally:
        embedded.stop(tmp_path)

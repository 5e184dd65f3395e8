"""Pooled connections: one that the server has ended is replaced unseen, one that was used a moment ago is not asked."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, text

from payments_pipeline.db import engine as engines
from payments_pipeline.db.engine import engine_for


@pytest.fixture
def pooled(database: URL) -> Iterator[Engine]:
    """An engine of its own with one connection in its pool."""
    made = engine_for.__wrapped__(database.render_as_string(hide_password=False))
    with made.connect() as connection:
        connection.execute(text("SELECT 1"))
    yield made
    made.dispose()


@pytest.fixture
def onlooker(database: URL) -> Iterator[Connection]:
    """Sees what the server knows of other connections."""
    made = create_engine(database, isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        yield connection
    made.dispose()


def sessions(onlooker: Connection) -> list[tuple[Any, ...]]:
    found = onlooker.execute(
        text(
            "SELECT pid, query, state_change FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'payments_pipeline' ORDER BY pid"
        )
    )
    return [tuple(row) for row in found]


def test_connections_that_the_server_ended_are_replaced_before_anybody_notices(
    pooled: Engine, onlooker: Connection
) -> None:
    with pooled.connect(), pooled.connect():
        before = [row[0] for row in sessions(onlooker)]
    assert len(before) == 2
    for pid in before:
        onlooker.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    for _ in before:
        with pooled.connect() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() not in before


@pytest.mark.parametrize(
    "waiting", [b"", b"of no protocol " * 9, b"T\0\0\0\6\0\0Z\0\0\0\5I"], ids=["cut", "noise", "out of step"]
)
def test_a_connection_that_no_longer_understands_its_server_is_replaced(pooled: Engine, waiting: bytes) -> None:
    with pooled.connect() as connection:
        fileno = connection.connection.driver_connection.fileno()  # type: ignore[union-attr]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.dup2(ours.fileno(), fileno)
        theirs.send(waiting)
    with pooled.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_news_that_nobody_asked_for_cost_a_connection_one_question_and_not_its_life(
    pooled: Engine, onlooker: Connection
) -> None:
    with pooled.connect() as connection:
        connection.execute(text("LISTEN news"))
        connection.commit()
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        arrives = select.poll()
        arrives.register(connection.connection.driver_connection.fileno(), select.POLLIN)  # type: ignore[union-attr]
    onlooker.execute(text("NOTIFY news"))
    assert arrives.poll(10_000)
    with pooled.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == own
    before = sessions(onlooker)
    with pooled.connect():
        assert sessions(onlooker) == before


def test_a_connection_used_a_moment_ago_is_not_asked_whether_it_lives(pooled: Engine, onlooker: Connection) -> None:
    before = sessions(onlooker)
    with pooled.connect():
        assert sessions(onlooker) == before


def test_a_connection_that_lay_idle_for_long_is_asked(
    pooled: Engine, onlooker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sessions(onlooker)
    monkeypatch.setattr(engines, "UNASKED", 0.0)
    time.sleep(0.001)
    with pooled.connect():
        assert sessions(onlooker) != before

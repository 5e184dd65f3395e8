"""Dagster's books on our server: few connections, and none that is trusted after the server has gone away."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import URL, text

from payments_pipeline.dagster_storage import ProjectStorage
from payments_pipeline.db import embedded


@pytest.fixture
def books(server: URL) -> Iterator[str]:
    """The address of an empty database for them."""
    url = embedded.fresh_database(server, f"test_books_{os.getpid()}")
    yield url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.autocommit = True
        connection.execute(
            psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg.sql.Identifier(url.database or ""))
        )


def sessions(*storages: ProjectStorage) -> set[int]:
    """The server's processes that answer runs, events and schedules, one statement after the other."""
    found = set()
    for storage in storages:
        runs, events, schedules = (storage._run_storage, storage._event_log_storage, storage._schedule_storage)
        for connected in (runs.connect, events.index_connection, schedules.connect):
            with connected() as connection:
                found.add(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    return found


def test_all_that_a_process_writes_takes_one_connection_and_a_new_one_after_the_server_ended_it(books: str) -> None:
    storages = [ProjectStorage(books), ProjectStorage(books)]
    before = sessions(*storages)
    assert len(before) == 1
    with psycopg.connect(books.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(before)])
    after = sessions(*storages)
    assert len(after) == 1
    assert after != before

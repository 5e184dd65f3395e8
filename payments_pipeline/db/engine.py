"""SQLAlchemy engines: which server, which driver, which session settings. Does not know any table."""

from __future__ import annotations

import select
import time
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from payments_pipeline.config import Settings
from payments_pipeline.db import embedded
from payments_pipeline.errors import ConfigurationError

DAGSTER_DATABASE = "dagster"
UNASKED = 30.0
"""Seconds. A connection that lay idle for longer may have been cut by something between us and the server, unheard."""
_PUT_BACK = "put_back_at"


def database_url(settings: Settings) -> URL:
    """Where the project's tables are; starts the embedded server when DATABASE_URL is unset.

    Raises:
        ConfigurationError: DATABASE_URL is not a PostgreSQL URL.
    """
    if settings.database_url is None:
        return embedded.server_url(settings.payments_home)
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            "DATABASE_URL is not a PostgreSQL URL.",
            where="DATABASE_URL",
            remedy="Write it as postgresql://user:password@host:5432/database, or unset it for the embedded server.",
        )
    return url.set(drivername="postgresql+psycopg")


def dagster_storage_url(settings: Settings) -> URL:
    """Dagster's own storage: database `dagster` on the same server, created if absent, for psycopg2."""
    url = embedded.ensure_database(database_url(settings), DAGSTER_DATABASE)
    return url.set(drivername="postgresql+psycopg2")


def get_engine(settings: Settings) -> Engine:
    """The engine of this process for these settings; one pool per URL."""
    return engine_for(database_url(settings).render_as_string(hide_password=False))


@cache
def engine_for(url: str) -> Engine:
    """An engine with UTC sessions that checks a pooled connection before it is used, where it may have been cut."""
    engine = create_engine(
        url,
        pool_size=5,
        max_overflow=15,
        connect_args={"application_name": "payments_pipeline", "connect_timeout": 10},
    )

    @event.listens_for(engine, "connect")
    def _utc(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.close()
        connection.commit()  # type: ignore[attr-defined]

    @event.listens_for(engine, "checkin")
    def _note_when(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_PUT_BACK] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask_the_silent(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        put_back_at = record.info.get(_PUT_BACK)
        if put_back_at is None or not _may_be_cut(connection, time.monotonic() - put_back_at):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:  # out of step with the server is as useless as cut
            raise InvalidatePoolError from error

    return engine


def _may_be_cut(connection: psycopg.Connection, idle: float) -> bool:
    """Whether it lay idle for long, or its socket holds what nobody asked for: a server that ends says so.

    Asking each time, as the pool would, is three of the dozen round trips of a small transaction.
    """
    if idle > UNASKED or connection.closed:
        return True
    waiting = select.poll()  # select() refuses descriptors above 1,023
    waiting.register(connection.fileno(), select.POLLIN | select.POLLPRI)
    return bool(waiting.poll(0))


@cache
def side_engine_for(url: str) -> Engine:
    """A small autocommit engine with time-outs of seconds, for statements that nothing may wait long for."""
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=0,
        pool_timeout=2,
        connect_args={"application_name": "payments_pipeline", "connect_timeout": 3, "tcp_user_timeout": 3000},
    )


def driver_connection(connection: Connection) -> psycopg.Connection:
    """The psycopg connection under a SQLAlchemy one, in the same transaction: for COPY and for files of statements."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  (every engine of ours is built for psycopg 3)
    return driver

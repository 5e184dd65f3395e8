"""The embedded server: starts on demand, outlives its starter, is shared, survives crashes and stale files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from payments_pipeline.db import embedded
from payments_pipeline.errors import ConfigurationError

START = """
import sys
from pathlib import Path
from payments_pipeline.db import embedded
url = embedded.server_url(Path(sys.argv[1]))
print(url.set(drivername="postgresql").render_as_string(hide_password=False), flush=True)
if sys.argv[2] == "linger":
    import time
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, stopped afterwards."""
    home = tmp_path_factory.mktemp("embedded")
    yield home
    embedded.stop(home)


def start(home: Path, then: str = "leave") -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", START, str(home), then], stdout=subprocess.PIPE, text=True)


def dsn_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_process_finds_the_server_of_the_first(home: Path) -> None:
    with start(home) as first:
        dsn = dsn_from(first)
    with start(home) as second:
        assert dsn_from(second) == dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("payments",)


def test_two_processes_that_start_at_once_share_one_server(home: Path) -> None:
    embedded.stop(home)
    with start(home) as first, start(home) as second:
        assert dsn_from(first) == dsn_from(second) != ""


def test_the_server_survives_its_killed_parent(home: Path) -> None:
    with start(home, "linger") as parent:
        dsn = dsn_from(parent)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_committed_rows_survive_a_killed_server(home: Path) -> None:
    url = embedded.server_url(home)
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    postmaster = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    time.sleep(0.5)
    embedded.server_url(home)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_a_pid_file_that_names_another_process_does_not_fool_it(home: Path) -> None:
    embedded.server_url(home)
    assert embedded.stop(home)
    stale = home / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{home / 'postgres'}\n1\n5432\n{home / 'postgres'}\n\n\nready\n")
    url = embedded.server_url(home)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_database_is_created_once_when_many_ask_at_once(home: Path) -> None:
    url = embedded.server_url(home)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: embedded.ensure_database(url, "wanted").database, range(8)))
    assert found == ["wanted"] * 8


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    assert embedded.stop(tmp_path) is False


def test_it_stops_although_somebody_is_still_connected(home: Path) -> None:
    url = embedded.server_url(home)
    lingering = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    assert embedded.stop(home)
    lingering.close()


def test_a_full_disk_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ROOM_TO_BEGIN", 1 << 60)
    with pytest.raises(ConfigurationError, match="MB are free"):
        embedded.server_url(tmp_path)
    assert not (tmp_path / "postgres").exists()

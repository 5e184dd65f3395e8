"""What a user can meet is one sentence with cause and remedy, exit code 2, and no trace unless asked for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sqlalchemy import URL

from payments_pipeline_tests.test_demo import command, pointing_at


def test_a_database_that_refuses_is_said_in_one_sentence_and_traced_on_request(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = {"DATABASE_URL": f"postgresql://someone:secret@127.0.0.1:{closed.getsockname()[1]}/none"}
        told = command(tmp_path, "check", **away)
        traced = command(tmp_path, "--debug", "check", **away)
    assert told.returncode == traced.returncode == 2
    assert "What to do:" in told.stderr
    assert "Traceback" not in told.stderr
    assert "Traceback" in traced.stderr
    assert "secret" not in told.stderr


def test_a_file_that_can_not_be_written_is_said_in_one_sentence(tmp_path: Path, database: URL) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")
    told = command(
        tmp_path, "report", "refunds", "--json", "plain/rows.json", **pointing_at(database, {})
    )  # fmt: skip
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert "plain" in told.stderr


@pytest.mark.skipif(not Path("/dev/full").exists() or os.name != "posix", reason="needs /dev/full, a disk that is full")
def test_a_full_disk_is_said_so(tmp_path: Path, database: URL) -> None:
    told = command(tmp_path, "report", "refunds", "--csv", "/dev/full", **pointing_at(database, {}))
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert "No space left" in told.stderr

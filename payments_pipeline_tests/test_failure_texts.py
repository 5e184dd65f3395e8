"""What a user can meet is one sentence with cause and remedy, exit code 2, and no trace unless asked for."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Engine, text

from payments_pipeline.failure_texts import told
from payments_pipeline_tests.terminal import Answer, Typed
from payments_pipeline_tests.test_demo import command

WINDOW = ("--from", "2026-10-01", "--to", "2026-10-02")


@pytest.fixture
def here(database: URL) -> dict[str, str]:
    return {"DATABASE_URL": database.render_as_string(hide_password=False)}


def is_clear(answer: Answer) -> bool:
    """One sentence or two, a remedy, no trace, nothing on standard output."""
    (line,) = answer.err.strip().splitlines()
    return answer.code == 2 and line.startswith("Error: ") and "What to do: " in line and "Traceback" not in answer.out


def test_a_database_that_refuses_is_said_in_one_sentence_and_traced_on_request(typed: Typed, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = {"DATABASE_URL": f"postgresql://someone:secret@127.0.0.1:{closed.getsockname()[1]}/none"}
        answer = typed("check", **away)
        traced = command(tmp_path, "--debug", "check", **away)
    assert answer.code == traced.returncode == 2
    assert "What to do: check DATABASE_URL" in answer.err
    assert "Traceback" not in answer.err
    assert "Traceback" in traced.stderr
    assert "secret" not in answer.err


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (("report", "nonsense"), {}, "There is no report 'nonsense'"),
        (("report", "--csv", "rows.csv"), {}, "--csv needs the NAME of a report"),
        (("stats", "nonsense"), {}, "There is no statistic 'nonsense'"),
        (("coverage", "--provider", "nonsense"), {}, "There is no provider 'nonsense'"),
        (("report", "refunds", "--as-of", "yesterday"), {}, "'yesterday' is not a time"),
        (("backfill", "stripe", "--from", "2026-13-01", "--to", "2026-10-01"), {}, "'2026-13-01' is not a time"),
        (("check",), {"HTTP_MAX_ATTEMPTS": "many"}, "HTTP_MAX_ATTEMPTS"),
        (("check",), {"PROVIDER_ACCOUNTS": "[{"}, "must be JSON"),
        (("check",), {"DATABASE_URL": "mysql://localhost/shop"}, "DATABASE_URL is not a PostgreSQL URL"),
        (("backfill", "okx", *WINDOW), {"OKX_API_KEY": "k"}, "OKX_API_SECRET"),
        (("backfill", "stripe", *WINDOW), {}, "stripe"),
        (("report", "refunds", "--json", "plain/rows.json"), {}, "plain is a file"),
        (("report", "refunds", "--csv", "."), {}, "it is a folder"),
        (("db", "upgrade"), {"CONTRACT_DIR": "nowhere"}, "CONTRACT_DIR names no folder"),
        (("db", "upgrade"), {"CONTRACT_DIR": "contract"}, "view app_plans can't be read: it is not UTF-8"),
        (("check",), {"DATABASE_URL": "", "PAYMENTS_HOME": "plain"}, "PAYMENTS_HOME"),
        (("user", "nobody@example.com"), {}, "nobody@example.com"),
        (("payment", "pi_nothing"), {}, "pi_nothing"),
        (("findings", "show", "7"), {}, "There is no finding 7"),
        (("actions", "show", "7"), {}, "There is no action 7"),
    ],
)
def test_mistakes_are_told_with_their_remedy(
    typed: Typed, here: dict[str, str], tmp_path: Path, words: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "app_plans.sql").write_bytes(b"\xff\xfe")
    answer = typed(*words, **{**here, **variables})
    assert is_clear(answer), answer
    assert said in answer.err


def test_a_database_that_was_never_migrated_or_is_behind_asks_for_its_upgrade(
    typed: Typed, here: dict[str, str], engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.schema_version SET version_num = '0001'"))
    answer = typed("check", **here)
    assert is_clear(answer)
    assert "payments-pipeline db upgrade" in answer.err
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA recon CASCADE"))
    for words in (("check",), ("findings", "list"), ("actions", "list"), ("audit", "verify")):
        answer = typed(*words, **here)
        assert is_clear(answer), (words, answer)
        assert "payments-pipeline db upgrade" in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists() or os.name != "posix", reason="needs /dev/full, a disk that is full")
def test_a_full_disk_is_said_so(typed: Typed, here: dict[str, str]) -> None:
    for words in (("--csv", "/dev/full"), ("--json", "/dev/full")):
        answer = typed("report", "refunds", *words, **here)
        assert is_clear(answer)
        assert "No space left" in answer.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.OperationalError('connection failed: FATAL: password authentication failed for user "x"'), "password"),
        (psycopg.OperationalError("connection failed: Connection refused"), "check DATABASE_URL"),
        (psycopg.errors.InvalidCatalogName('database "x" does not exist'), "create that database"),
        (psycopg.errors.InsufficientPrivilege("permission denied for schema recon"), "grant"),
        (psycopg.errors.DiskFull("could not extend file"), "free some disk space"),
        (psycopg.errors.SyntaxError("syntax error"), "doctor"),
        (OSError(errno.ENOSPC, "No space left on device", "/srv/x"), "free some disk space under /srv/x"),
        (OSError(errno.EROFS, "Read-only file system", "/srv/x"), "can be written"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/x"), "ours to read and write"),
        (ValueError("strange"), "--debug"),
    ],
)
def test_errors_of_others_are_told_with_a_remedy_too(error: Exception, said: str) -> None:
    sentence = told(error)
    assert "What to do: " in sentence
    assert said in sentence
    assert "\n" not in sentence


def test_a_database_that_is_not_there_older_or_newer_is_said_with_what_to_do(
    typed: Typed, here: dict[str, str], engine: Engine
) -> None:
    nowhere = typed("check", DATABASE_URL=here["DATABASE_URL"].replace("/test_", "/no_such_"))
    assert is_clear(nowhere)
    assert "create that database" in nowhere.err
    for revision, remedy in (("0003", "db upgrade"), ("9999", "Install the newer payments-pipeline")):
        with engine.begin() as connection:
            connection.execute(text("UPDATE recon.schema_version SET version_num = :revision"), {"revision": revision})
        for words in (("check",), ("report", "refunds"), ("report",), ("user", "1")):
            refused = typed(*words, **here)
            assert is_clear(refused), words
            assert remedy in refused.err, words

"""The commands that people type about findings, against a real database."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from payments_pipeline.cli import app
from payments_pipeline.config import Settings
from payments_pipeline.errors import PermanentError
from payments_pipeline_tests.findings.conftest import Desk


@pytest.fixture
def desk_at_a_terminal(desk: Desk, database: URL, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("COLUMNS", "200")
    desk.anomaly("a", amount="20.10")
    desk.refresh()
    return desk


def say(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["findings", *words])
    if isinstance(result.exception, PermanentError):
        raise result.exception
    return result.exit_code, result.output


def test_findings_are_listed_and_shown_for_people_and_for_machines(desk_at_a_terminal: Desk) -> None:
    code, table = say("list")
    assert code == 1
    assert "amiss" in table
    code, text = say("list", "--json")
    assert [(row["finding_id"], row["amount"]) for row in json.loads(text)] == [(1, "20.10")]
    assert "Read in full when it was found" in say("show", "1")[1]
    story = json.loads(say("show", "1", "--json")[1])
    assert story["finding"]["found_evidence"]["thing"] == "a"
    assert len(story["coverage"]) == 2


def test_a_list_is_narrowed_and_says_what_it_leaves_out(desk_at_a_terminal: Desk) -> None:
    desk_at_a_terminal.anomaly("b", severity="CRITICAL", amount="1.00")
    desk_at_a_terminal.refresh()
    assert "Live findings: 2; the first 1 of them, --limit 2 shows all" in say("list", "--limit", "1")[1]
    assert [row["severity"] for row in json.loads(say("list", "--severity", "critical", "--json")[1])] == ["CRITICAL"]
    mine = json.loads(say("list", "--json")[1])[0]["user_ref"]
    assert all(row["user_ref"] == mine for row in json.loads(say("list", "--user", str(mine), "--json")[1]))
    assert say("list", "--user", "nobody") == (0, "No such finding is open.\n")
    assert say("list", "--severity", "grave")[0] == 2


def test_people_handle_findings_from_the_terminal(desk_at_a_terminal: Desk) -> None:
    assert say("ack", "1", "--as", "kim") == (0, "Finding 1 is acknowledged.\n")
    assert say("snooze", "1", "--as", "kim", "--until", "2999-01-01T00:00:00Z")[0] == 0
    assert say("resolve", "1", "--as", "kim", "--reason", "known") == (0, "Finding 1 is resolved.\n")
    assert say("list", "--json") == (0, "[]\n")
    assert say("reopen", "1", "--as", "kim", "--reason", "no") == (0, "Finding 1 is open again as finding 2.\n")
    actors = desk_at_a_terminal.all("SELECT DISTINCT actor FROM recon.audit_log")
    assert actors == [{"actor": "kim"}]


def test_mistakes_are_told_with_what_to_do(desk_at_a_terminal: Desk) -> None:
    with pytest.raises(PermanentError, match="no finding 9"):
        say("ack", "9")
    with pytest.raises(PermanentError, match="is not a time"):
        say("snooze", "1", "--until", "tomorrow")
    assert say("resolve", "1")[0] == 2

"""What a newcomer types first: `--help`, `--version`, an example, a name that is not quite right, a pipe."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from sqlalchemy import URL

from payments_pipeline import __version__
from payments_pipeline.cli import app
from payments_pipeline.cli_help import COMMANDS, PROGRAM
from payments_pipeline.core.likeness import did_you_mean, meant
from payments_pipeline.dev_log import Sieve, relay
from payments_pipeline.json_output import spelt_out
from payments_pipeline.screen import Table, screen, span
from payments_pipeline_tests.terminal import Typed

ROOT = Path(__file__).resolve().parents[1]
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
DAGSTER = "2026-11-21 20:23:16 +0000 - dagster"
RUN = "nightly_reconciliation - 929842a7-2d42-4962-a3b4-038dffb1e593 - 27056"


COMMAND: Any = typer.main.get_command(app)


def understood(words: list[str]) -> None:
    """The command line takes these words; nothing is run."""
    command = COMMAND
    rest = spelt_out(words)
    while getattr(command, "commands", None):
        command = command.commands[rest.pop(0)]
    command.make_context(PROGRAM, rest)


def documented() -> Iterator[tuple[str, str]]:
    """Every command in a shell block of the documents, with its page."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in SHELL.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if re.match(rf"(?:\S*/)?{PROGRAM} ", line):
                    yield page.name, line


def test_commands_stand_in_groups_with_those_first_that_a_newcomer_needs(typed: Typed) -> None:
    answer = typed("--help")
    assert answer.code == 0
    places = [answer.out.index(word) for word in ("Begin here", "On duty", "Findings and repairs", "Exit codes: 0")]
    assert places == sorted(places)
    assert answer.out.index(" demo ") < answer.out.index(" check ") < answer.out.index(" version ")
    assert typed("-h").out == answer.out
    assert "--no-dry-run" in typed("activate", "-h").out


def test_the_version_is_told_however_it_is_asked_for(typed: Typed) -> None:
    for words in (["--version"], ["-V"], ["version"]):
        assert typed(*words).out == f"{__version__}\n"


@pytest.mark.parametrize("name", [name for name, told in COMMANDS.items() if told.examples])
def test_examples_are_commands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in COMMANDS[name].examples:
        assert example.startswith(name)
        understood(shlex.split(example))


def test_commands_in_the_documents_are_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(documented())
    assert {"README.md", "commands.md", "operations.md"} <= {page for page, _ in found}
    wrong = []
    for page, line in found:
        words = shlex.split(line, comments=True)[1:]
        ends = [place for place, word in enumerate(words) if word in {"|", "&&", "||", ">", ";"}]
        try:
            understood(words[: ends[0]] if ends else words)
        except Exception as error:  # noqa: BLE001  (whatever it is, the page is wrong)
            wrong.append(f"{page}: {line}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "meant_so"),
    [
        (("report", "activation-gap"), "activation_gaps"),
        (("findings", "list", "--report", "activation_gap"), "activation_gaps"),
        (("findings", "list", "--report", "feed_stale"), "provider_feed_stale"),
        (("stats", "revenu"), "revenue"),
        (("coverage", "--provider", "strip"), "stripe"),
        (("actions", "list", "--state", "aproved"), "approved"),
        (("backfill", "nowpayment", "--from", "2026-10-01", "--to", "2026-10-02"), "nowpayments"),
        (("backfill", "stripe", "--from", "2026-10-01", "--to", "2026-10-02", "--resource", "refund"), "refunds"),
        (("actions", "policy", "capture_payment", "--actor", "ann", "--report", "dispute"), "disputes"),
    ],
)
def test_a_name_that_is_not_quite_right_is_told_with_what_was_meant(
    typed: Typed, database: URL, words: tuple[str, ...], meant_so: str
) -> None:
    answer = typed(*words, DATABASE_URL=database.render_as_string(hide_password=False))
    assert answer.code == 2
    assert f"Did you mean {meant_so}" in answer.err
    assert len(answer.err) < 450


def test_a_name_like_no_other_is_not_guessed_at() -> None:
    assert meant("webhook", ["failed_webhooks", "webhook_silence", "refunds"]) == ["webhook_silence", "failed_webhooks"]
    assert meant("x", ["refunds"]) == []
    assert did_you_mean("xyz", ["refunds"], "Look.") == "Look."


def test_rows_are_whole_in_a_pipe_and_fold_on_a_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("long")
    table.add_row("word " * 200)
    monkeypatch.delenv("COLUMNS", raising=False)
    screen().print(table)
    assert max(line.count("word") for line in capsys.readouterr().out.splitlines()) == 200
    monkeypatch.setenv("COLUMNS", "60")
    screen().print(table)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60


def test_a_name_is_folded_and_never_cut_where_the_screen_is_narrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, name = Table("payment", "why"), "pi_3Gs9gopIXVuZWiMEOBpcmjDy"
    table.add_row(name, "webhook never came, and nobody looked")
    monkeypatch.setenv("COLUMNS", "30")
    screen().print(table)
    rows = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert "".join(rows) == name


def test_ages_read_as_people_say_them() -> None:
    assert [span(seconds) for seconds in (59, 3661, 86_399.9, 6_519_346)] == [
        "0:00:59",
        "1:01:01",
        "23:59:59",
        "75 d 10 h",
    ]


def test_dev_shows_runs_and_troubles_and_keeps_the_rest_in_a_file(tmp_path: Path) -> None:
    lines = [
        "/somewhere/click/core.py:911: SupersessionWarning: Function `dev_command` is superseded.",
        "\x1b[32m2026-11-21 20:20:34 +0000\x1b[0m - dagster-webserver - \x1b[34mINFO\x1b[0m - Serving "
        "dagster-webserver on x",
        f"{DAGSTER} - DEBUG - {RUN} - RUN_START - Started execution of run.",
        f"{DAGSTER} - DEBUG - {RUN} - refunds - STEP_SUCCESS - Finished execution of step.",
        f"{DAGSTER} - ERROR - {RUN} - refunds - STEP_FAILURE - Execution of step failed.",
        "Traceback (most recent call last):",
        "  File somewhere",
        f"{DAGSTER} - INFO - nothing to do",
        f"{DAGSTER} - DEBUG - {RUN} - RUN_SUCCESS - Finished execution of run.",
    ]
    out = io.StringIO()
    relay((f"{line}\n".encode() for line in lines), tmp_path / "dev.log", Console(file=out, width=40), verbose=False)
    assert out.getvalue().splitlines() == [
        "20:20:34 the UI answers",
        "20:23:16 nightly_reconciliation began",
        lines[4],
        *lines[5:7],
        "20:23:16 nightly_reconciliation succeeded",
    ]
    assert len((tmp_path / "dev.log").read_text().splitlines()) == len(lines)
    assert "\x1b" not in (tmp_path / "dev.log").read_text()
    assert Sieve().told("ValueError: before any record") == "ValueError: before any record"

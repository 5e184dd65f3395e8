"""`--json`: alone it prints JSON and nothing else, with a file it writes there beside the tables; in every command."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import URL

from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import STDOUT, require_writable, spelt_out, write_json
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.terminal import Typed, typed_in

# What an empty, migrated database has an answer to; each without asking a provider.
QUICK = [
    ("check",),
    ("findings", "list"),
    ("actions", "list"),
    ("actions", "policies"),
    ("audit", "verify"),
    ("audit", "show", "--user", "1"),
    ("stats",),
    ("coverage",),
    ("report", "refunds"),
]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    return typed_in(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["check", "--json"], ["check", "--json=-"]),
        (["check", "--json", "-"], ["check", "--json=-"]),
        (["check", "--json", "look.json"], ["check", "--json=look.json"]),
        (["check", "--json", "out/look"], ["check", "--json=out/look"]),
        (["check", "--json=look"], ["check", "--json=look"]),
        (["user", "--json", "kim@example.com"], ["user", "--json=-", "kim@example.com"]),
        (["stats", "--json", "revenue"], ["stats", "--json=-", "revenue"]),
        (["report", "refunds", "--json", "--as-of", "x"], ["report", "refunds", "--json=-", "--as-of", "x"]),
        (["user", "--", "--json"], ["user", "--", "--json"]),
        (["check"], ["check"]),
    ],
)
def test_a_bare_option_means_the_screen_and_takes_no_word_that_is_not_a_file(
    words: list[str], meant: list[str]
) -> None:
    assert spelt_out(words) == meant


def test_every_quick_command_prints_json_alone_or_writes_it_beside_its_tables(
    typed: Typed, database: URL, tmp_path: Path
) -> None:
    where = {"DATABASE_URL": database.render_as_string(hide_password=False), "PAYMENTS_HOME": str(tmp_path)}
    for words in QUICK:
        plain = typed(*words, **where)
        printed = typed(*words, "--json", **where)
        written = typed(*words, "--json", "out/told.json", **where)
        assert plain.code == printed.code == written.code in {0, 1}, (words, plain.err, printed.err, written.err)
        told = json.loads((tmp_path / "out" / "told.json").read_text())
        assert type(json.loads(printed.out)) is type(told), words
        assert written.out.strip(), words
        assert not written.out.lstrip().startswith(("{", "[")), words


def test_a_report_is_printed_in_one_form_only(typed: Typed, database: URL) -> None:
    where = {"DATABASE_URL": database.render_as_string(hide_password=False)}
    printed = typed("report", "refunds", "--csv", "-", **where)
    assert printed.code == 0
    assert printed.out.startswith("severity,")
    both = typed("report", "refunds", "--csv", "-", "--json", **where)
    assert both.code == 2
    assert "one form" in both.err
    assert "can't be printed" in typed("report", "refunds", "--parquet", "-", **where).err


def test_values_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    write_json(STDOUT, {"amount": Decimal("1E+2"), "at": AS_OF, "home": Path("a")})
    assert json.loads(capsys.readouterr().out) == {"amount": "100", "at": AS_OF.isoformat(), "home": "a"}


def test_what_can_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    for file in (tmp_path, tmp_path / "plain" / "told.json"):
        with pytest.raises(ConfigurationError, match="can't be written"):
            require_writable(file)
    assert require_writable(tmp_path / "new" / "told.json") == tmp_path / "new" / "told.json"
    assert not (tmp_path / "new").exists()
    assert require_writable(None) is None

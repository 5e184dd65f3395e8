"""The environment: defaults, clear errors, no secret in any text."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.db.engine import database_url
from payments_pipeline.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]


def test_everything_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert load_settings(_env_file=None).database_url is None


def test_a_malformed_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAPSHOT_WINDOW_DAYS", "ninety")
    with pytest.raises(ConfigurationError, match=r"SNAPSHOT_WINDOW_DAYS.*\.env\.example"):
        load_settings(_env_file=None)


def test_a_database_that_is_not_postgres_is_refused(settings: Settings) -> None:
    wrong = settings.model_copy(update={"database_url": SecretStr("mysql://u:hunter2@h/d")})
    with pytest.raises(ConfigurationError, match="postgresql://") as caught:
        database_url(wrong)
    assert "hunter2" not in str(caught.value)


def test_common_spellings_of_a_postgres_url_are_accepted() -> None:
    for spelling in ("postgresql://u@h/d", "postgres://u@h/d", "postgresql+psycopg2://u@h/d"):
        url = database_url(load_settings(_env_file=None, database_url=spelling))
        assert url.drivername == "postgresql+psycopg"


def test_secrets_do_not_show(settings: Settings) -> None:
    shown = repr(load_settings(_env_file=None, stripe_api_key="sk_test_very_secret"))
    assert "very_secret" not in shown


def test_the_example_file_names_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^# ([A-Z_]+)=", text, flags=re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields} | {"DAGSTER_POSTGRES_URL"}


def test_the_example_file_means_the_same_to_a_shell_and_to_us(tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    values = [line.removeprefix("# ") for line in lines if re.match(r"# [A-Z_]+=", line)]
    (tmp_path / "example.env").write_text("\n".join(values) + "\n")
    script = "set -a; . ./example.env; exec \"$0\" -c 'import os; print(dict(os.environ))'"
    shell = subprocess.run(
        ["bash", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=True, env={}
    )
    environment = ast.literal_eval(shell.stdout)
    for name, value in dotenv_values(tmp_path / "example.env").items():
        assert environment[name] == value, name
    assert shell.stderr == ""

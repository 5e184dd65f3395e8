"""A command as somebody types it, in this process: what `payments-pipeline` answers, without paying for its imports."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from payments_pipeline.cli import main
from payments_pipeline.config import Settings

HIDDEN = {"DAGSTER_HOME", "DAGSTER_POSTGRES_URL"}


@dataclass(frozen=True)
class Answer:
    """What came of a command."""

    code: int
    out: str
    err: str


Typed = Callable[..., Answer]


def typed_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """A function that runs the words it is given in `folder`, with these variables and none of the developer's."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    for name in {one.upper() for one in Settings.model_fields} | HIDDEN:
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, **variables: str) -> Answer:
        before = dict(os.environ)  # health and dev leave Dagster's variables for their children
        capsys.readouterr()
        with monkeypatch.context() as patched:
            patched.setattr("sys.argv", ["payments-pipeline", *words])
            for name, value in variables.items():
                patched.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        for name in set(os.environ) - set(before):
            del os.environ[name]
        told = capsys.readouterr()
        return Answer(int(ended.value.code or 0), told.out, told.err)

    return run

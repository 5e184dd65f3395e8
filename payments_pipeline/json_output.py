"""Where a command's JSON goes: to standard output, then alone, or to a file, then beside the tables.

Belongs here: how `--json` is spelt, checked and obeyed, the same for every command. Does not belong here: what a
command puts in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from payments_pipeline.errors import ConfigurationError
from payments_pipeline.screen import screen

STDOUT = Path("-")
OPTION = "--json"


def spelt_out(words: Sequence[str]) -> list[str]:
    """A bare ``--json`` as ``--json=-``, ``--json rows.json`` as ``--json=rows.json``.

    The word after it is its file only where it looks like one (ends in ``.json``, has a path in it, or is ``-``): in
    ``user --json kim`` kim is the user. ``--json=FILE`` takes any name.
    """
    told: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*told, word, *rest]
        if word == OPTION:
            word = f"{OPTION}={rest.pop(0) if rest and _looks_like_a_file(rest[0]) else STDOUT}"
        told.append(word)
    return told


def for_people(json: Path | None) -> bool:
    """Whether standard output is for people: no JSON was asked for there."""
    return json != STDOUT


def console(json: Path | None) -> Console:
    """Where a long command tells people how it goes: standard error while standard output is JSON's."""
    return screen(stderr=not for_people(json))


def write_json(json: Path | None, value: Any) -> None:
    """Write `value` where it is wanted: times as ISO 8601, exact amounts as text.

    Raises:
        ConfigurationError: the file can't be written.
    """
    if json is None:
        return
    text = in_json(value)
    if json == STDOUT:
        Console(soft_wrap=True, highlight=False).out(text)
        return
    try:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(json, error.strerror or type(error).__name__) from None


def in_json(value: Any) -> str:
    """`value` as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=_plain).decode()


def require_writable(file: Path | None) -> Path | None:
    """Refuse early what could not be written in the end; creates nothing.

    Raises:
        ConfigurationError: the file is a folder, or the folder it is to be in is none or is not ours to write.
    """
    if file is None or file == STDOUT:
        return file
    if file.is_dir():
        raise unwritable(file, "it is a folder")
    folder = next(one for one in file.absolute().parents if one.exists())
    if not folder.is_dir():
        raise unwritable(file, f"{folder} is a file")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise unwritable(file, f"{file if file.exists() else folder} may not be written by us")
    return file


def unwritable(file: Path, why: str) -> ConfigurationError:
    """The error to raise about `file`."""
    return ConfigurationError(f"{file} can't be written: {why}.", remedy="Name another file, or - for the screen.")


def _looks_like_a_file(word: str) -> bool:
    return word == str(STDOUT) or (not word.startswith("-") and (word.endswith(".json") or os.sep in word))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)

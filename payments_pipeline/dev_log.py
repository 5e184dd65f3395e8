"""What of Dagster's log stands on the console of `dev`, and the file that has all of it.

Belongs here: choosing lines. Does not belong here: starting or stopping processes (dev.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

NAME = "dev.log"
_PAINT = re.compile(r"\x1b\[[0-9;]*m")
# A line that begins a record: 2026-11-21 20:23:16 +0000 - dagster - DEBUG - ...
_RECORD = re.compile(r"\d{4}-\d\d-\d\d (?P<at>\d\d:\d\d:\d\d) [+-]\d{4} - [\w.-]+ - (?P<level>[A-Z]+) - (?P<text>.*)")
_RUN = re.compile(r"(?P<job>\w+) - [0-9a-f-]{36} - (?:\d+ - )?(?P<event>RUN_START|RUN_SUCCESS|RUN_CANCELED) - ")
_QUIET = {"DEBUG", "INFO"}
_SAID = {"RUN_START": "began", "RUN_SUCCESS": "succeeded", "RUN_CANCELED": "was canceled"}
_SERVED = "Serving dagster-webserver on"
_TROUBLE = re.compile(r"\s*(Traceback \(|[\w.]*(Error|Exception)\b)")


class Sieve:
    """Lets through that the UI answers, where runs begin and end, warnings, errors, and what belongs to these."""

    def __init__(self) -> None:
        self._open = False  # whether the record that the line belongs to was let through

    def told(self, line: str) -> str | None:
        """What to show of a line; None: it stands in the file only."""
        record = _RECORD.match(line)
        if record is None:
            self._open = self._open or _TROUBLE.match(line) is not None
            return line if self._open else None
        run = _RUN.match(record["text"])
        self._open = record["level"] not in _QUIET
        if run is not None and not self._open:
            return f"{record['at']} {run['job']} {_SAID[run['event']]}"
        if record["text"].startswith(_SERVED):
            return f"{record['at']} the UI answers"
        return line if self._open else None


def relay(lines: Iterable[bytes], file: Path, console: Console, *, verbose: bool) -> None:
    """Write all lines to `file`, afresh, and those that the sieve lets through to the console; with `verbose` all."""
    sieve = Sieve()
    with file.open("w", encoding="utf-8", buffering=1) as log:
        for raw in lines:
            line = _PAINT.sub("", raw.decode("utf-8", "replace")).rstrip("\r\n")
            log.write(f"{line}\n")
            told = line if verbose else sieve.told(line)
            if told is not None:
                console.print(told, markup=False, highlight=False, soft_wrap=True)

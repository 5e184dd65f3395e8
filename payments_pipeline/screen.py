"""Where text for people goes: a terminal, a pipe or a file.

Belongs here: how wide it is, the same for every command. Does not belong here: JSON (json_output.py), or what is said.
NO_COLOR and FORCE_COLOR mean what they mean elsewhere; colours go to terminals only.
"""

from __future__ import annotations

import os
from typing import Any

from rich import table
from rich.console import Console

PIPE = 10_000
"""Columns where nobody looks: no row of a table is broken or cut, so that grep and less -S see whole ones."""


class Table(table.Table):
    """A table whose cells are folded where there is no room, and never cut: what is cut can't be copied."""

    def add_column(self, *header: Any, **options: Any) -> None:
        """As the base class, which would cut."""
        super().add_column(*header, **{"overflow": "fold", **options})


def screen(*, stderr: bool = False, soft_wrap: bool = False, highlight: bool = True, markup: bool = True) -> Console:
    """A console as wide as the terminal or COLUMNS say; into a pipe or a file, as wide as the text.

    Args:
        markup: square brackets mean styles; False where what is shown came from outside.
    """
    console = Console(stderr=stderr, soft_wrap=soft_wrap, highlight=highlight, markup=markup, emoji=False)
    if not console.file.isatty() and "COLUMNS" not in os.environ:
        console.width = PIPE
    return console


def span(seconds: float) -> str:
    """How long ago, as people say it: ``75 d 10 h``, ``3:05:46``; with seconds below a day, where they matter."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    return f"{days} d {hours} h" if days else f"{hours}:{minutes:02}:{rest % 60:02}"

"""What somebody meant who mistyped a name. Pure.

Belongs here: names that are near, in words. Does not belong here: which names there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 3
NEAR = 0.6


def meant(word: str, known: Iterable[str]) -> list[str]:
    """The names nearest to `word`, the nearest first: spelt alike, or `word` is a part of them; often none."""
    names, typed = list(known), word.strip().lower().replace("-", "_")
    close = get_close_matches(typed, names, n=MOST, cutoff=NEAR)
    parts = [name for name in names if len(typed) > MOST and typed in name and name not in close]
    return [*close, *parts][:MOST]


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """What to do about a mistyped `word`, as a remedy: the names that are near, then `otherwise`."""
    near = meant(word, known)
    return f"Did you mean {' or '.join(near)}? {otherwise}" if near else otherwise

"""How many random histories a test run makes, and from which seed.

Belongs here: the two environment variables of `make soak-ingest`. Does not belong here: the histories.
"""

from __future__ import annotations

import os
import random

DEFAULT = 60
HISTORIES = int(os.environ.get("HISTORIES", DEFAULT))
_FRESH = random.SystemRandom().randrange(2**32) if "HISTORIES" in os.environ else 20261101
SEED = int(os.environ.get("HISTORIES_SEED", _FRESH))
"""The same at each ordinary run, another at each soak; what a failure shows as HISTORIES_SEED repeats its lot."""


def share(part: float) -> int:
    """Of all histories, how many one test makes."""
    return max(1, round(HISTORIES * part))

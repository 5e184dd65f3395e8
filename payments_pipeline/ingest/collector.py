"""Python's cycle collector, held back while provider objects stream through, and in short-lived processes.

Belongs here: its thresholds. Does not belong here: anything else of memory.

Parsed JSON has no cycles, but by default the collector looks at it after every 700 new containers, which is ten of
Stripe's objects; that costs a fifth of a load's processor time. Cycles made meanwhile are collected later.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (100_000, 20, 50)
SELDOM = (50_000, 20, 50)

_lock = threading.Lock()
_loads = 0
_usual = gc.get_threshold()


def collect_seldom() -> None:
    """From now on, in a process that ends soon: what a command or a run loads stays until then.

    It is a million objects, and looking through them for garbage would be a sixth of a command's CPU.
    """
    gc.set_threshold(*SELDOM)


@contextmanager
def rare_collections() -> Iterator[None]:
    """A block that makes many objects and no cycles; several may run at once, and nest."""
    global _loads, _usual  # noqa: PLW0603  (the collector is the process's)
    with _lock:
        if _loads == 0:
            _usual = gc.get_threshold()
            gc.set_threshold(*THRESHOLDS)
        _loads += 1
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            if _loads == 0:
                gc.set_threshold(*_usual)


def loads_under_way() -> int:
    """How many such blocks run now in this process."""
    return _loads

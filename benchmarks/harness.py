"""Measuring side by side: medians of alternating runs, and one JSON file a benchmark in benchmarks/results/.

Belongs here: clocks, medians, the machine's description, the result's form. Does not belong here: what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Measure:
    """One comparison: medians, the peer's over ours (larger is better), what was asked, whether it holds.

    Attributes:
        unit: of `ours` and `peer`: seconds (s), or megabytes (MB).
    """

    id: str
    ours: float
    peer: float
    ratio: float
    target: float
    holds: bool
    what: str
    unit: str = "s"


def measure(name: str, ours: float, peer: float, *, target: float, what: str, unit: str = "s") -> Measure:
    """A comparison of two figures already measured."""
    ratio = peer / ours if ours else float("inf")
    return Measure(name, round(ours, 4), round(peer, 4), round(ratio, 3), target, ratio >= target, what, unit)


def single(name: str, figure: float, limit: float, what: str, unit: str = "s") -> Measure:
    """A figure of ours against a limit."""
    return measure(name, figure, limit, target=1.0, what=what, unit=unit)


def compare(
    name: str, ours: Callable[[], object], peer: Callable[[], object], *, target: float, what: str, repeats: int = 3
) -> Measure:
    """Run both in turn `repeats` times, after one run of each to warm up, and compare the medians."""
    ours()
    peer()
    mine, theirs = [], []
    for _ in range(repeats):
        mine.append(timed(ours))
        theirs.append(timed(peer))
    return measure(name, statistics.median(mine), statistics.median(theirs), target=target, what=what)


def write(
    name: str,
    measures: Sequence[Measure],
    packages: Sequence[str],
    size: dict[str, int],
    notes: dict[str, object] | None = None,
) -> None:
    """Write `benchmarks/results/NAME.json` and show it.

    Args:
        notes: whatever else a reader needs to judge the figures.
    """
    RESULTS.mkdir(exist_ok=True)
    result = {
        "name": name,
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "size": size,
        "notes": notes or {},
        "measures": [asdict(one) for one in measures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    for one in measures:
        verdict = "holds" if one.holds else "DOES NOT HOLD"
        figures = f"ours {one.ours} {one.unit}, peer {one.peer} {one.unit}, {one.ratio}x"
        sys.stdout.write(f"{one.id}: {figures} (target {one.target}x: {verdict})\n  {one.what}\n")


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun

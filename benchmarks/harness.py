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
    """One comparison: medians in seconds, the peer's over ours (larger is better), what was asked, whether it holds."""

    id: str
    ours: float
    peer: float
    ratio: float
    target: float
    holds: bool
    what: str


def compare(
    name: str, ours: Callable[[], object], peer: Callable[[], object], *, target: float, what: str, repeats: int = 3
) -> Measure:
    """Run both in turn `repeats` times, after one run of each to warm up, and compare the medians."""
    ours()
    peer()
    mine, theirs = [], []
    for _ in range(repeats):
        mine.append(_timed(ours))
        theirs.append(_timed(peer))
    a, b = statistics.median(mine), statistics.median(theirs)
    ratio = round(b / a, 2)
    return Measure(name, round(a, 4), round(b, 4), ratio, target, ratio >= target, what)


def write(name: str, measures: Sequence[Measure], packages: Sequence[str], size: dict[str, int]) -> None:
    """Write `benchmarks/results/NAME.json` and show it."""
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
        "measures": [asdict(measure) for measure in measures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    for measure in measures:
        verdict = "holds" if measure.holds else "DOES NOT HOLD"
        seconds = f"ours {measure.ours} s, peer {measure.peer} s, {measure.ratio}x"
        sys.stdout.write(f"{measure.id}: {seconds} (target {measure.target}x: {verdict})\n  {measure.what}\n")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun

"""Accuracy over a set of seeds and sizes, written to docs/accuracy.md: the same text each time it is made.

Belongs here: the set and the page. Does not belong here: measuring one world (payments_pipeline/accuracy.py).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from payments_pipeline.accuracy import Accuracy, measure
from payments_pipeline.config import load_settings
from payments_pipeline.db import embedded
from payments_pipeline.reports import load_reports
from payments_pipeline.sandbox.catalogue import LINES, place
from payments_pipeline.sandbox.scoring import Score

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
WORLDS = ((300, 101), (300, 102), (1000, 201))
PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
INTRODUCTION = """# Accuracy

What the reports find of what is there, and how often they cry wolf. Each world is invented from a seed: residents with
months of clean history on both sides, and among them every fault and every clean look-alike of the failure catalogue,
in random numbers and order. The simulated providers serve it over HTTP; the pipeline reads it as it does the real ones.

Each world is read three times: first with one list left incomplete, on an empty database; then in full, through
rate limits, server errors, time-outs and cut answers; then again with a list left incomplete. The second reading is
scored below. The other two may say less, and anything they say that is not so counts as false.

- **planted**: anomalies that must be said; **found**, **missed**: of those. **false**: said, and not so, or said twice.
- **look-alikes**: rows that must *not* be said although they come close. A line with look-alikes only has planted 0.
- Some anomalies belong in more than one report, e.g. a payer without access and the webhook that failed.
- Where the truth is a matter of judgement, the rule stands in the report's file, `sql/reports/`.

This page is made by `make accuracy`. One world: `payments-pipeline accuracy --users 500 --seed 1`.
"""


def main() -> int:
    """Measure every world and write the page; 1 unless all are perfect."""
    home = Path(tempfile.mkdtemp(prefix="accuracy_"))
    home.chmod(0o755)  # started by root, the server runs as another user
    settings = load_settings(_env_file=None, payments_home=home)
    results = []
    try:
        for users, seed in WORLDS:
            result = measure(settings, users=users, seed=seed, as_of=AS_OF)
            sys.stdout.write(f"{users} users, seed {seed}: {'perfect' if result.perfect else 'NOT PERFECT'}\n")
            results.append(result)
    finally:
        embedded.stop(home)
    PAGE.write_text(page(results))
    return 0 if all(result.perfect for result in results) else 1


def page(results: Iterable[Accuracy]) -> str:
    """The whole page as Markdown."""
    results = list(results)
    reports = {name: _sum(results, lambda one, name=name: one.reports.get(name)) for name in sorted(load_reports())}
    names = sorted({*LINES, *(line for one in results for line in one.lines)}, key=place)
    lines = {line: _sum(results, lambda one, line=line: one.lines.get(line)) for line in names}
    alike = {line: sum(one.lookalikes.get(line, 0) for one in results) for line in names}
    return "\n".join(
        [
            INTRODUCTION,
            f"As of {AS_OF:%Y-%m-%d %H:%M} UTC.\n",
            "## Worlds\n",
            *_table(("asked for", "users", "seed", "planted", "found", "missed", "false"), _worlds(results)),
            "\n## Reports\n",
            *_table(
                ("report", "planted", "found", "missed", "false", "recall", "precision"),
                ([f"`{name}`", *_counts(tally), *_rates(tally)] for name, tally in reports.items()),
            ),
            "\n## Lines of the failure catalogue\n",
            *_table(
                ("line", "what", "planted", "found", "missed", "false", "look-alikes"),
                (
                    [line, LINES.get(line, "rows that nobody planted"), *_counts(tally), str(alike[line])]
                    for line, tally in lines.items()
                ),
            ),
            "",
        ]
    )


def _worlds(results: Iterable[Accuracy]) -> Iterable[list[str]]:
    for (users, seed), result in zip(WORLDS, results, strict=False):
        total = Score()
        for tally in result.reports.values():
            _add(total, tally)
        yield [str(users), str(result.users), str(seed), *_counts(total)]


def _sum(results: Iterable[Accuracy], pick: Callable[[Accuracy], Score | None]) -> Score:
    total = Score()
    for result in results:
        tally = pick(result)
        if tally is not None:
            _add(total, tally)
    return total


def _add(total: Score, tally: Score) -> None:
    total.planted += tally.planted
    total.found += tally.found
    total.missed.extend(tally.missed)
    total.false.extend(tally.false)


def _counts(tally: Score) -> list[str]:
    return [str(count) for count in (tally.planted, tally.found, len(tally.missed), len(tally.false))]


def _rates(tally: Score) -> list[str]:
    said = tally.found + len(tally.false)
    return [
        f"{tally.found / tally.planted:.4f}" if tally.planted else "-",
        f"{tally.found / said:.4f}" if said else "-",
    ]


def _table(heads: tuple[str, ...], rows: Iterable[list[str]]) -> list[str]:
    rule = "|".join(" --- " if head in {"report", "line", "what"} else " ---: " for head in heads)
    return [f"| {' | '.join(heads)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]


if __name__ == "__main__":
    sys.exit(main())

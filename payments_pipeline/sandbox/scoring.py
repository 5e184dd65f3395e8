"""Holds what reports said against what the world knows: planted, found, missed, false. Pure.

Belongs here: matching rows to labels and counting. Does not belong here: running reports, or showing the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from payments_pipeline.sandbox.world import Label


@dataclass
class Score:
    """One report's or one catalogue line's score.

    Attributes:
        planted: anomalies that should be said. found: those that were. missed: labels that were not.
        false: rows that nobody planted, or that are a clean look-alike.
    """

    planted: int = 0
    found: int = 0
    missed: list[dict[str, str]] = field(default_factory=list)
    false: list[dict[str, str]] = field(default_factory=list)

    @property
    def perfect(self) -> bool:
        """Nothing missed, nothing false."""
        return not self.missed and not self.false

    def as_json(self) -> dict[str, Any]:
        """Counts, and the details of whatever went wrong."""
        return {
            "planted": self.planted,
            "found": self.found,
            "missed": len(self.missed),
            "false": len(self.false),
            "missed_details": self.missed,
            "false_details": self.false,
        }


def score(
    labels: Sequence[Label], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[dict[str, Score], dict[str, Score]]:
    """Score every report that was run.

    Args:
        labels: the world's truth; labels of reports that were not run are ignored.
        rows: report name -> its rows.

    Returns:
        Scores by report, and by line of the failure catalogue. A row that no label knows counts against its report, and
        against the line ``unplanted``.
    """
    reports = {name: Score() for name in rows}
    lines: dict[str, Score] = {}
    for name, found in rows.items():
        own = [label for label in labels if label.report == name]
        unmatched = list(found)
        for label in own:
            hits = [row for row in unmatched if _matches(label, row)]
            line = lines.setdefault(label.line, Score())
            for tally in (reports[name], line):
                _count(tally, label, bool(hits))
            if hits:
                unmatched.remove(hits[0])  # a second row about the same thing is one too many, and stays unmatched
        for row in unmatched:
            told = {str(key): str(value) for key, value in row.items() if value is not None}
            reports[name].false.append(told)
            lines.setdefault("unplanted", Score()).false.append({"report": name, **told})
    return reports, dict(sorted(lines.items()))


def _count(tally: Score, label: Label, hit: bool) -> None:
    told = {"line": label.line, "fault": label.fault, "report": label.report, **label.key}
    if label.expected:
        tally.planted += 1
        if hit:
            tally.found += 1
        else:
            tally.missed.append(told)
    elif hit:
        tally.false.append(told)


def _matches(label: Label, row: Mapping[str, Any]) -> bool:
    return all(str(row.get(column)) == value for column, value in label.key.items())

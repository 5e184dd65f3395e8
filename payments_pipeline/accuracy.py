"""Accuracy: a planted world read through the real pipeline on bad days, and all that it said held against the truth.

Belongs here: the order of the readings and how they are counted. Does not belong here: what is planted (sandbox/), the
reports' rules, or the page that shows a set of results (benchmarks/accuracy_page.py).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import Engine

from payments_pipeline.assets.canonical import NIGHTLY
from payments_pipeline.config import Settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import driver_connection, engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.errors import PermanentError
from payments_pipeline.findings import live_findings
from payments_pipeline.ingest.coverage import latest
from payments_pipeline.json_output import console as console_for
from payments_pipeline.json_output import write_json
from payments_pipeline.reconcile import environment_settings, local_runs, report_rows
from payments_pipeline.reports import load_reports
from payments_pipeline.sandbox.catalogue import LINES, place
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.outages import interrupt, leave_incomplete
from payments_pipeline.sandbox.scoring import Score, score
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import Label, World, build_world, write_application
from payments_pipeline.screen import Table

DATABASE = "accuracy"
TIMEOUT_SECONDS = 2.0
# The third reading comes a little later, within every grace period.
LATER = timedelta(seconds=20)
_EVERY_FINDING = 10_000_000


@dataclass
class Accuracy:
    """What was planted, found, missed and said falsely.

    Attributes:
        reports: every shipped report. lines: every line of the catalogue; planted 0 where it has look-alikes only.
        lookalikes: line -> clean look-alikes that a report might have taken for it.
        incomplete: what could not be read in the readings that were left incomplete, in words.
    """

    as_of: datetime
    seed: int
    users: int
    reports: dict[str, Score]
    lines: dict[str, Score]
    lookalikes: dict[str, int]
    incomplete: list[str] = field(default_factory=list)

    @property
    def perfect(self) -> bool:
        """Nothing missed, nothing false."""
        return all(tally.perfect for tally in (*self.reports.values(), *self.lines.values()))

    def count_false(self, findings: Iterable[Mapping[str, str]]) -> None:
        """Findings about nothing planted, where the rows of their report did not say so already."""
        for finding in findings:
            said = self.reports[finding["report"]].false
            if not any(finding.items() <= {"report": finding["report"], **told}.items() for told in said):
                said.append(dict(finding))
                self.lines.setdefault("unplanted", Score()).false.append(dict(finding))

    def as_json(self) -> dict[str, Any]:
        """One JSON-able object; no times but `as_of`, so that the same arguments give the same text."""
        return {
            "as_of": self.as_of.isoformat(),
            "seed": self.seed,
            "users": self.users,
            "incomplete": self.incomplete,
            "reports": {name: tally.as_json() for name, tally in sorted(self.reports.items())},
            "lines": {
                line: tally.as_json() | {"lookalikes": self.lookalikes.get(line, 0)}
                for line, tally in self.lines.items()
            },
        }


def run_accuracy(settings: Settings, *, users: int, seed: int, as_of: datetime, json: Path | None) -> int:
    """Measure one world on the embedded server and show the result.

    Args:
        settings: only `payments_home` is used; real credentials in the environment are never touched.

    Returns:
        0 when everything planted was found and nothing else was said, else 1.
    """
    console = console_for(json)
    console.print(
        f"Planting about {users} users with everything that can go wrong (seed {seed}), reading three times ..."
    )
    result = measure(settings, users=users, seed=seed, as_of=as_of)
    show(console, result)
    write_json(json, result.as_json())
    return 0 if result.perfect else 1


def measure(settings: Settings, *, users: int, seed: int, as_of: datetime) -> Accuracy:
    """Plant a world, read it thrice, and score it, in a database of its own that is emptied first.

    The first reading leaves one list incomplete on an empty database, the second is complete after many interruptions,
    the third again incomplete. The second is scored; the others may say less, but nothing that is not so.

    Raises:
        PermanentError: a reading that should be complete is not, or the other way round.
    """
    url = embedded.fresh_database(embedded.server_url(settings.payments_home), DATABASE)
    text_url = url.render_as_string(hide_password=False)
    engine = engine_for(text_url)
    upgrade(engine)
    world = build_world(seed, users, as_of, mixed=True)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    plan = FaultPlan()
    with Sandbox(world.state, plan) as sandbox:
        environment = sandbox.environment() | {
            "DATABASE_URL": text_url, "HTTP_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS), "HTTP_MAX_ATTEMPTS": "4",
        }  # fmt: skip
        own = environment_settings(environment, settings.payments_home)
        result = read_thrice(Reader(own, engine, world, plan, random.Random(seed)))
    engine.dispose()
    return result


@dataclass
class Reader:
    """Reads a world that a sandbox serves and whose tables are in the database.

    Attributes:
        plan: the sandbox's misbehaviour. rng: draws what goes wrong when.
    """

    settings: Settings
    engine: Engine
    world: World
    plan: FaultPlan
    rng: random.Random

    def read_in_part(self, as_of: datetime) -> str:
        """A nightly run that can't read one list to its end; returns which, in words."""
        missing = leave_incomplete(self.plan, self.rng)
        if not self.read(as_of):
            raise PermanentError(
                "A reading that should have failed in part did not.", where="accuracy", remedy="See sandbox/outages.py."
            )
        return missing

    def read_in_full(self, as_of: datetime) -> None:
        """A nightly run with interruptions that pass."""
        interrupt(self.plan, self.rng, hang_seconds=TIMEOUT_SECONDS * 1.5)
        gaps = self.read(as_of)
        if gaps:
            raise PermanentError(
                f"A reading that should be complete is not: {gaps[0]}.", where="accuracy", remedy="Run it with --debug."
            )

    def read(self, as_of: datetime) -> list[str]:
        """A nightly run; returns what was not read in full; the providers work again afterwards."""
        with local_runs(self.settings, as_of, self.world.ahead_seconds) as runs:
            runs.run(NIGHTLY)
        self.plan.clear()
        with self.engine.connect() as connection:
            return sorted(
                f"{one.provider} {one.resource}: {one.error}" for one in latest(connection) if not one.complete
            )


def read_thrice(reader: Reader) -> Accuracy:
    """In part, in full, in part; scored."""
    world, engine = reader.world, reader.engine
    first = reader.read_in_part(world.as_of)
    unfounded = list(_unfounded(engine, world.labels))
    reader.read_in_full(world.as_of)
    result = judged(engine, world)
    third = reader.read_in_part(world.as_of + LATER)
    result.incomplete += [first, third]
    result.count_false(_once([*unfounded, *_unfounded(engine, world.labels)]))
    return result


def judged(engine: Engine, world: World) -> Accuracy:
    """What the reports and the findings say now, held against the truth about the world."""
    with engine.connect() as connection:
        rows = {name: report_rows(connection, name) for name in load_reports()}
    reports, lines = score(world.labels, rows)
    lookalikes = Counter(label.line for label in world.labels if not label.expected)
    every = {line: lines.get(line, Score()) for line in sorted({*LINES, *lines}, key=place)}
    users = len(world.tables["users"])
    result = Accuracy(world.as_of, world.seed, users, reports, every, dict(lookalikes))
    result.count_false(_once(_unfounded(engine, world.labels)))
    return result


def _unfounded(engine: Engine, labels: Iterable[Label]) -> Iterator[dict[str, str]]:
    """Live findings that are about nothing planted: report and key, as text."""
    reports = load_reports()
    expected: dict[str, list[dict[str, str]]] = {}
    for label in labels:
        if label.expected:
            expected.setdefault(label.report, []).append(label.key)
    with engine.connect() as connection:
        found = live_findings(connection, limit=_EVERY_FINDING)
    for finding in found:
        told = {name: str(value) for name, value in finding.evidence.items() if value is not None}
        if not any(key.items() <= told.items() for key in expected.get(finding.report, [])):
            yield {"report": finding.report, **{name: told.get(name, "") for name in reports[finding.report].key}}


def _once(findings: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return list({tuple(sorted(finding.items())): finding for finding in findings}.values())


def show(console: Console, result: Accuracy) -> None:
    """Two tables: by report and by line of the catalogue; then what went wrong."""
    _table(console, "Reports", "report", dict(sorted(result.reports.items())), {})
    _table(console, "Lines of the failure catalogue", "line", result.lines, result.lookalikes)
    for tally in result.reports.values():
        for word, details in (("missed", tally.missed), ("false", tally.false)):
            for told in details:
                console.print(f"{word}: {told}", markup=False, highlight=False, soft_wrap=True)
    for missing in result.incomplete:
        console.print(f"Left incomplete, and nothing invented: {missing}." if result.perfect else f"Left: {missing}.")


def _table(
    console: Console, title: str, noun: str, tallies: Mapping[str, Score], lookalikes: Mapping[str, int]
) -> None:
    table = Table(title=title, title_justify="left")
    for column in (noun, "planted", "found", "missed", "false"):
        table.add_column(column, justify="left" if column == noun else "right")
    if lookalikes:
        table.add_column("look-alikes", justify="right")
        table.add_column("what")
    for name, tally in tallies.items():
        colour = "green" if tally.perfect else "red"
        counts = [str(count) for count in (tally.planted, tally.found, len(tally.missed), len(tally.false))]
        more = [str(lookalikes.get(name, 0)), LINES.get(name, "rows that nobody planted")] if lookalikes else []
        table.add_row(f"[{colour}]{name}[/]", *counts, *more)
    console.print(table)

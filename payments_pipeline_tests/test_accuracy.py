"""The accuracy command as it is typed, what it counts, and that no line of the catalogue is forgotten."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import URL, Engine

from payments_pipeline.accuracy import Accuracy, Reader, judged, show
from payments_pipeline.config import Settings
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.reconcile import environment_settings
from payments_pipeline.reports import load_reports
from payments_pipeline.sandbox.catalogue import LINES
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.faults import FAULTS, registry
from payments_pipeline.sandbox.scoring import Score
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import Label, build_world, write_application
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.terminal import Typed

# Lines whose truth lies in the order of readings, not in one world: payments_pipeline_tests/ingest holds them.
OF_READING = {"S7", "S8"}


def test_every_line_of_the_catalogue_is_planted_or_has_a_look_alike() -> None:
    assert set(LINES) - {fault.line for fault in FAULTS.values()} <= OF_READING
    assert {fault.line for fault in FAULTS.values()} <= set(LINES)


def test_a_new_line_is_told_by_its_first_fault_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FAULTS", {})
    monkeypatch.setattr(registry, "LINES", lines := dict(LINES))
    with pytest.raises(ValueError, match="Line X1 of fault 'odd' is not in the catalogue"):
        registry.fault(line="X1", name="odd")(lambda _town: [])
    registry.fault(line="X1", name="odd", what="something odd")(lambda _town: [])
    assert lines == {**LINES, "X1": "something odd"}


def test_every_report_has_something_planted_for_it() -> None:
    world = build_world(1, 200, AS_OF)
    assert {label.report for label in world.labels if label.expected} >= set(load_reports())


def test_mixed_worlds_plant_each_fault_and_differ_in_how_often() -> None:
    counts = []
    for seed in (1, 2):
        faults = [label.fault for label in build_world(seed, 200, AS_OF, mixed=True).labels]
        assert set(faults) >= set(FAULTS)
        counts.append({name: faults.count(name) for name in FAULTS})
    assert counts[0] != counts[1]


@pytest.mark.usefixtures("server")
def test_the_command_finds_everything_on_bad_days_and_says_nothing_else(
    typed: Typed, tmp_path: Path, server_home: Path
) -> None:
    words = ("--users", "60", "--seed", "11", "--as-of", AS_OF.isoformat(), "--json", "out/a.json")
    done = typed("accuracy", *words, PAYMENTS_HOME=str(server_home))
    assert done.code == 0, done.out + done.err
    result = json.loads((tmp_path / "out" / "a.json").read_text())
    assert set(result["reports"]) == set(load_reports())
    assert set(result["lines"]) == set(LINES)
    for tally in (*result["reports"].values(), *result["lines"].values()):
        assert (tally["missed"], tally["false"]) == (0, 0)
        assert tally["planted"] == tally["found"]
    assert all(tally["planted"] for tally in result["reports"].values())
    assert len(result["incomplete"]) == 2


def small(engine: Engine, database: URL, tmp_path: Path, labels: list[Label]) -> Accuracy:
    """One reading of one lost webhook among clean residents, held against these labels beside its own."""
    world = build_world(3, 20, AS_OF, only=["webhook_never_came"])
    world.labels.extend(labels)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    plan = FaultPlan()
    with Sandbox(world.state, plan) as sandbox:
        url = database.render_as_string(hide_password=False)
        own: Settings = environment_settings(sandbox.environment() | {"DATABASE_URL": url}, tmp_path)
        assert Reader(own, engine, world, plan, random.Random(1)).read(world.as_of) == []
        return judged(engine, world)


def test_a_miss_and_a_false_alarm_are_counted_by_report_and_by_line(
    engine: Engine, database: URL, tmp_path: Path
) -> None:
    nobody = Label("E1", "made_up", "activation_gaps", {"user_id": "999999"}, True)
    world = build_world(3, 20, AS_OF, only=["webhook_never_came"])
    clean = next(label for label in world.labels if label.report == "activation_gaps")
    contradiction = Label("E14", "made_up", clean.report, clean.key, False)
    result = small(engine, database, tmp_path, [nobody, contradiction])
    assert not result.perfect
    gaps = result.reports["activation_gaps"]
    assert [told["user_id"] for told in gaps.missed] == ["999999"]
    assert result.lines["E1"].missed == gaps.missed
    assert result.as_json()["lines"]["W6"] == Score().as_json() | {"lookalikes": 0}


def test_a_table_says_which_lines_have_look_alikes_only() -> None:
    console = Console(record=True, width=160)
    lines = {"E1": Score(planted=2, found=2), "E9": Score()}
    show(console, Accuracy(AS_OF, 1, 10, {"activation_gaps": Score(planted=2, found=2)}, lines, {"E9": 3}))
    shown = console.export_text()
    assert "active without any payment" in shown
    assert [line.split("│")[2].strip() for line in shown.splitlines() if "│ E9" in line] == ["0"]

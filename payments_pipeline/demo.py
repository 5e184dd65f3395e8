"""The demonstration: a planted world, reconciled twice by the real pipeline, and held against what was planted.

Belongs here: the order of the stages and what is told of each. Does not belong here: any rule; the world knows the
truth, the pipeline knows only what the simulated providers and the application's tables say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError
from payments_pipeline.json_output import console as console_for
from payments_pipeline.json_output import write_json
from payments_pipeline.present import gather, show_coverage, show_reports
from payments_pipeline.providers.desk import Desk
from payments_pipeline.reconcile import environment_settings, local_runs, report_rows
from payments_pipeline.remediation.policy import policies, policy_for
from payments_pipeline.remediation.rounds import repair
from payments_pipeline.reports import load_reports
from payments_pipeline.sandbox.scoring import Score, score
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.world import World, build_world, write_application
from payments_pipeline.screen import Table

DATABASE = "demo"
# The second run looks a little later, but within the grace period of payments made seconds ago.
TICKS = 3
SECOND_RUN_AFTER = timedelta(seconds=30)


@dataclass
class Stages:
    """Tells what is being done, and keeps how long each stage took (seconds)."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, text: str) -> Iterator[None]:
        """One stage: its text while it works, its duration when it is done."""
        begun = time.perf_counter()
        self.console.print(f"[bold]{text}[/] ...")
        yield
        self.seconds[name] = round(time.perf_counter() - begun, 2)
        self.console.print(f"  done in {self.seconds[name]:.1f} s", style="dim")


def run_demo(settings: Settings, *, users: int, seed: int, as_of: datetime, json: Path | None) -> int:
    """Run the whole demonstration on the embedded server, in a database of its own that is emptied first.

    Args:
        settings: only `payments_home` is used; real credentials in the environment are never touched.
        users, seed, as_of: the world; the same three give the same world.

    Returns:
        0 when all that was planted was found and nothing else was said, Discord was told, and every repair held;
        1 otherwise.
    """
    console = console_for(json)
    stages = Stages(console)
    with stages.stage("database", "Starting PostgreSQL and making the tables"):
        url = embedded.fresh_database(embedded.server_url(settings.payments_home), DATABASE)
        engine = engine_for(url.render_as_string(hide_password=False))
        upgrade(engine)
    with stages.stage("world", f"Planting about {users} users (seed {seed}, as of {as_of:%Y-%m-%d %H:%M} UTC)"):
        world = build_world(seed, users, as_of)
        with engine.begin() as connection:
            write_application(driver_connection(connection), world)
    with Sandbox(world.state) as sandbox:
        environment = sandbox.environment() | {"DATABASE_URL": url.render_as_string(hide_password=False)}
        own = environment_settings(environment, settings.payments_home)
        first = _reconcile(own, engine, world, stages)
        reports, lines = _scores(engine, world)
        told = _alert_and_repair(own, stages, world)
        second = _prove(own, engine, world, stages)
        told |= _discord(world)
    summary = {
        "as_of": as_of.isoformat(),
        "seed": seed,
        "users": len(world.tables["users"]),
        "reports": {name: first["reports"][name] | tally.as_json() for name, tally in reports.items()},
        "lines": {line: tally.as_json() for line, tally in lines.items()},
        "coverage": first["coverage"],
        "notifications": told,
        "actions": second["actions"],
        "repairs": second["repairs"],
        "findings": {"first_run": first["findings"], "second_run": second["findings"]},
        "seconds": stages.seconds,
    }
    _show(console, first, second, told, reports)
    _look_round(console, engine)
    write_json(json, summary)
    perfect = all(tally.perfect for tally in reports.values())
    proved = (
        # Proposed: waits for people. Rejected: changed by another repair meanwhile, and planned anew if still due.
        set(second["actions"]) <= {"verified", "proposed", "rejected"}
        and second["actions"].get("verified", 0) > 0
        and not any(second["repairs"].values())
        and second["reports"]["activation_gaps"]["rows"] == told["unrepairable"]
        and told["messages"] > 0
        and all(line["state"] == "complete" for line in first["coverage"])
    )
    return 0 if perfect and proved else 1


def _reconcile(settings: Settings, engine: Engine, world: World, stages: Stages) -> dict[str, Any]:
    with (
        stages.stage("reconcile", "Reading three providers, joining, reporting"),
        local_runs(settings, world.as_of, world.ahead_seconds) as runs,
    ):
        if not runs.run(NIGHTLY):
            raise _failed("The reconciliation", runs.problems)
    with engine.connect() as connection:
        return gather(connection, settings, load_reports())


def _scores(engine: Engine, world: World) -> tuple[dict[str, Score], dict[str, Score]]:
    with engine.connect() as connection:
        rows = {name: report_rows(connection, name) for name in load_reports()}
    return score(world.labels, rows)


def _alert_and_repair(settings: Settings, stages: Stages, world: World) -> dict[str, Any]:
    engine = engine_for(settings.database_url.get_secret_value() if settings.database_url else "")
    with local_runs(settings, world.as_of, world.ahead_seconds) as runs:
        with stages.stage("alert", "Telling Discord"):
            runs.tick("alerts_due")
        with stages.stage("repair", "Giving payers what they paid for"):
            for _ in range(TICKS):  # what another repair changed meanwhile is planned anew
                if not runs.tick("repairs_due"):
                    break
            runs.tick("proposals_due")
    with engine.connect() as connection:
        gaps = report_rows(connection, "activation_gaps")
    return _discord(world) | {"unrepairable": sum(1 for row in gaps if row.get("repairable") is False)}


def _discord(world: World) -> dict[str, Any]:
    """What the simulated Discord channel shows now."""
    with world.state.lock:
        messages = list(world.state.discord.messages.values())
    embeds = [embed for message in messages for embed in message.get("embeds", [])]
    return {
        "messages": len(messages),
        # the first edit is how a message is written: discord.py posts in two steps
        "edited": sum(1 for message in messages if message.get("edits", 0) > 1),
        "titles": [embed.get("title", "") for embed in embeds],
        "colours": [f"#{embed.get('color', 0):06X}" for embed in embeds],
    }


def _prove(settings: Settings, engine: Engine, world: World, stages: Stages) -> dict[str, Any]:
    as_of = world.as_of + SECOND_RUN_AFTER
    with (
        stages.stage("prove", "Reconciling again: do the repairs hold?"),
        local_runs(settings, as_of, world.ahead_seconds) as runs,
    ):
        if not runs.run(NIGHTLY):
            raise _failed("The second reconciliation", runs.problems)
        runs.tick("alerts_due")
    with engine.connect() as connection:
        return gather(connection, settings, load_reports()) | {"repairs": _left(engine, settings, as_of)}


def _failed(what: str, problems: Sequence[str]) -> PermanentError:
    return PermanentError(
        f"{what} failed: {'; '.join(problems) or 'no reason given'}.", where=NIGHTLY, remedy="Run it with --debug."
    )


def _left(engine: Engine, settings: Settings, as_of: datetime) -> dict[str, int]:
    """What should be nothing: repairs policy lets happen by themselves that were not made; verified ones whose finding
    is not over."""
    looked = repair(
        engine, as_of=as_of, actor="demo", dry_run=True, desk=Desk(settings, lambda: as_of, engine)
    )  # fmt: skip
    with engine.connect() as connection:
        allowed = policies(connection)
        unproved = connection.execute(named("present/unproved_repairs.sql")).scalar_one()
    by_itself = [view for view in looked.actions if policy_for(allowed, view.kind, view.report).mode == "auto"]
    return {"not_made": sum(view.state == "proposed" for view in by_itself), "unproved": int(unproved)}


def _look_round(console: Console, engine: Engine) -> None:
    """What to type next, in this world: it stays until the next demo."""
    with engine.connect() as connection:
        shown = connection.execute(named("present/worth_a_look.sql")).one_or_none()
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    words = ["check", "findings list", "actions list"]
    if shown is not None:
        words[2:2] = [f"findings show {shown.finding_id}", f"user {shown.user_ref}"]
    console.print("Look round in this world:", style="bold")
    console.print(f"  export DATABASE_URL='{url}'", markup=False, highlight=False, soft_wrap=True)
    for one in words:
        console.print(f"  payments-pipeline {one}", markup=False, highlight=False)
    console.print("The same in Dagster's UI: payments-pipeline dev. For your own: payments-pipeline init.")


def _show(
    console: Console,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    told: Mapping[str, Any],
    reports: Mapping[str, Score],
) -> None:
    show_coverage(console, first["coverage"])
    show_reports(console, first["reports"])
    table = Table(title="Held against what was planted", title_justify="left")
    for column in ("report", "planted", "found", "missed", "false"):
        table.add_column(column, justify="left" if column == "report" else "right")
    for name, tally in reports.items():
        colour = "green" if tally.perfect else "red"
        counts = (tally.planted, tally.found, len(tally.missed), len(tally.false))
        table.add_row(f"[{colour}]{name}[/]", *(str(count) for count in counts))
    console.print(table)
    console.print(f"Discord shows {told['messages']} messages, {told['edited']} of them edited since:")
    for title, colour in list(zip(told["titles"], told["colours"], strict=True))[:8]:
        console.print(f"  [{colour}]●[/] ", end="")
        console.print(title, markup=False)
    if len(told["titles"]) > 8:  # noqa: PLR2004  (enough to see what they are like)
        console.print(f"  ... and {len(told['titles']) - 8} more")
    actions = ", ".join(f"{number} {state}" for state, number in second["actions"].items()) or "none"
    console.print(f"Repairs: {actions}.")
    before, after = first["reports"]["activation_gaps"]["rows"], second["reports"]["activation_gaps"]["rows"]
    resolved = second["findings"].get("resolved", 0)
    console.print(
        f"Second run: activation gaps {before} -> {after}; {resolved} findings resolved. "
        f"Left for people to decide: {told['unrepairable']}."
    )

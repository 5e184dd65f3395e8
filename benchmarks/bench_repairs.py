"""How long from a finding to its verified repair, under the real daemon: Dagster's webserver, daemon and code server.

Three ways in are measured: payers whose webhook was lost, found and repaired by the activation probe; rows that lag
behind Stripe and holds of no-shows, found and repaired by the reading of changes; and the same found by a run of all
reports, as at night, and repaired by the run that repairs_due starts.
Nobody else repairs such things by themselves, so the peer is the bound that was promised: 30 seconds at the 95th
percentile. Times are taken by looking at the database every tenth of a second, not from what we write down ourselves.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import harness
import psutil
import requests
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError
from sqlalchemy import Engine, create_engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import driver_connection, engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.dev import dagster_environment
from payments_pipeline.repair_jobs import in_earnest
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline.sandbox.world import build_world, write_application

USERS = int(os.environ.get("BENCH_USERS", "300"))
PROBED = int(os.environ.get("BENCH_PROBED", "16"))
ROUNDS, EACH = 4, 6
BOUND = 30.0
NO_GRACE = json.dumps({"out_of_sync_payments": {"grace_seconds": 0}})
SEED = 11
SEEN = """
    SELECT f.finding_id, f.report, f.status, a.state, f.opened_at
    FROM recon.findings AS f LEFT JOIN recon.actions AS a ON f.finding_id = a.finding_id AND a.state = 'verified'
    WHERE f.finding_id > :since
"""
RUNS = "SELECT create_timestamp, start_time, end_time, pipeline_name FROM runs WHERE pipeline_name = any(:jobs)"


@dataclass
class Watch:
    """When each finding was first seen, first seen repaired, and first seen resolved (seconds, monotonic)."""

    engine: Engine
    since: int = 0
    opened: dict[int, float] = field(default_factory=dict)
    verified: dict[int, float] = field(default_factory=dict)
    resolved: dict[int, float] = field(default_factory=dict)
    reports: dict[int, str] = field(default_factory=dict)

    def look(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(text(SEEN), {"since": self.since}).all()
        now = time.monotonic()
        for row in rows:
            self.reports[row.finding_id] = row.report
            self.opened.setdefault(row.finding_id, now)
            if row.state == "verified":
                self.verified.setdefault(row.finding_id, now)
            if row.status == "resolved":
                self.resolved.setdefault(row.finding_id, now)

    def until(self, repaired: int, seconds: float) -> None:
        """Look until so many are repaired and over, or so many seconds have passed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (len(self.verified) < repaired or len(self.resolved) < repaired):
            self.look()
            time.sleep(0.1)


@dataclass
class Town:
    """What happens at Stripe and in the application while the daemon runs."""

    engine: Engine
    life: StripeLife
    number: int = 0

    def lost_webhook(self) -> None:
        """Somebody paid two minutes ago, and the application wrote it down, but nobody gave access."""
        at = datetime.now(UTC) - timedelta(seconds=118)
        intent = self._paid(at)
        self._run(
            "WITH u AS (INSERT INTO users (username, email) VALUES (:name, :name || '@example.com') RETURNING id)"
            " INSERT INTO payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount,"
            " currency, created_at, confirmed_at, updated_at) SELECT u.id, p.id, 'stripe', :ref, 'completed', p.price,"
            " p.currency, :at, :at, :at FROM u, plans AS p WHERE p.period = 'month' ORDER BY p.id LIMIT 1",
            name=f"late{self.number}", ref=intent, at=at,
        )  # fmt: skip

    def lagging_row(self) -> None:
        """Somebody paid a moment ago, and the row still says pending."""
        at = datetime.now(UTC) - timedelta(seconds=5)
        intent = self._paid(at, amount=700)
        self._run(
            "WITH u AS (INSERT INTO users (username, email) VALUES (:name, :name || '@example.com') RETURNING id)"
            " INSERT INTO payment_transactions (user_id, payment_method, transaction_id, status, amount, currency,"
            " created_at, updated_at) SELECT u.id, 'stripe', :ref, 'pending', 7, 'usd', :at, :at FROM u",
            name=f"lag{self.number}", ref=intent, at=at,
        )  # fmt: skip

    def no_show(self) -> None:
        """A hold, made only now, for a booking of yesterday to which nobody came."""
        self.number += 1
        at = datetime.now(UTC) - timedelta(seconds=5)
        intent = str(self.life.create_intent(at=at, amount=4000, manual=True)["id"])
        self.life.authorize(intent, at=at)
        self._run(
            "WITH u AS (INSERT INTO users (username, email) VALUES (:name, :name || '@example.com') RETURNING id),"
            " b AS (INSERT INTO bookings (customer_id, provider_id, starts_at, ends_at, status, price, currency)"
            " SELECT u.id, u.id, :ended, :ended, 'no_show', 40, 'usd' FROM u RETURNING id, customer_id)"
            " INSERT INTO payment_transactions (user_id, booking_id, payment_method, transaction_id, status, amount,"
            " currency, created_at, updated_at) SELECT b.customer_id, b.id, 'stripe', :ref, 'authorized', 40, 'usd',"
            " :at, :at FROM b",
            name=f"gone{self.number}", ref=intent, at=at, ended=at - timedelta(days=1),
        )  # fmt: skip

    def _paid(self, at: datetime, amount: int | None = None) -> str:
        self.number += 1
        if amount is None:
            with self.engine.connect() as connection:
                price = connection.execute(
                    text("SELECT price FROM plans WHERE period = 'month' ORDER BY id LIMIT 1")
                ).scalar_one()
            amount = int(price * 100)
        intent = str(self.life.create_intent(at=at, amount=amount)["id"])
        self.life.succeed(intent, at=at)
        return intent

    def _run(self, sql: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), values)


def main() -> None:
    """One run: start everything, let things happen, look."""
    home = Path(tempfile.mkdtemp(prefix="bench_repairs_"))
    url = embedded.server_url(home, "bench")
    shown = url.render_as_string(hide_password=False)
    engine = engine_for(shown)
    upgrade(engine)
    world = build_world(SEED, USERS, datetime.now(UTC).replace(microsecond=0))
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    history = embedded.fresh_database(url, "dagster_bench").set(drivername="postgresql+psycopg2")
    world.state.clock = lambda: datetime.now(UTC)
    try:
        with Sandbox(world.state) as sandbox:
            environment = sandbox.environment() | {
                "DATABASE_URL": shown,
                "DAGSTER_POSTGRES_URL": history.render_as_string(hide_password=False),
                "REPORT_PARAMS": NO_GRACE,
            }
            with daemon(environment, home) as client:
                watch = exercise(client, engine, Town(engine, StripeLife(world.state)))
        report(watch, create_engine(history))
    finally:
        engine.dispose()
        embedded.stop(home)


def exercise(client: DagsterGraphQLClient, engine: Engine, town: Town) -> Watch:
    """Reconcile once, let the daemon repair what that finds; then plant one case after the other."""
    finished(client, client.submit_job_execution("nightly_reconciliation"), 300)
    warm = Watch(engine)
    warm.until(10_000, 20)
    with engine.connect() as connection:
        newest = connection.execute(text("SELECT max(finding_id) FROM recon.findings")).scalar() or 0
    watch = Watch(engine, since=newest)
    for case in range(PROBED):
        town.lost_webhook()
        watch.until(case + 1, 60)
    for number in range(ROUNDS):
        for _ in range(EACH // 2):
            town.lagging_row()
            town.no_show()
        before = len(watch.verified)
        if number % 2:
            finished(client, client.submit_job_execution("ingest_changes"), 120)  # by hand: it repairs nothing
            run = client.submit_job_execution("refresh_reports")
        else:
            tags = {"dagster/schedule_name": "ingest_changes"}  # only such runs act in the project's own name
            run = client.submit_job_execution("ingest_changes", run_config=in_earnest(), tags=tags)
        watch.until(before + EACH, 120)
        finished(client, run, 120)
    return watch


def finished(client: DagsterGraphQLClient, run: str, seconds: float) -> None:
    """Wait for a run."""
    end = time.monotonic() + seconds
    while client.get_run_status(run).value not in {"SUCCESS", "FAILURE", "CANCELED"}:
        assert time.monotonic() < end, "a run does not end"
        time.sleep(0.2)


def report(watch: Watch, history: Engine) -> None:
    """Figures of every finding that was repaired."""
    took = {finding: watch.verified[finding] - watch.opened[finding] for finding in watch.verified}
    closing = [watch.resolved[finding] - watch.verified[finding] for finding in took if finding in watch.resolved]
    by_report: dict[str, list[float]] = {}
    for finding, seconds in took.items():
        by_report.setdefault(watch.reports[finding], []).append(seconds)
    with history.connect() as connection:
        runs = connection.execute(text(RUNS), {"jobs": ["repair_findings", "probe_activations"]}).all()
    queued = [run.start_time - run.create_timestamp.replace(tzinfo=UTC).timestamp() for run in runs if run.start_time]
    working = [run.end_time - run.start_time for run in runs if run.start_time and run.end_time]
    notes: dict[str, object] = {
        "seconds_by_report": {name: spread(values) for name, values in sorted(by_report.items())},
        "finding_resolved_after_verified": spread(closing),
        "run_from_request_to_first_step": spread(queued),
        "run_from_first_step_to_end": spread(working),
        "not_repaired": sorted(
            f"{watch.reports[finding]} {finding}" for finding in watch.opened.keys() - watch.verified.keys()
        ),
    }
    expected = PROBED + ROUNDS * EACH
    slowest = percentile(list(took.values()), 0.95) if len(took) >= expected else float("inf")
    measures = [
        harness.measure(
            "finding_to_verified_p95", slowest, BOUND, target=1.0,
            what=f"{len(took)} of {expected} findings under the daemon, seconds from seen open to seen verified",
        ),
        harness.measure(
            "verified_to_resolved_p95", percentile(closing, 0.95) if closing else float("inf"), BOUND, target=1.0,
            what="seconds from seen verified to the finding seen resolved by the check after it",
        ),
    ]  # fmt: skip
    harness.write("repairs", measures, ("dagster", "sqlalchemy", "stripe"), {"users": USERS, "cases": len(took)}, notes)


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and largest, in seconds."""
    if not values:
        return {}
    return {
        "cases": len(values), "median": round(statistics.median(values), 2),
        "p95": round(percentile(values, 0.95), 2), "max": round(max(values), 2),
    }  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


@contextmanager
def daemon(environment: dict[str, str], home: Path) -> Iterator[DagsterGraphQLClient]:
    """`dagster dev` over this environment; everything it started ends with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = load_settings(_env_file=None, payments_home=home, database_url=environment["DATABASE_URL"])
    whole = {**os.environ, **dagster_environment(settings), **environment}
    workspace = Path(__file__).resolve().parents[1] / "workspace.yaml"
    words = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, env=whole, stdout=log, stderr=log)  # noqa: S603  (our own interpreter)
        try:
            yield connected(port)
        finally:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs([psutil.Process(process.pid), *family], timeout=20)
            for one in alive:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()


def connected(port: int) -> DagsterGraphQLClient:
    """The webserver's client, once it answers and knows the jobs."""
    for _ in range(180):
        time.sleep(1)
        try:
            client = DagsterGraphQLClient("127.0.0.1", port_number=port)
            answer = requests.post(
                f"http://127.0.0.1:{port}/graphql", json={"query": "{ repositoriesOrError { __typename } }"}, timeout=10
            )
            if answer.ok:
                return client
        except (OSError, DagsterGraphQLClientError, requests.RequestException):
            continue
    raise SystemExit("Dagster did not come up.")


if __name__ == "__main__":
    main()

"""How long until people know: from the commit of a payment to the message in Discord, with the real daemon.

`dagster-daemon` with the project's own settings, the sandbox's providers and Discord over HTTP, grace 0. Two kinds of
cases: a paid payment whose user has no access (the application knows), and a crypto payment that only the provider
knows to be paid. A case's `ours` is seconds; `peer` is what was asked for, so that a ratio of 1 and more holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import harness
from sqlalchemy import Engine, text

from payments_pipeline.assets.canonical import NIGHTLY
from payments_pipeline.config import load_settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.dev import dagster_environment
from payments_pipeline.reconcile import LocalRuns, quiet_dagster
from payments_pipeline.sandbox.objects import nowpayments_payment
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState

PACKAGE = Path(__file__).resolve().parents[1] / "payments_pipeline"
GIVE_UP_SECONDS = 240.0
P50, P95 = 12.0, 20.0  # seconds that were asked for
POLL = 60.0  # seconds between two looks at a crypto provider
NO_GRACE = json.dumps({name: {"grace_seconds": 0} for name in ("activation_gaps", "wrong_tier")})
USER = text("INSERT INTO public.users (username, email) VALUES (:name, :email) RETURNING id")
PAYMENT = text("""
    INSERT INTO public.payment_transactions (
        user_id, plan_id, payment_method, transaction_id, status, amount, currency, crypto_currency, crypto_amount,
        network, expires_at, confirmed_at
    ) VALUES (:user, 1, :method, :ref, :status, 20, 'USD', :coin, :coins, :network, :expires, :confirmed) RETURNING id
""")
RUN_OF = text("SELECT run_id FROM recon.findings WHERE report = 'activation_gaps' AND user_ref = :user")


@dataclass
class Case:
    """One payment: when it happened (epoch seconds), whose, and when Discord had the message."""

    ref: str
    user: str
    begun: float
    told: float | None = None
    parts: dict[str, float] = field(default_factory=dict)


@dataclass
class Bench:
    """What all cases share."""

    engine: Engine
    sandbox: Sandbox
    numbers: random.Random

    def user(self, name: str) -> int:
        with self.engine.begin() as connection:
            email = f"{name}@example.com"
            return int(connection.execute(USER, {"name": name, "email": email}).scalar_one())

    def pay(self, user: int, method: str, ref: str, status: str, **more: Any) -> int:
        """A payment of the application's, committed when this returns."""
        none = dict.fromkeys(("coin", "coins", "network", "expires", "confirmed"))
        row = {**none, "user": user, "method": method, "ref": ref, "status": status, **more}
        with self.engine.begin() as connection:
            return int(connection.execute(PAYMENT, row).scalar_one())

    def shown(self, ref: str) -> bool:
        """Whether Discord has a message that names the payment."""
        with self.sandbox.state.lock:
            return any(ref in json.dumps(one["embeds"]) for one in self.sandbox.state.discord.messages.values())

    def until_told(self, cases: Sequence[Case]) -> None:
        """Wait for the messages of these cases, and note when each came; the clock's grain is 20 ms."""
        end = time.time() + GIVE_UP_SECONDS
        while time.time() < end and any(case.told is None for case in cases):
            self.look(cases)
            time.sleep(0.02)

    def look(self, cases: Sequence[Case]) -> None:
        for case in cases:
            if case.told is None and self.shown(case.ref):
                case.told = time.time()


def paid_without_access(bench: Bench, number: int) -> Case:
    """The webhook was lost after the payment was written down."""
    ref = f"pi_bench_{number:04d}"
    user = bench.user(f"payer{number}")
    bench.pay(user, "stripe", ref, "succeeded", confirmed=datetime.now(UTC))
    return Case(ref, str(user), time.time())


def waiting_crypto(bench: Bench, number: int) -> Case:
    """A crypto payment that both sides know to wait."""
    now = datetime.now(UTC)
    ref = str(5_000_000_000 + number)
    user = bench.user(f"crypto{number}")
    order = bench.pay(
        user, "nowpayments", ref, "waiting", coin="USDTTRC20", coins=20, network="trx", expires=now + timedelta(days=7)
    )
    with bench.sandbox.state.lock:
        bench.sandbox.state.nowpayments.payments[ref] = _gateway(ref, str(order), "waiting", 0, now)
    return Case(ref, str(user), 0.0)


def finished(bench: Bench, case: Case) -> None:
    """The coins came; nobody tells the application."""
    state = bench.sandbox.state
    with state.lock:
        before = state.nowpayments.payments[case.ref]
        state.nowpayments.payments[case.ref] = {
            **before, "payment_status": "finished", "actually_paid": 20.0, "outcome_amount": 20.0,
            "payin_hash": f"hash{case.ref}", "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }  # fmt: skip
    case.begun = time.time()


def _gateway(ref: str, order: str, status: str, paid: int, at: datetime) -> dict[str, Any]:
    return nowpayments_payment(
        ref, status=status, price=Decimal(20), price_currency="usd", pay_amount=Decimal(20),
        actually_paid=Decimal(paid), order_id=order, address="TAddress", tx_hash=None, created=at, updated=at,
    )  # fmt: skip


def known_cases(bench: Bench, cases: int) -> list[Case]:
    """One after the other, at moments that have nothing to do with the daemon's."""
    done = []
    for number in range(cases):
        time.sleep(bench.numbers.uniform(4.0, 14.0))  # also time for the repair of the one before
        case = paid_without_access(bench, number)
        bench.until_told([case])
        sys.stderr.write(f"{case.ref}: {(case.told or 0) - case.begun:.1f} s\n")
        done.append(case)
    return done


def provider_only_cases(bench: Bench, cases: int, first: int = 0) -> list[Case]:
    """Several in one poll's time, at random moments: each is measured by itself."""
    waiting = [waiting_crypto(bench, first + number) for number in range(cases)]
    for number, case in enumerate(waiting):
        end = time.time() + bench.numbers.uniform(8.0, 24.0)
        while time.time() < end:
            bench.look(waiting[:number])
            time.sleep(0.02)
        finished(bench, case)
    bench.until_told(waiting)
    for case in waiting:
        sys.stderr.write(f"{case.ref}: {(case.told or 0) - case.begun:.1f} s\n")
    return waiting


def parts(bench: Bench, cases: Sequence[Case], instance: dg.DagsterInstance) -> None:
    """Where the time went, by Dagster's own record of the run that found it."""
    for case in cases:
        with bench.engine.connect() as connection:
            run_id = connection.execute(RUN_OF, {"user": case.user}).scalar()
        record = instance.get_run_record_by_id(run_id) if run_id else None
        if record is None or case.told is None:
            continue
        steps = [one for one in instance.get_run_step_stats(record.dagster_run.run_id) if one.start_time]
        created, first = record.create_timestamp.timestamp(), min(one.start_time or 0 for one in steps)
        last = max((one for one in steps if one.step_key == "deliveries"), key=lambda one: one.start_time or 0)
        case.parts = {
            "until the tick asked for a run": created - case.begun,
            "queue, start of the process, imports": first - created,
            "reading, reports and findings": (last.start_time or 0) - first,
            "delivery": case.told - (last.start_time or 0),
        }


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def measures(name: str, cases: Sequence[Case], extra: float, what: str) -> list[harness.Measure]:
    seconds = [(case.told - case.begun) if case.told else GIVE_UP_SECONDS for case in cases]
    return [
        harness.measure(f"{name}_p50", quantile(seconds, 0.5), P50 + extra, target=1.0, what=f"median, {what}"),
        harness.measure(f"{name}_p95", quantile(seconds, 0.95), P95 + extra, target=1.0, what=f"95 of 100, {what}"),
    ]


def where(cases: Sequence[Case]) -> dict[str, float]:
    """Median of each part."""
    names = next((list(case.parts) for case in cases if case.parts), [])
    return {name: round(statistics.median(case.parts[name] for case in cases if case.parts), 2) for name in names}


def health() -> list[dict[str, Any]]:
    """What the health command calls amiss after all that, the daemon still running: nothing should be."""
    command = [sys.executable, "-m", "payments_pipeline.cli", "health", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own interpreter)
    return [one for one in json.loads(told.stdout)["looks"] if one["amiss"]]


def start_daemon(log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(PACKAGE / "workspace.yaml")]
    with log.open("wb") as sink:
        return subprocess.Popen(command, stdout=sink, stderr=sink)  # noqa: S603  (our own interpreter)


def prepare(home: Path, sandbox: Sandbox) -> Engine:
    """An empty shop whose providers were read once, as after a first night."""
    url = embedded.server_url(home, "bench").render_as_string(hide_password=False)
    engine = engine_for(url)
    upgrade(engine)
    with engine.begin() as connection:
        plan = (
            "INSERT INTO public.plans (id, name, tier, period, price, currency) VALUES (1, 'Pro', 'pro', 'month', 20,"
        )
        connection.execute(text(f"{plan} 'USD')"))
    values = {**sandbox.environment(), "DATABASE_URL": url, "REPORT_PARAMS": NO_GRACE, "PAYMENTS_HOME": str(home)}
    os.environ |= values
    settings = load_settings(_env_file=None)
    os.environ |= dagster_environment(settings)
    with quiet_dagster(), dg.DagsterInstance.get() as instance:
        if not LocalRuns(settings, instance, None).run(NIGHTLY):
            raise SystemExit("the first night failed")
    return engine


def measure_all(bench: Bench, cases: int, instance: Callable[[], dg.DagsterInstance]) -> None:
    """Warm up with one case of each kind, then measure."""
    warm = paid_without_access(bench, 9000)
    bench.until_told([warm])
    if warm.told is None:
        raise SystemExit("the daemon does not tell of the first payment; see its log")
    known = known_cases(bench, cases)
    provider_only_cases(bench, 1, first=9000)
    unknown = provider_only_cases(bench, cases)
    with instance() as opened:
        parts(bench, known, opened)
        parts(bench, unknown, opened)
    told = "from the commit to Discord"
    found = [
        *measures("paid_without_access", known, 0.0, told),
        *measures("provider_only", unknown, POLL, f"from the provider's change to Discord; asked once in {POLL:.0f} s"),
    ]
    notes = {
        "where_the_time_goes": {"paid_without_access": where(known), "provider_only": where(unknown)},
        "seconds": {
            "paid_without_access": [round((case.told or 0) - case.begun, 2) for case in known],
            "provider_only": [round((case.told or 0) - case.begun, 2) for case in unknown],
        },
        "load_average": os.getloadavg(),
        "health_at_the_end": health(),
        "peer": "what was asked for, in seconds",
    }
    harness.write("latency", found, ("dagster", "dagster-postgres", "sqlalchemy", "psycopg"), {"cases": cases}, notes)


def main() -> None:
    """Both kinds of cases, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=30)
    cases = parser.parse_args().cases
    home = Path(tempfile.mkdtemp(prefix="bench_latency_"))
    with Sandbox(SandboxState()) as sandbox:
        engine = prepare(home, sandbox)
        daemon = start_daemon(home / "daemon.log")
        try:
            bench = Bench(engine, sandbox, random.Random(1))
            measure_all(bench, cases, dg.DagsterInstance.get)
        finally:
            daemon.terminate()
            daemon.wait(60)
            engine.dispose()
            embedded.stop(home)


if __name__ == "__main__":
    main()

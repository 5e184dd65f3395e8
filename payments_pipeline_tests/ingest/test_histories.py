"""Property: whatever happens at the provider and to the runs that read it, the raw tables end as the provider is, older
never overwrites newer, nothing is dropped, and no certificate claims more than was read.

A history is a list of steps: changes at a simulated Stripe, NOWPayments or OKX, waits, and runs of every way in, alone
or two at once, with faults, kills, cut connections and clocks that differ. `make soak-ingest` does thousands;
HISTORIES_SEED repeats a lot.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import ccxt
import psycopg
import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import URL, Engine

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.db.engine import engine_for
from payments_pipeline.ingest import snapshot
from payments_pipeline.providers import stripe_lists
from payments_pipeline.providers.base import Clock, Provider
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.conftest import TEMPLATE
from payments_pipeline_tests.emptying import emptied
from payments_pipeline_tests.ingest.history_crypto import NowPaymentsWorld, OkxWorld
from payments_pipeline_tests.ingest.history_judge import Judge
from payments_pipeline_tests.ingest.history_log import World
from payments_pipeline_tests.ingest.history_runs import Burst, Run, Runs, Step, Together, Trouble, Wait
from payments_pipeline_tests.ingest.history_world import RESOURCES, StripeWorld
from payments_pipeline_tests.ingest.lots import SEED, share

EMPTY_EVERY = 40
"""Histories that share the tables, each under an account of its own, before they are emptied."""
DAY = 86_400.0
RAW = "recon.coverage, recon.watermarks, recon.feed_events, recon.backfills, recon.rejected_objects, recon.raw_json, \
recon.stripe_payment_intents, recon.stripe_charges, recon.stripe_refunds, recon.stripe_customers, \
recon.nowpayments_payments, recon.okx_deposits"

bursts = st.builds(Burst, count=st.integers(1, 12), pick=st.integers(0, 9999))
waits = st.builds(Wait, seconds=st.sampled_from([0.3, 1.0, 1.0, 60.0, 1200.0, DAY, 5 * DAY, 31 * DAY]))
meanwhile = st.lists(st.builds(Burst, count=st.integers(1, 5), pick=st.integers(0, 9999)), max_size=6).map(tuple)
stalls = st.builds(
    Run, way=st.sampled_from(["incremental", "backfill", "sweep", "sweep", "reread"]), pick=st.integers(0, 99),
    everything=st.booleans(), trouble=st.builds(Trouble, kind=st.just("stall"), number=st.integers(2, 14)),
)  # fmt: skip


def runs(*paths: str) -> st.SearchStrategy[Run]:
    """Runs at a provider whose faults strike on these paths."""
    troubles = st.one_of(
        st.builds(Trouble, kind=st.just("kill"), number=st.integers(1, 40)),
        st.builds(Trouble, kind=st.just("cut"), number=st.integers(2, 15)),
        st.builds(Trouble, kind=st.just("refuse"), number=st.integers(0, 99)),
        st.builds(
            Trouble, kind=st.sampled_from(["server_error", "rate_limit", "cut_body", "invalid_json", "unauthorized"]),
            path=st.sampled_from(paths), page=st.sampled_from([None, None, 1, 2, 3]),
            times=st.sampled_from([1, 2, 3, None]),
        ),
    )  # fmt: skip
    return st.builds(
        Run, way=st.sampled_from(["incremental", "incremental", "backfill", "sweep", "sweep", "reread"]),
        pick=st.integers(0, 99), everything=st.booleans(), trouble=st.one_of(st.none(), troubles),
        skew=st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, -2.0, 5.0, 900.0]), meanwhile=meanwhile,
    )  # fmt: skip


def steps(runs: st.SearchStrategy[Run], waits: st.SearchStrategy[Wait]) -> st.SearchStrategy[list[Step]]:
    """The middle of a history."""
    togethers = st.builds(Together, st.one_of(stalls, stalls, runs), runs, bursts)
    return st.lists(st.one_of(bursts, waits, runs, togethers), min_size=2, max_size=12)


stripe_runs = runs("/v1/payment_intents", "/v1/charges", "/v1/refunds", "/v1/customers", "/v1/events")
crypto_runs = runs("", "/v1/payment", "/v1/payment/", "/v1/auth", "/api/v5/asset")
days = st.builds(Wait, seconds=st.sampled_from([0.3, 1.0, 60.0, 1200.0, DAY]))
subjects = st.sampled_from(
    [("payment_intents", "refunds"), ("charges", "refunds"), ("payment_intents", "customers"), RESOURCES]
)
ways = st.sampled_from(["sweep", "sweep", "incremental", "backfill", "reread"])
overtaken = st.builds(
    Together,
    st.builds(Run, way=ways, pick=st.integers(0, 99), everything=st.just(True),
              trouble=st.builds(Trouble, kind=st.just("stall"), number=st.integers(3, 11))),
    st.builds(Run, way=ways, pick=st.integers(0, 99), everything=st.just(True)),
    bursts,
)  # fmt: skip
races = st.lists(st.tuples(bursts, overtaken), min_size=1, max_size=5)
beginnings = st.lists(st.one_of(bursts, bursts, waits), max_size=6)


def no_time(_seconds: float) -> None:
    """For waiting between tries."""


class Stage:
    """What all histories share."""

    def __init__(
        self, engine: Engine, sandbox: Sandbox, at_sandbox: Settings, cut_connections: Callable[[], None]
    ) -> None:
        self.engine, self.sandbox, self.settings, self.cut_connections = engine, sandbox, at_sandbox, cut_connections
        self.numbers = itertools.count()
        self.outcomes: Counter[str] = Counter()

    def stripe(self, clock: Clock) -> StripeProvider:
        return StripeProvider(self.settings, clock, sleep=no_time)

    def nowpayments(self, email: str, clock: Clock) -> NowPaymentsProvider:
        own = self.settings.model_copy(update={"nowpayments_email": SecretStr(email)})
        return NowPaymentsProvider(own, clock, page_size=3, sleep=no_time)

    def okx(self, clock: Clock) -> OkxProvider:
        return OkxProvider(self.settings, clock, page_size=3, sleep=no_time)

    def __repr__(self) -> str:
        return "stage"


@pytest.fixture(scope="module")
def scene(server: URL) -> Iterator[Stage]:
    """A database and a sandbox for all histories; small pages and batches, so that their borders matter."""
    name = "test_histories"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    names = {"name": sql.Identifier(name), "template": sql.Identifier(TEMPLATE)}
    with psycopg.connect(admin, autocommit=True) as connection, pytest.MonkeyPatch.context() as patch:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        patch.setattr(stripe_lists, "PAGE_LIMIT", 3)
        patch.setattr(snapshot, "BATCH", 4)
        patch.setattr(ccxt.Exchange, "throttle", lambda _self, _cost=None: None)  # six calls a second, else

        def cut_connections() -> None:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        # A connection that was cut is rolled back in vain, which the pool would log at length.
        patch.setattr(logging.getLogger("sqlalchemy.pool"), "level", logging.CRITICAL)
        patch.setattr(logging.getLogger("payments_pipeline.providers.clocks"), "level", logging.CRITICAL)
        engine = engine_for(server.set(database=name).render_as_string(hide_password=False))
        with Sandbox(SandboxState()) as sandbox:
            values: dict[str, Any] = {name.lower(): value for name, value in sandbox.environment().items()}
            at_sandbox = load_settings(_env_file=None, **(values | {"stripe_account": None, "http_max_attempts": 2}))
            yield Stage(engine, sandbox, at_sandbox, cut_connections)
        engine.dispose()
        connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


class History:
    """One history on the stage."""

    def __init__(self, scene: Stage, number: int, world: World, connect: Callable[[Clock], Provider]) -> None:
        if number % EMPTY_EVERY == 0:
            with scene.engine.begin() as connection:
                emptied(connection, RAW.split(", "))
        self.world = world
        scene.sandbox.load(world.state)
        self.runs = Runs(scene.engine, scene.sandbox, world, connect, scene.cut_connections)
        self.judge = Judge(scene.engine, self.world, self.runs, scene.sandbox.requests)

    @classmethod
    def at_stripe(cls, scene: Stage, resources: Sequence[str], *, quiet: bool) -> Self:
        number = next(scene.numbers)
        return cls(scene, number, StripeWorld(f"acct_{number}", resources, quiet=quiet), scene.stripe)

    @classmethod
    def of_crypto(cls, scene: Stage, provider: str, *, quiet: bool) -> Self:
        number = next(scene.numbers)
        if provider == "okx":
            return cls(scene, number, OkxWorld(f"uid_{number}", quiet=quiet), scene.okx)
        email = f"owner{number}@example.com"
        connect = functools.partial(scene.nowpayments, email)
        return cls(scene, number, NowPaymentsWorld(email, quiet=quiet), connect)

    def take(self, step: Step) -> None:
        match step:
            case Burst(count, pick):
                self.world.burst(count, pick)
                return
            case Wait(seconds):
                self.world.time.pass_by(seconds)
                return
            case Together(first, second, between):
                self.runs.go(first, second, between)
            case Run():
                self.runs.go(step)
        self.judge.check()

    def finish(self, *ways: str) -> None:
        """Runs in which nothing goes wrong, after the present second and every clock's error have passed."""
        self.world.heal()
        self.world.time.pass_by(60)
        for way in ways:
            made = self.runs.clean(Run(way, everything=True))
            # After a long sleep it says that the feed no longer goes back so far; the sweep has made that good.
            assert all(one.complete for one in made if one.mode != "feed"), made
            self.judge.check()
        self.judge.settled()


shared = settings(
    deadline=None, database=None, print_blob=True, derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)  # fmt: skip


@seed(SEED)
@settings(shared, max_examples=share(0.3))
@given(resources=subjects, beginning=beginnings, steps=steps(stripe_runs, waits))
def test_whatever_happened_a_sweep_and_an_incremental_run_end_with_the_providers_truth(
    scene: Stage, resources: Sequence[str], beginning: list[Step], steps: list[Step]
) -> None:
    history = History.at_stripe(scene, resources, quiet=False)
    for step in [*beginning, *steps]:
        history.take(step)
    history.finish("sweep", "incremental")
    scene.outcomes.update(history.runs.outcomes)
    note(f"HISTORIES_SEED={SEED}, outcomes so far: {dict(scene.outcomes)}")


@seed(SEED)
@settings(shared, max_examples=share(0.2))
@given(resources=subjects, beginning=beginnings, steps=steps(stripe_runs, days))
def test_where_the_feed_tells_all_an_incremental_run_alone_ends_with_the_providers_truth(
    scene: Stage, resources: Sequence[str], beginning: list[Step], steps: list[Step]
) -> None:
    history = History.at_stripe(scene, resources, quiet=True)
    for step in beginning:
        history.take(step)
    history.world.time.pass_by(1)
    history.runs.clean(Run("backfill", everything=True))
    for step in steps:
        history.take(step)
    history.finish("incremental")
    scene.outcomes.update(history.runs.outcomes)
    note(f"HISTORIES_SEED={SEED}, outcomes so far: {dict(scene.outcomes)}")


@seed(SEED)
@settings(shared, max_examples=share(0.25))
@given(resource=st.sampled_from(RESOURCES), races=races)
def test_whoever_read_last_wins_in_whatever_order_they_write(
    scene: Stage, resource: str, races: list[tuple[Burst, Together]]
) -> None:
    history = History.at_stripe(scene, [resource], quiet=False)
    for burst, overtaking in races:
        history.world.burst(6, burst.pick)
        history.take(burst)
        history.take(Wait(1))
        history.take(overtaking)
    history.finish("sweep")
    scene.outcomes.update(history.runs.outcomes)
    note(f"HISTORIES_SEED={SEED}, outcomes so far: {dict(scene.outcomes)}")


crypto = st.sampled_from(["nowpayments", "nowpayments", "okx"])


@seed(SEED)
@settings(shared, max_examples=share(0.2))
@given(provider=crypto, beginning=beginnings, steps=steps(crypto_runs, waits))
def test_whatever_happened_to_crypto_payments_a_sweep_and_an_incremental_run_end_with_the_truth(
    scene: Stage, provider: str, beginning: list[Step], steps: list[Step]
) -> None:
    history = History.of_crypto(scene, provider, quiet=False)
    for step in [*beginning, *steps]:
        history.take(step)
    history.finish("sweep", "incremental")
    scene.outcomes.update(history.runs.outcomes)
    note(f"HISTORIES_SEED={SEED}, outcomes so far: {dict(scene.outcomes)}")


@seed(SEED)
@settings(shared, max_examples=share(0.1))
@given(provider=crypto, beginning=beginnings, steps=steps(crypto_runs, days))
def test_where_nothing_changes_that_was_settled_an_incremental_run_alone_ends_with_the_truth_of_crypto_payments(
    scene: Stage, provider: str, beginning: list[Step], steps: list[Step]
) -> None:
    history = History.of_crypto(scene, provider, quiet=True)
    for step in beginning:
        history.take(step)
    history.world.time.pass_by(1)
    history.runs.clean(Run("backfill", everything=True))
    for step in steps:
        history.take(step)
    history.finish("incremental")
    scene.outcomes.update(history.runs.outcomes)
    note(f"HISTORIES_SEED={SEED}, outcomes so far: {dict(scene.outcomes)}")

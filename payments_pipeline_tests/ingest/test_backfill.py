"""Backfills: side by side, restartable where they stopped, and never certified beyond what was read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.errors import CredentialsError, TransientError, WrongAccountError
from payments_pipeline.ingest.backfill import GIVE_UP_AFTER, RESUMABLE, RangeDone, backfill
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.providers.base import Account, Window
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.ingest.living import START, Living, Time, stored

MONTH = Window(START, START + timedelta(days=30))
INTENTS = "payment_intents"


class Killed(BaseException):
    """The process dies."""


@pytest.fixture
def provider() -> Living:
    """A month with two payments a day, of which backfills read the past."""
    made = Living(Time())
    for _ in range(30):
        made.time.pass_by(hours=12)
        made.pay()
        made.time.pass_by(hours=12)
        made.pay()
    made.time.pass_by(days=1)
    return made


def run(engine: Engine, provider: Any, window: Window = MONTH, **more: Any) -> list[Coverage]:
    account = more.pop("account", provider.identify())
    more = {"as_of": provider.time.now, "run_id": "run-1", "clock": provider.time, "ranges": 10, "threads": 1} | more
    return backfill(engine, provider, account, INTENTS, window, **more)


def left(engine: Engine, window: Window = MONTH, account: str = "acct_1") -> list[Window]:
    with engine.connect() as connection:
        return gaps(connection, "stripe", account, INTENTS, window)


def in_month(provider: Living) -> set[tuple[str, str, Any]]:
    objects = provider.state.stripe.payment_intents
    return {one for one in provider.truth() if objects[one[0]]["created"] < MONTH.end.timestamp()}


def test_ranges_together_hold_the_whole_month_and_tell_their_progress(engine: Engine, provider: Living) -> None:
    told: list[RangeDone] = []
    made = run(engine, provider, threads=4, progress=told.append)
    assert stored(engine) == in_month(provider)
    assert len(made) == 10
    assert all(one.complete and one.mode == "backfill" for one in made)
    assert [one.window_from for one in made] == sorted(one.window_from for one in made)
    assert [(one.done, one.total) for one in told] == [(number, 10) for number in range(1, 11)]
    assert {one for step in told for one in step.certificates} == set(made)
    assert left(engine) == []
    assert sum(one.objects for one in made) == 59


def test_killed_half_way_it_goes_on_where_it_stopped_whoever_takes_it_up(engine: Engine, provider: Living) -> None:
    def die() -> None:
        if provider.calls[f"list {INTENTS}"] == 9:
            raise Killed

    provider.hooks[f"list {INTENTS}"] = die
    with pytest.raises(Killed):
        run(engine, provider)
    certified = 30 - sum((gap.end - gap.start).days for gap in left(engine))
    assert 3 <= certified < 30
    provider.hooks.clear()
    before = provider.calls[f"list {INTENTS}"]
    again = run(engine, provider, ranges=7, run_id="run-2", as_of=provider.time.pass_by(hours=3))
    assert stored(engine) == in_month(provider)
    assert left(engine) == []
    assert sum((one.window_to - one.window_from).days for one in again) == 30 - certified
    assert provider.calls[f"list {INTENTS}"] - before < 30


def test_a_finished_backfill_run_again_reads_everything_anew(engine: Engine, provider: Living) -> None:
    run(engine, provider)
    first = next(iter(provider.state.stripe.payment_intents.values()))
    provider.life.refund(first["latest_charge"], at=provider.time.pass_by(hours=1), event=False)
    made = run(engine, provider)
    assert (len(made), sum(one.rows_written for one in made)) == (10, 1)
    assert stored(engine) == in_month(provider)


def test_an_unfinished_backfill_of_long_ago_begins_anew(engine: Engine, provider: Living) -> None:
    provider.failures[f"list {INTENTS}"] = TransientError("stripe answered 500.")
    run(engine, provider, Window(START, START + timedelta(days=3)))
    provider.failures.clear()
    run(engine, provider, Window(START, START + timedelta(days=1)))
    provider.time.now += RESUMABLE
    made = run(engine, provider, Window(START, START + timedelta(days=3)), ranges=1)
    assert [(one.window_from, one.window_to) for one in made] == [(START, START + timedelta(days=3))]


def test_one_range_that_fails_leaves_the_others_and_is_all_that_is_read_again(engine: Engine, provider: Living) -> None:
    def fail() -> None:
        provider.failures.clear()
        if provider.calls[f"list {INTENTS}"] == 5:
            provider.failures[f"list {INTENTS}"] = TransientError("stripe answered 500.", remedy="Wait.")

    provider.hooks[f"list {INTENTS}"] = fail
    made = run(engine, provider)
    failed = [one for one in made if not one.complete]
    assert (len(made), len(failed)) == (10, 1)
    assert failed[0].error == "stripe answered 500. What to do: Wait."
    assert left(engine) == [Window(failed[0].window_from, failed[0].window_to)]
    again = run(engine, provider)
    assert {(one.window_from, one.complete) for one in again} <= {(one.window_from, True) for one in again}
    assert sum((one.window_to - one.window_from for one in again), timedelta()) == timedelta(days=3)
    assert left(engine) == []
    assert stored(engine) == in_month(provider)


def test_a_refused_key_stops_the_backfill_after_a_few_ranges(engine: Engine, provider: Living) -> None:
    provider.failures[f"list {INTENTS}"] = CredentialsError("stripe refuses the key.", remedy="Set another.")
    made = run(engine, provider, ranges=60)
    assert len(made) == GIVE_UP_AFTER
    assert provider.calls[f"list {INTENTS}"] == GIVE_UP_AFTER
    assert left(engine) == [MONTH]


def test_a_poisoned_object_costs_itself_alone(engine: Engine, provider: Living) -> None:
    bad = list(provider.state.stripe.payment_intents)[20]
    good = provider.state.stripe.payment_intents[bad]
    provider.state.stripe.payment_intents[bad] = {**good, "amount": None}
    made = run(engine, provider)
    assert sum(one.rejected for one in made) == 1
    assert all(one.complete for one in made)
    assert len(stored(engine)) == 58
    provider.state.stripe.payment_intents[bad] = good
    again = run(engine, provider)
    assert all(one.complete and not one.rejected for one in again)
    assert stored(engine) == in_month(provider)


def test_two_processes_at_once_share_the_work(engine: Engine, provider: Living) -> None:
    made: list[Coverage] = []
    together = threading.Barrier(2)

    def work() -> None:
        together.wait()
        made.extend(run(engine, provider, ranges=30, threads=2))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert stored(engine) == in_month(provider)
    assert left(engine) == []
    assert all(one.complete for one in made)
    with engine.connect() as connection:
        finished = connection.execute(text("SELECT finished_at IS NOT NULL FROM recon.backfills")).scalars().all()
    assert set(finished) == {True}


def test_what_lies_ahead_is_neither_read_nor_certified(engine: Engine, provider: Living) -> None:
    now = provider.time.now + timedelta(milliseconds=500)
    provider.time.now = now
    made = run(engine, provider, Window(START, now + timedelta(days=5)))
    assert max(one.window_to for one in made) == now.replace(microsecond=0)
    provider.pay()  # in the very second that the last list began
    assert left(engine, Window(START, now + timedelta(days=5))) == [
        Window(now.replace(microsecond=0), now + timedelta(days=5))
    ]
    assert run(engine, provider, Window(now + timedelta(days=5), now + timedelta(days=6))) == []


def test_objects_created_while_paging_lose_and_double_nothing(engine: Engine, provider: Living) -> None:
    provider.hooks[f"list {INTENTS}"] = provider.pay
    run(engine, provider, threads=3)
    assert {one for one in stored(engine) if one in in_month(provider)} == in_month(provider)


def test_the_other_mode_of_an_account_is_refused_before_a_call_is_made(engine: Engine, provider: Living) -> None:
    run(engine, provider)
    before = provider.calls.total()
    with pytest.raises(WrongAccountError, match="test mode before"):
        run(engine, provider, account=Account("stripe", "acct_1", True))
    assert provider.calls.total() == before


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.mark.parametrize("fault", ["rate_limit", "server_error", "cut_body", "invalid_json", "none"])
def test_over_http_with_faults_the_table_ends_as_the_truth(
    engine: Engine, provider: Living, served: Sandbox, fault: str
) -> None:
    served.load(provider.state)
    if fault != "none":
        getattr(served.faults, fault)("stripe", f"/v1/{INTENTS}", times=4)
    settings = load_settings(
        _env_file=None, stripe_api_base=served.stripe_base, stripe_api_key="sk_test_sandbox", http_max_attempts=3
    )
    stripe = StripeProvider(settings, provider.time, sleep=lambda _seconds: None)
    origin: dict[str, Any] = {"as_of": provider.time.now, "run_id": None, "clock": provider.time}
    for _ in range(3):
        made = backfill(engine, stripe, stripe.identify(), INTENTS, MONTH, ranges=6, threads=4, **origin)
    assert all(one.complete for one in made)
    assert left(engine, account="acct_sandbox") == []
    assert stored(engine) == in_month(provider)


def moment(number: int) -> datetime:
    return START + timedelta(seconds=number)


def test_ties_at_a_border_of_ranges_belong_to_one_side(engine: Engine) -> None:
    provider = Living(Time(), page=1)
    for number in range(6):
        provider.time.now = moment(number)
        provider.pay(3)
    provider.time.pass_by(minutes=1)
    made = run(engine, provider, Window(START, moment(6)), ranges=6, threads=3)
    assert [one.objects for one in made] == [3] * 6
    assert stored(engine) == provider.truth()

"""Sweeps: what the feed never told is found and counted; and in whatever mix and order, the tables end the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import CredentialsError, TransientError, WrongAccountError
from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.sweep import missed, sweep
from payments_pipeline.providers.base import Account, Window
from payments_pipeline_tests.ingest.living import START, Living, Time, stored

INTENTS = "payment_intents"
Step = Callable[..., object]
ROLLING = timedelta(days=10)


@pytest.fixture
def provider() -> Living:
    made = Living(Time(), page=100)
    made.time.pass_by(days=40)
    return made


def night(engine: Engine, provider: Living, resource: str = INTENTS, **more: Any) -> Coverage:
    now = provider.time.pass_by(minutes=1)
    values: dict[str, Any] = {"as_of": now, "run_id": "run-1", "clock": provider.time, "account": provider.account}
    values["window"] = Window(now - ROLLING, now)
    values |= more
    return sweep(engine, provider, values.pop("account"), resource, values.pop("window"), **values)


def follow(engine: Engine, provider: Living) -> list[Coverage]:
    now = provider.time.pass_by(minutes=1)
    return incremental(engine, provider, provider.account, as_of=now, run_id="run-1", clock=provider.time)


def kept(engine: Engine, coverage: Coverage) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT complete, missed_by_feed FROM recon.coverage WHERE coverage_id = :number"),
            {"number": coverage.coverage_id},
        ).one()


def test_a_change_that_the_feed_never_told_is_found_and_counted_once(engine: Engine, provider: Living) -> None:
    (one, two) = provider.pay(2)
    provider.time.pass_by(days=1)
    follow(engine, provider)
    provider.life.refund(one["latest_charge"], at=provider.time.now, event=False)
    provider.life.refund(two["latest_charge"], at=provider.time.now, amount=1, event=False)
    provider.time.pass_by(hours=1)
    follow(engine, provider)
    assert stored(engine) != provider.truth()
    found = night(engine, provider)
    assert (found.mode, found.complete, found.missed_by_feed) == ("sweep", True, 2)
    assert kept(engine, found) == (True, 2)
    assert stored(engine) == provider.truth()
    assert night(engine, provider).missed_by_feed == 0


def test_what_was_told_or_created_since_the_last_run_is_not_counted_as_missed(engine: Engine, provider: Living) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(days=1)
    follow(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.pass_by(minutes=30))
    provider.pay(3)
    found = night(engine, provider)
    assert (found.rows_written, found.missed_by_feed) == (4, 0)


def test_times_that_nobody_had_read_are_new_not_missed(engine: Engine, provider: Living) -> None:
    provider.pay(3)
    provider.time.pass_by(days=35)
    follow(engine, provider)
    window = Window(START, provider.time.now)
    assert (night(engine, provider, window=window).rows_written, len(stored(engine))) == (3, 3)
    provider.pay()
    assert night(engine, provider).missed_by_feed == 0


def test_nothing_is_counted_where_there_is_no_feed_or_nobody_followed_it(engine: Engine, provider: Living) -> None:
    provider.pay()
    assert night(engine, provider).missed_by_feed is None
    silent = Living(Time(provider.time.now), feed=False)
    assert night(engine, silent).missed_by_feed is None


def test_the_sweep_stands_though_the_feed_does_not_answer(engine: Engine, provider: Living) -> None:
    (one,) = provider.pay()
    provider.time.pass_by(days=1)
    follow(engine, provider)
    provider.life.refund(one["latest_charge"], at=provider.time.now, event=False)
    provider.time.pass_by(hours=1)
    follow(engine, provider)
    provider.failures["feed"] = TransientError("stripe answered 500.")
    found = night(engine, provider)
    assert (found.complete, found.missed_by_feed) == (True, None)
    assert stored(engine) == provider.truth()


def test_an_open_object_outside_the_window_is_read_again_and_a_settled_one_is_not(
    engine: Engine, provider: Living
) -> None:
    hold = provider.hold()
    provider.pay(5)
    provider.time.pass_by(days=1)
    follow(engine, provider)
    provider.time.pass_by(days=20)
    follow(engine, provider)
    provider.life.cancel(hold["id"], at=provider.time.now, reason="automatic", event=False)
    provider.time.pass_by(hours=1)
    follow(engine, provider)
    before = provider.calls[f"read {INTENTS}"]
    found = night(engine, provider)
    assert stored(engine) == provider.truth()
    assert provider.calls[f"read {INTENTS}"] - before == 1
    assert found.missed_by_feed == 1


@pytest.mark.parametrize(("days", "found"), [(1, True), (8, False)])
def test_an_open_object_that_vanished_lately_is_asked_for_again_and_may_come_back(
    engine: Engine, provider: Living, days: int, found: bool
) -> None:
    hold = provider.hold()
    follow(engine, provider)
    provider.time.pass_by(days=20)
    follow(engine, provider)
    held = provider.state.stripe.payment_intents.pop(hold["id"])
    night(engine, provider)
    assert stored(engine) == set()
    provider.state.stripe.payment_intents[hold["id"]] = held
    provider.time.pass_by(days=days)
    night(engine, provider)
    assert (stored(engine) == provider.truth()) is found


def test_many_old_open_objects_are_listed_rather_than_read_one_by_one(engine: Engine, provider: Living) -> None:
    for _ in range(150):
        provider.hold()
    provider.time.pass_by(days=20)
    follow(engine, provider)
    before = provider.calls[f"read {INTENTS}"]
    found = night(engine, provider)
    assert provider.calls[f"read {INTENTS}"] == before
    assert found.objects == 150
    assert found.window_from < provider.time.now - timedelta(days=20)


def test_a_failed_sweep_that_listed_more_to_save_rereads_is_made_good_by_one_that_need_not(
    engine: Engine, provider: Living
) -> None:
    held = [provider.hold() for _ in range(150)]
    provider.time.pass_by(days=20)
    follow(engine, provider)
    provider.failures[f"list {INTENTS}"] = TransientError("stripe answered 500.")
    failed = night(engine, provider)
    assert failed.window_from < provider.time.now - timedelta(days=20)
    provider.failures.clear()
    for one in held:
        provider.life.capture(one["id"], at=provider.time.now)
    provider.time.pass_by(days=1)
    follow(engine, provider)
    assert night(engine, provider).window_from > provider.time.now - timedelta(days=11)
    with engine.connect() as connection:
        assert {one.resource: one.complete for one in latest(connection)}[INTENTS]


def test_a_vanished_open_object_is_marked_not_dropped(engine: Engine, provider: Living) -> None:
    hold = provider.hold()
    provider.time.pass_by(days=20)
    follow(engine, provider)
    del provider.state.stripe.payment_intents[hold["id"]]
    night(engine, provider)
    assert stored(engine) == set()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT status FROM recon.stripe_payment_intents")).scalar() == (
            "requires_capture"
        )


def test_a_failed_reread_makes_the_sweep_incomplete_and_keeps_the_list(engine: Engine, provider: Living) -> None:
    provider.hold()
    provider.time.pass_by(days=20)
    follow(engine, provider)
    provider.failures[f"read {INTENTS}"] = TransientError("stripe answered 500.", remedy="Wait.")
    found = night(engine, provider)
    assert (found.complete, found.error) == (False, "stripe answered 500. What to do: Wait.")
    assert kept(engine, found).complete
    with engine.connect() as connection:
        assert {one.resource: one.complete for one in latest(connection)}[INTENTS] is False
    provider.failures.clear()
    assert night(engine, provider).complete
    with engine.connect() as connection:
        assert {one.resource: one.complete for one in latest(connection)}[INTENTS] is True


def test_what_a_sweep_could_not_read_again_is_not_made_good_by_a_run_that_does_not_read_it(
    engine: Engine, provider: Living
) -> None:
    hold = provider.hold()
    provider.time.pass_by(days=20)
    follow(engine, provider)
    provider.life.cancel(hold["id"], at=provider.time.now, event=False)
    provider.failures[f"read {INTENTS}"] = TransientError("stripe answered 500.")
    night(engine, provider)
    provider.failures.clear()
    for followed_by, good in ((follow, False), (night, True)):
        followed_by(engine, provider)
        with engine.connect() as connection:
            assert {one.resource: one.complete for one in latest(connection)}[INTENTS] is good
        assert (stored(engine) == provider.truth()) is good


def test_a_failed_list_reads_no_single_objects(engine: Engine, provider: Living) -> None:
    provider.hold()
    provider.time.pass_by(days=20)
    follow(engine, provider)
    before = provider.calls[f"read {INTENTS}"]
    provider.failures[f"list {INTENTS}"] = CredentialsError("The key is refused.")
    assert not night(engine, provider).complete
    assert provider.calls[f"read {INTENTS}"] == before


def test_a_complete_sweep_moves_the_watermark_so_that_nobody_lists_that_time_again(
    engine: Engine, provider: Living
) -> None:
    follow(engine, provider)
    provider.time.pass_by(days=5)
    provider.pay(3)
    night(engine, provider)
    (listed, _refunds) = [one for one in follow(engine, provider) if one.mode == "incremental"]
    assert listed.window_from > provider.time.now - timedelta(hours=1)
    assert stored(engine) == provider.truth()


def test_the_window_ends_before_the_present_second(engine: Engine, provider: Living) -> None:
    provider.time.now += timedelta(milliseconds=400)
    found = night(engine, provider)
    provider.life.create_intent(at=found.started_at)
    with engine.connect() as connection:
        open_end = gaps(connection, "stripe", "acct_1", INTENTS, Window(found.started_at - ROLLING, found.started_at))
    assert found.window_to == found.started_at.replace(microsecond=0)
    assert open_end[-1].start == found.window_to


def test_the_other_mode_is_refused_for_a_resource_never_read_before(engine: Engine, provider: Living) -> None:
    provider.pay()
    provider.time.pass_by(days=1)
    night(engine, provider)
    live = Account("stripe", "acct_1", True)
    with pytest.raises(WrongAccountError):
        night(engine, provider, "refunds", account=live)
    with pytest.raises(WrongAccountError):
        backfill(
            engine, provider, live, "refunds", Window(START, provider.time.now),
            as_of=provider.time.now, run_id=None, clock=provider.time,
        )  # fmt: skip


def test_the_other_mode_of_an_account_is_refused(engine: Engine, provider: Living) -> None:
    provider.pay()
    provider.time.pass_by(minutes=1)
    night(engine, provider)
    with pytest.raises(WrongAccountError):
        night(engine, provider, account=Account("stripe", "acct_1", True))


def test_missed_is_what_was_neither_told_nor_new() -> None:
    at = START
    unread = [Window(at - timedelta(days=9), at - timedelta(days=8))]
    written = [("a", at), ("b", at), ("c", at - timedelta(days=8, hours=1))]
    assert missed(written, {"b"}, unread) == 1


def some_history(engine: Engine, provider: Living, dice: random.Random, told: float = 0.7) -> None:
    """Sixty steps of life and of reading, some failing; then life stands still. `told`: share told by the feed."""
    words = ["feed", f"list {INTENTS}", "list refunds", f"read {INTENTS}"]
    stripe, life, time = provider.state.stripe, provider.life, provider.time

    def one_of(status: str) -> str | None:
        found = [str(one["id"]) for one in stripe.payment_intents.values() if one["status"] == status]
        return dice.choice(found) if found else None

    def late() -> None:
        settled = one_of("succeeded")
        if settled is not None:
            charge = stripe.charges[stripe.payment_intents[settled]["latest_charge"]]
            if charge["amount_captured"] - charge["amount_refunded"] > 1:
                life.refund(charge["id"], at=time.now, amount=dice.choice([1, None]), event=dice.random() < told)

    def settle() -> None:
        held = one_of("requires_capture")
        if held is not None:
            ends: list[Step] = [life.capture, life.cancel]
            dice.choice(ends)(held, at=time.now, event=dice.random() < told)

    def backfilled() -> None:
        start = START + timedelta(days=dice.randrange(50))
        window = Window(start, start + timedelta(days=dice.randrange(1, 20)))
        backfill(
            engine, provider, provider.account, INTENTS, window,
            as_of=time.now, run_id=None, clock=time, ranges=3, threads=dice.choice([1, 3]),
        )  # fmt: skip

    for _ in range(60):
        time.pass_by(seconds=dice.choice([0, 0, 1, 600, 7200, 86400]))
        provider.failures = {dice.choice(words): TransientError("no answer")} if dice.random() < 0.2 else {}
        provider.hooks = {f"list {INTENTS}": provider.pay} if dice.random() < 0.1 else {}
        steps: list[Step] = [
            provider.pay, provider.hold, late, late, settle,
            lambda: follow(engine, provider), lambda: night(engine, provider), backfilled,
        ]  # fmt: skip
        dice.choice(steps)()
    provider.failures, provider.hooks = {}, {}
    time.pass_by(minutes=1)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_mix_and_the_order_the_table_ends_as_the_truth(engine: Engine, seed: int) -> None:
    provider = Living(Time(), page=3)
    some_history(engine, provider, random.Random(seed))
    begins = START - timedelta(days=1)
    ways: list[Step] = [
        lambda: backfill(
            engine, provider, provider.account, INTENTS, Window(begins, provider.time.now),
            as_of=provider.time.now, run_id=None, clock=provider.time, ranges=5, threads=2,
        ),
        lambda: follow(engine, provider),
        lambda: night(engine, provider),
    ]  # fmt: skip
    random.Random(seed).shuffle(ways)
    for way in ways:
        way()
    assert stored(engine) == provider.truth()
    with engine.connect() as connection:
        ends = provider.time.now - timedelta(minutes=2)
        assert gaps(connection, "stripe", "acct_1", INTENTS, Window(begins, ends)) == []


@pytest.mark.parametrize("seed", range(100, 103))
def test_coverage_never_claims_more_than_was_read(engine: Engine, seed: int) -> None:
    provider = Living(Time(), page=3)
    some_history(engine, provider, random.Random(seed))
    window = Window(START - timedelta(days=1), provider.time.now)
    with engine.connect() as connection:
        unread = gaps(connection, "stripe", "acct_1", INTENTS, window)
    created = {one["id"]: one["created"] for one in provider.state.stripe.payment_intents.values()}
    known = {one[0] for one in stored(engine)}
    for object_id, at in created.items():
        in_gap = any(gap.start.timestamp() <= at < gap.end.timestamp() for gap in unread)
        assert in_gap or object_id in known


@pytest.mark.parametrize("seed", range(200, 204))
def test_with_a_feed_that_tells_everything_following_it_keeps_all_that_is_stored_true(
    engine: Engine, seed: int
) -> None:
    provider = Living(Time(), page=3)
    some_history(engine, provider, random.Random(seed), told=1.0)
    assert all(one.complete for one in follow(engine, provider))
    assert len(stored(engine)) > 5
    assert stored(engine) <= provider.truth()

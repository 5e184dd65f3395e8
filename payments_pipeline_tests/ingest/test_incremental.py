"""Incremental runs: what was created, what the feed told, what is still open; and a watermark that tells no lies."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.errors import CredentialsError, PaymentsPipelineError, TransientError, WrongAccountError
from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.relist import relist_from
from payments_pipeline.ingest.stored import OpenDay
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers.base import Account, Change, ChangePage, Window
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.ingest.living import START, Living, Time, stored

INTENTS = "payment_intents"


def swept(engine: Engine, provider: Living, days: int) -> None:
    for resource in provider.resources:
        now = provider.time.pass_by(minutes=1)
        sweep(
            engine, provider, provider.account, resource, Window(now - timedelta(days=days), now),
            as_of=now, run_id=None, clock=provider.time,
        )  # fmt: skip


@pytest.fixture
def provider() -> Living:
    made = Living(Time(), page=100)
    made.time.pass_by(days=40)
    return made


def run(engine: Engine, provider: Living, **more: Any) -> list[Coverage]:
    """A run some time after what happened last: in the second that something happens nothing is settled yet."""
    now = provider.time.pass_by(minutes=1)
    values: dict[str, Any] = {"as_of": now, "run_id": "run-1", "clock": provider.time, "account": provider.account}
    return incremental(engine, provider, **values | more)


def watermark(engine: Engine, resource: str = INTENTS) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT listed_to, told_to FROM recon.watermarks WHERE resource = :resource"), {"resource": resource}
        ).one_or_none()


def complete(made: list[Coverage]) -> bool:
    return bool(made) and all(one.complete for one in made)


def trusted(engine: Engine) -> dict[str, bool]:
    with engine.connect() as connection:
        return {one.resource: one.complete for one in latest(connection)}


def reads(provider: Living) -> int:
    return provider.calls[f"read {INTENTS}"] + provider.calls["read refunds"]


def test_what_was_created_since_the_last_run_gets_in_without_a_call_of_its_own(
    engine: Engine, provider: Living
) -> None:
    provider.pay(5)
    assert complete(run(engine, provider))
    provider.time.pass_by(hours=2)
    provider.pay(5)
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    assert reads(provider) == 0


def test_a_late_refund_of_an_old_payment_gets_in_through_the_feed(engine: Engine, provider: Living) -> None:
    (old,) = provider.pay()
    run(engine, provider)
    provider.time.pass_by(days=20)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.now)
    made = run(engine, provider)
    assert stored(engine) == provider.truth()
    assert [(one.mode, one.objects) for one in made if one.mode == "reread"] == [("reread", 1)]
    assert reads(provider) == 1


def test_what_was_dealt_with_is_not_read_again_though_the_feed_overlaps(engine: Engine, provider: Living) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(days=1)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.now)
    run(engine, provider)
    before = reads(provider)
    for _ in range(3):
        run(engine, provider)
    assert reads(provider) == before


def test_two_changes_of_one_object_in_the_same_second_both_count(engine: Engine, provider: Living) -> None:
    hold = provider.hold()
    provider.time.pass_by(days=1)
    run(engine, provider)
    at = provider.time.pass_by(hours=1)
    provider.life.capture(hold["id"], at=at)
    as_of = at + timedelta(seconds=1)
    provider.time.now = as_of
    incremental(engine, provider, provider.account, as_of=as_of, run_id=None, clock=provider.time)
    charge = provider.state.stripe.payment_intents[hold["id"]]["latest_charge"]
    provider.life.refund(charge, at=at)  # told with the same second, after the run
    run(engine, provider)
    assert stored(engine) == provider.truth()


def test_a_change_told_late_is_caught_by_the_overlap(engine: Engine, provider: Living) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(days=1)
    run(engine, provider)
    happened = provider.time.now - timedelta(minutes=5)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=happened)
    run(engine, provider)
    assert stored(engine) == provider.truth()


def test_without_a_feed_what_is_open_is_read_until_it_is_settled(engine: Engine) -> None:
    provider = Living(Time(), feed=False)
    hold = provider.hold()
    provider.pay(2)
    provider.time.pass_by(days=3)
    run(engine, provider)
    provider.time.pass_by(days=1)
    provider.life.capture(hold["id"], at=provider.time.now)
    run(engine, provider)
    assert stored(engine) == provider.truth()
    settled = reads(provider)
    run(engine, provider)
    assert (reads(provider), provider.calls["feed"]) == (settled, 0)
    assert watermark(engine).told_to is None


def test_many_open_objects_are_listed_rather_than_read_one_by_one(engine: Engine) -> None:
    provider = Living(Time(), feed=False, page=100)
    for _ in range(120):
        provider.hold()
    provider.time.pass_by(days=2)
    run(engine, provider)
    provider.time.pass_by(days=1)
    provider.life.cancel(next(iter(provider.state.stripe.payment_intents)), at=provider.time.now)
    before = provider.calls[f"list {INTENTS}"]
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    assert (reads(provider), provider.calls[f"list {INTENTS}"] - before) == (0, 2)


def test_the_list_is_stretched_as_far_as_it_saves_calls() -> None:
    counts = [(300, 40), (300, 2), (100, 90), (5000, 20)]
    days = [OpenDay(START - timedelta(days=age), *count) for age, count in enumerate(counts, start=1)]
    assert relist_from(START, days) == START - timedelta(days=3)
    assert relist_from(START, [OpenDay(START - timedelta(days=1), 5000, 3)]) == START
    assert relist_from(START, []) == START


def test_a_deleted_object_is_marked_not_dropped(engine: Engine, provider: Living) -> None:
    (one, _other) = provider.pay(2)
    provider.time.pass_by(days=1)
    run(engine, provider)
    told = Change(INTENTS, one["id"], provider.time.now, True, "evt_gone")
    del provider.state.stripe.payment_intents[one["id"]]
    feed = provider.changes

    def changes(window: Window) -> Any:
        yield ChangePage([told], provider.time())
        yield from feed(window)

    provider.changes = changes  # type: ignore[method-assign]
    run(engine, provider)
    assert stored(engine) == provider.truth()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.stripe_payment_intents")).scalar() == 2


@pytest.mark.parametrize("word", ["feed", f"list {INTENTS}", f"read {INTENTS}"])
@pytest.mark.parametrize("error", [TransientError("stripe answered 500."), CredentialsError("The key is refused.")])
def test_a_failure_moves_no_watermark_and_the_next_run_makes_it_good(
    engine: Engine, provider: Living, word: str, error: PaymentsPipelineError
) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(days=1)
    run(engine, provider)
    mark = watermark(engine)
    provider.time.pass_by(hours=1)
    provider.life.refund(old["latest_charge"], at=provider.time.now)
    provider.pay(2)
    provider.failures[word] = error
    made = run(engine, provider)
    assert not complete(made)
    assert str(error) in {one.error for one in made}
    assert trusted(engine)[INTENTS] is False
    kept = watermark(engine)
    assert kept.told_to == mark.told_to
    assert (kept.listed_to == mark.listed_to) == word.startswith("list")
    assert word == "feed" or trusted(engine)["refunds"]
    provider.failures.clear()
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    assert trusted(engine) == {INTENTS: True, "refunds": True}


def test_when_a_list_fails_its_single_objects_are_not_tried_and_other_resources_are(
    engine: Engine, provider: Living
) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(days=1)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.now)
    provider.failures[f"list {INTENTS}"] = CredentialsError("The key is refused.")
    run(engine, provider)
    assert reads(provider) == 0
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.stripe_refunds")).scalar() == 1


class Killed(BaseException):
    """The process dies."""


@pytest.mark.parametrize("word", ["feed", f"list {INTENTS}", f"read {INTENTS}", "list refunds"])
def test_killed_at_any_point_the_next_run_loses_nothing(engine: Engine, provider: Living, word: str) -> None:
    (old, other) = provider.pay(2)
    provider.time.pass_by(days=1)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.now)
    provider.life.refund(other["latest_charge"], at=provider.time.now, amount=1)
    provider.pay(3)

    def die() -> None:
        raise Killed

    provider.hooks[word] = die
    with pytest.raises(Killed):
        run(engine, provider)
    provider.hooks.clear()
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()


def test_a_poisoned_object_holds_nothing_up_and_is_asked_for_until_it_can_be_read(
    engine: Engine, provider: Living
) -> None:
    run(engine, provider)
    mark = watermark(engine)
    (bad, _good) = provider.pay(2)
    whole = provider.state.stripe.payment_intents[bad["id"]]
    provider.state.stripe.payment_intents[bad["id"]] = {**whole, "amount": None}
    made = run(engine, provider)
    assert sum(one.rejected for one in made if one.mode == "incremental") == 1
    assert len(stored(engine)) == 1
    assert watermark(engine).listed_to > mark.listed_to
    provider.time.pass_by(days=1)
    assert complete(run(engine, provider))
    assert len(stored(engine)) == 1
    provider.state.stripe.payment_intents[bad["id"]] = whole  # of which no event tells
    provider.time.pass_by(days=1)
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()


def test_after_a_backfill_it_goes_on_where_that_ended_and_hears_what_changed_meanwhile(
    engine: Engine, provider: Living
) -> None:
    old = provider.pay(4)
    provider.time.pass_by(days=35)
    window = Window(START, provider.time.now)

    def refund_behind_the_reader() -> None:
        provider.hooks.clear()
        provider.time.pass_by(minutes=30)
        provider.life.refund(old[0]["latest_charge"], at=provider.time.now)

    backfill(
        engine, provider, provider.account, INTENTS, window,
        as_of=window.end, run_id=None, clock=provider.time, ranges=2, threads=1,
    )  # fmt: skip
    refund_behind_the_reader()
    provider.time.pass_by(hours=5)
    provider.pay(2)
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    with engine.connect() as connection:
        assert (
            gaps(connection, "stripe", "acct_1", INTENTS, Window(START, provider.time.now - timedelta(minutes=1))) == []
        )


def test_many_days_of_the_feed_are_worked_off_piece_by_piece_and_a_dead_run_keeps_its_pieces(
    engine: Engine, provider: Living
) -> None:
    old = provider.pay(6)
    provider.time.pass_by(days=1)
    run(engine, provider)
    for one in old:
        provider.time.pass_by(days=1)
        provider.life.refund(one["latest_charge"], at=provider.time.now)

    def die_on_the_third_day() -> None:
        if provider.calls[f"read {INTENTS}"] > 3:
            raise Killed

    provider.hooks[f"read {INTENTS}"] = die_on_the_third_day
    with pytest.raises(Killed):
        run(engine, provider)
    provider.hooks.clear()
    done = provider.calls[f"read {INTENTS}"]
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    assert provider.calls[f"read {INTENTS}"] - done <= 4


def test_a_watermark_older_than_the_feed_is_said_and_stands_until_a_sweep(engine: Engine, provider: Living) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(hours=1)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.pass_by(hours=1))
    provider.time.pass_by(days=40)
    made = run(engine, provider)
    holes = [one.error for one in made if not one.complete]
    assert len(holes) == 2
    assert all("no longer told" in str(error) for error in holes)
    assert complete(run(engine, provider))
    assert trusted(engine) == {INTENTS: False, "refunds": False}
    swept(engine, provider, days=90)
    assert trusted(engine) == {INTENTS: True, "refunds": True}
    assert stored(engine) == provider.truth()


@pytest.mark.parametrize(("days_before", "whole"), [(1, True), (35, False)])
def test_a_hole_in_the_feed_that_a_sweep_has_passed_over_since_is_none(
    engine: Engine, provider: Living, days_before: int, whole: bool
) -> None:
    (old,) = provider.pay()
    provider.time.pass_by(hours=1)
    run(engine, provider)
    provider.life.refund(old["latest_charge"], at=provider.time.pass_by(hours=1))
    provider.time.pass_by(days=40 - days_before)
    swept(engine, provider, days=90)
    provider.time.pass_by(days=days_before)
    assert complete(run(engine, provider)) is whole
    assert trusted(engine) == {INTENTS: whole, "refunds": whole}


@pytest.mark.parametrize("nightly", [True, False])
def test_a_backfill_that_nobody_followed_while_the_feed_still_knew_is_not_trusted_until_a_sweep(
    engine: Engine, provider: Living, nightly: bool
) -> None:
    (old,) = provider.pay()
    window = Window(START, provider.time.pass_by(hours=1))
    for resource in provider.resources:
        backfill(
            engine, provider, provider.account, resource, window,
            as_of=window.end, run_id=None, clock=provider.time, ranges=2, threads=1,
        )  # fmt: skip
    provider.life.refund(old["latest_charge"], at=provider.time.pass_by(hours=1))
    provider.time.pass_by(days=40)
    if nightly:
        swept(engine, provider, days=30)
        provider.time.pass_by(days=1)
    made = run(engine, provider)
    assert complete(made) is nightly
    assert complete(run(engine, provider))
    assert trusted(engine) == {INTENTS: nightly, "refunds": nightly}
    swept(engine, provider, days=90)
    assert trusted(engine) == {INTENTS: True, "refunds": True}
    assert stored(engine) == provider.truth()


def test_an_event_that_names_nothing_is_said_once(engine: Engine, provider: Living) -> None:
    run(engine, provider)
    feed = provider.changes

    def changes(window: Window) -> Any:
        yield ChangePage([], provider.time(), unreadable=["evt_odd"])
        yield from feed(window)

    provider.changes = changes  # type: ignore[method-assign]
    assert {"evt_odd" in str(one.error) for one in run(engine, provider) if not one.complete} == {True}
    assert complete(run(engine, provider))


def test_runs_at_once_end_as_one(engine: Engine, provider: Living) -> None:
    old = provider.pay(5)
    provider.time.pass_by(days=1)
    run(engine, provider)
    for one in old:
        provider.life.refund(one["latest_charge"], at=provider.time.now)
    provider.pay(5)
    now = provider.time.pass_by(minutes=1)
    together = threading.Barrier(3)
    made: list[Coverage] = []

    def work() -> None:
        together.wait()
        made.extend(incremental(engine, provider, provider.account, as_of=now, run_id=None, clock=provider.time))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert complete(made)
    assert stored(engine) == provider.truth()


def test_a_run_for_an_earlier_moment_moves_nothing_back(engine: Engine, provider: Living) -> None:
    provider.pay(2)
    run(engine, provider)
    mark = watermark(engine)
    provider.pay()
    run(engine, provider, as_of=provider.time.now - timedelta(days=2))
    assert watermark(engine) == mark
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()


def test_only_the_resources_asked_for_are_read(engine: Engine, provider: Living) -> None:
    run(engine, provider, resources=["refunds"])
    assert provider.calls[f"list {INTENTS}"] == 0
    assert watermark(engine) is None
    assert watermark(engine, "refunds") is not None


def test_the_other_mode_of_an_account_is_refused_before_a_call_is_made(engine: Engine, provider: Living) -> None:
    provider.pay()
    run(engine, provider)
    before = provider.calls.total()
    with pytest.raises(WrongAccountError):
        run(engine, provider, account=Account("stripe", "acct_1", True))
    assert provider.calls.total() == before


def test_cost_follows_what_changed_not_what_is_stored(engine: Engine, provider: Living) -> None:
    old = provider.pay(400)
    provider.time.pass_by(days=2)
    run(engine, provider)
    before = provider.calls.total()
    provider.time.pass_by(hours=3)
    for one in old[:10]:
        provider.life.refund(one["latest_charge"], at=provider.time.now)
    assert complete(run(engine, provider))
    assert stored(engine) == provider.truth()
    # 10 intents; their refunds come with the list; a page of each resource, and the feed.
    assert provider.calls.total() - before == 10 + 2 + 1


def test_over_http_every_resource_of_stripe_follows_a_life(engine: Engine) -> None:
    time = Time()
    state = SandboxState(clock=time)
    life = StripeLife(state)
    settings = load_settings(_env_file=None, stripe_api_key="sk_test_sandbox", http_max_attempts=2)
    with Sandbox(state) as served:
        settings = settings.model_copy(update={"stripe_api_base": served.stripe_base})
        stripe = StripeProvider(settings, time, sleep=lambda _seconds: None)
        account = stripe.identify()

        def follow() -> None:
            made = incremental(engine, stripe, account, as_of=time.pass_by(minutes=1), run_id=None, clock=time)
            assert [one.error for one in made if not one.complete] == []

        customer = life.create_customer(at=time.now)["id"]
        paid = life.succeed(life.create_intent(at=time.now, customer=customer)["id"], at=time.now)
        held = life.authorize(life.create_intent(at=time.now, manual=True)["id"], at=time.now)
        payout = life.create_payout(at=time.now, amount=900)["id"]
        transfer = life.create_transfer(at=time.now)["id"]
        subscription = life.create_subscription(customer, at=time.now)["id"]
        follow()
        time.pass_by(days=8)
        follow()
        life.refund(paid["latest_charge"], at=time.now)
        life.close_dispute(life.open_dispute(paid["latest_charge"], at=time.now)["id"], at=time.now)
        life.capture(held["id"], at=time.now)
        life.pay_payout(payout, at=time.now)
        life.reverse_transfer(transfer, at=time.now)
        life.cancel_subscription(subscription, at=time.now)
        life.settle(at=time.now)
        life.delete_customer(customer, at=time.now)
        follow()
        before = len(served.requests)
        follow()
        again = [request.path for request in served.requests[before:]]

    def column(statement: str) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(text(statement)).scalars())

    assert set(column("SELECT charge_amount_refunded FROM recon.stripe_payment_intents")) == {0, 20}
    assert set(column("SELECT status FROM recon.stripe_payment_intents")) == {"succeeded"}
    assert column("SELECT status FROM recon.stripe_payouts") == ["paid"]
    assert column("SELECT status FROM recon.stripe_disputes") == ["lost"]
    assert column("SELECT status FROM recon.stripe_subscriptions") == ["canceled"]
    assert column("SELECT vanished_at IS NOT NULL FROM recon.stripe_customers") == [True]
    assert [path for path in again if path.count("/") > 2 and "checkout" not in path] == []

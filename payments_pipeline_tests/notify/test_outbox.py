"""The outbox delivers what findings wrote, in order, through every way in which Discord and senders can fail."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import TransientError
from payments_pipeline.notify.channel import Channel, Message
from payments_pipeline.notify.outbox import LEASE, MAX_ATTEMPTS, Delivery, backoff, deliver, requeue
from payments_pipeline.notify.render import GREEN, RED
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline_tests.notify.conftest import Wrist, notify, shown, states

Channels = dict[str, Channel]
OpenOne = Callable[..., int]


def run(engine: Engine, channels: Channels, clock: Wrist, *, limit: int = 100, patience: float = 10.0) -> Delivery:
    return deliver(engine, channels, clock=clock, limit=limit, patience=patience, sleep=clock.sleep)


def test_gap_is_told_once_in_red(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding_id = finding()
    assert run(engine, channels, clock) == Delivery(sent=1)
    assert run(engine, channels, clock) == Delivery()
    (message,) = shown(sandbox)
    embed = message["embeds"][0]
    assert embed["color"] == RED
    assert f"finding {finding_id}" in embed["footer"]["text"]
    assert "notification " in embed["footer"]["text"]


def test_resolved_finding_turns_its_message_green(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding_id = finding()
    run(engine, channels, clock)
    with engine.begin() as connection:
        notify(connection, "resolved", finding_id, resolution="The user is active now.")
    assert run(engine, channels, clock).sent == 1
    (message,) = shown(sandbox)
    assert message["embeds"][0]["color"] == GREEN
    assert message["embeds"][0]["description"] == "The user is active now."
    assert message["content"] == "", "the headline that kept the place is gone"
    assert message["edits"] == 2


def test_alert_and_resolution_that_wait_together_are_one_message(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding_id = finding()
    with engine.begin() as connection:
        notify(connection, "resolved", finding_id)
    sandbox.faults.server_error("discord")
    assert run(engine, channels, clock) == Delivery(sent=1, retried=1)
    assert [message["embeds"][0]["color"] for message in shown(sandbox)] == [GREEN]
    assert states(engine) == ["sent", "superseded"]


def test_finding_told_in_a_digest_is_resolved_by_a_message_of_its_own(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding_id = finding(channel="elsewhere")
    with engine.begin() as connection:
        notify(connection, "resolved", finding_id)
    assert run(engine, channels, clock) == Delivery(sent=1, unconfigured=1)
    assert len(shown(sandbox)) == 1


def test_message_that_somebody_removed_is_followed_by_a_new_one(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding_id = finding()
    run(engine, channels, clock)
    sandbox.state.discord.messages.clear()
    with engine.begin() as connection:
        notify(connection, "resolved", finding_id)
    assert run(engine, channels, clock).sent == 1
    assert shown(sandbox)[0]["embeds"][0]["color"] == GREEN


def test_rate_limit_is_waited_out_and_costs_no_attempt(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for number in range(3):
        finding(f"f{number}")
    sandbox.faults.rate_limit("discord", retry_after=1.5)
    assert run(engine, channels, clock) == Delivery(sent=3, retried=1)
    assert clock.slept == [pytest.approx(1.5)]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT max(attempts) FROM recon.notifications")).scalar() == 1


def test_clock_that_stands_still_does_not_stop_delivery(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding()
    sandbox.faults.rate_limit("discord", retry_after=0.05)
    assert deliver(engine, channels, clock=clock) == Delivery(sent=1, retried=1)


def test_long_rate_limit_ends_the_round_and_pauses_the_channel(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding("a")
    finding("b")
    sandbox.faults.rate_limit("discord", retry_after=90.0)
    first = run(engine, channels, clock)
    assert (first.sent, first.retried, first.waiting) == (0, 1, 2)
    assert "429" in first.down["discord"]
    assert run(engine, channels, clock).sent == 0
    assert len(sandbox.requests) == 1, "nobody calls a channel that asked us to wait"
    clock.now += timedelta(seconds=91)
    assert run(engine, channels, clock) == Delivery(sent=2)


@pytest.mark.parametrize("wait", [1e300, math.inf, math.nan])
def test_channel_that_asks_for_an_age_is_tried_again_within_the_hour(
    engine: Engine, channels: Channels, clock: Wrist, finding: OpenOne, wait: float
) -> None:
    class Asks:
        edits = True

        def send(self, message: Message) -> str | None:  # noqa: ARG002
            raise TransientError("429", retry_after=wait)

        def edit(self, message_id: str, message: Message) -> None:
            raise NotImplementedError

    finding()
    assert run(engine, {"discord": Asks()}, clock, limit=1, patience=0).retried == 1
    clock.now += timedelta(hours=1)
    assert run(engine, channels, clock).sent == 1


def test_outage_costs_one_call_a_pause_however_much_waits(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for number in range(30):
        finding(f"f{number}")
    outage = sandbox.faults.server_error("discord", times=None)
    result = run(engine, channels, clock)
    assert (result.sent, result.dead, result.waiting) == (0, 0, 30)
    assert outage.fired <= 4
    sandbox.faults.clear()
    clock.now += timedelta(minutes=6)
    assert run(engine, channels, clock) == Delivery(sent=30)


def test_deleted_webhook_pauses_the_channel_and_loses_nothing(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding("a")
    finding("b")
    sandbox.state.discord.gone = True
    result = run(engine, channels, clock)
    assert (result.retried, result.waiting) == (1, 2)
    assert "gone" in result.down["discord"]
    sandbox.state.discord.gone = False
    clock.now += timedelta(minutes=2)
    assert run(engine, channels, clock) == Delivery(sent=2)


def test_exhausted_message_is_dead_and_can_be_given_another_life(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding()
    sandbox.faults.server_error("discord", times=None)
    rounds = []
    for _ in range(MAX_ATTEMPTS):
        rounds.append(run(engine, channels, clock, patience=0))
        clock.now += timedelta(hours=1)
    assert sum(result.retried for result in rounds) == MAX_ATTEMPTS - 1
    assert rounds[-1].dead == 1
    assert states(engine) == ["dead"]
    sandbox.faults.clear()
    assert requeue(engine, "discord", clock=clock) == 1
    assert run(engine, channels, clock) == Delivery(sent=1)


def test_sender_killed_before_sending_is_followed_after_its_lease(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    class Killed(BaseException):
        pass

    class Dies:
        edits = True

        def send(self, message: Message) -> str | None:  # noqa: ARG002
            raise Killed

        def edit(self, message_id: str, message: Message) -> None:  # noqa: ARG002
            raise Killed

    finding()
    with pytest.raises(Killed):
        run(engine, {"discord": Dies()}, clock)
    assert states(engine) == ["sending"]
    assert run(engine, channels, clock) == Delivery(waiting=1), "leased: nobody else may send yet"
    clock.now += LEASE
    assert run(engine, channels, clock) == Delivery(sent=1)


def test_sender_slower_than_its_lease_does_not_undo_what_the_next_one_wrote(
    engine: Engine, channels: Channels, clock: Wrist, finding: OpenOne
) -> None:
    class Slow:
        edits = True

        def send(self, message: Message) -> str | None:  # noqa: ARG002
            clock.now += LEASE
            deliver(engine, channels, clock=clock)
            raise TransientError("too late")

        def edit(self, message_id: str, message: Message) -> None:
            raise NotImplementedError

    finding()
    assert run(engine, {"discord": Slow()}, clock, patience=0).retried == 0
    assert states(engine) == ["sent"]


def test_two_senders_at_once_show_each_message_once(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for number in range(12):
        finding(f"f{number}")
    barrier = threading.Barrier(2)

    def one_sender() -> int:
        barrier.wait()
        return deliver(engine, channels, clock=lambda: clock.now).sent

    with ThreadPoolExecutor(2) as pool:
        sent = [future.result() for future in [pool.submit(one_sender) for _ in range(2)]]
    assert sum(sent) == 12
    assert len(shown(sandbox)) == 12


def test_answer_cut_half_way_is_not_sent_again(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding()
    sandbox.faults.cut_body("discord")
    assert run(engine, channels, clock) == Delivery(sent=1)
    assert len(shown(sandbox)) == 1


def test_discord_that_hangs_is_left_after_the_time_out(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding()
    sandbox.faults.hang("discord", seconds=3)
    assert run(engine, channels, clock) == Delivery(sent=1, retried=1)


def test_channel_that_is_not_configured_keeps_its_messages(engine: Engine, clock: Wrist, finding: OpenOne) -> None:
    finding()
    assert run(engine, {}, clock) == Delivery(unconfigured=1)
    assert states(engine) == ["pending"]


def test_limit_ends_a_round(engine: Engine, channels: Channels, clock: Wrist, finding: OpenOne) -> None:
    for number in range(3):
        finding(f"f{number}")
    assert run(engine, channels, clock, limit=2) == Delivery(sent=2, waiting=1)


def test_back_off_grows_to_an_hour() -> None:
    assert [backoff(attempts) for attempts in (1, 2, 3, 30)] == [2.0, 4.0, 8.0, 3600.0]

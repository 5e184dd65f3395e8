"""Delivers the outbox: each notification at least once, in the order of its finding's life, by any number of senders.

Belongs here: claiming, leases, retries, pauses. Does not belong here: writing notifications (findings/, in the
transaction that changes the finding), or how a channel calls and looks. A notification is claimed in one short
transaction, sent outside any, and marked in another: a sender that dies leaves a lease behind, and whoever comes after
its end sends again: by repeating an edit, or with the same key, so that nothing is shown twice where the channel lets
us (dispatch.py).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ChannelGoneError, PermanentError, TransientError
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.dispatch import LeaseLostError, Shown, dispatch
from payments_pipeline.notify.routes import DeliveryPlan
from payments_pipeline.notify.routing import prepare
from payments_pipeline.providers.base import Clock

MAX_ATTEMPTS = 20  # with the back-off below about 14 hours
LEASE = timedelta(minutes=2)  # longer than one call may take, so that a slow sender is not overtaken
_RETRY_FIRST, _RETRY_MOST = 2.0, 3600.0  # seconds, of one message
_PAUSE_MOST = 300.0  # seconds, of a channel that fails
_GONE_FIRST = 60.0  # seconds, of a channel that says it is gone; doubled each time, up to _RETRY_MOST

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one round did.

    Attributes:
        sent: messages posted or edited.
        retried: attempts that failed and are scheduled again.
        dead: messages given up; they stay in the table, see `requeue`.
        waiting: messages of configured channels that are still to be sent.
        unconfigured: messages that wait for a channel that is not configured.
        down: channel -> why it is paused.
    """

    sent: int = 0
    retried: int = 0
    dead: int = 0
    waiting: int = 0
    unconfigured: int = 0
    down: Mapping[str, str] = field(default_factory=dict)


def deliver(
    engine: Engine,
    channels: Mapping[str, Channel],
    *,
    clock: Clock,
    plan: DeliveryPlan | None = None,
    limit: int = 100,
    patience: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Send what is due. Safe to run twice at once and to kill at any point.

    Args:
        channels: by name, in the order in which they stand in for each other; messages of other channels stay pending.
        plan: who is told what, and quiet hours; None: every channel everything, at once.
        limit: attempts in this round.
        patience: seconds to wait altogether for channels that asked for a short pause; longer pauses end the round.
    """
    total = Delivery()
    began, waited, attempts = clock(), 0.0, 0

    def now() -> datetime:  # a clock that stands still, as in a demo of another day, must not stop us from going on
        return max(clock(), began + timedelta(seconds=waited))

    prepared = False
    while attempts < limit:
        claimed = _claim(engine, channels, now()) if prepared else None
        if claimed is not None:
            attempts += 1
            outcome = _attempt(engine, channels[claimed.channel], claimed, now)
            total = _count(total, outcome)
            prepared = outcome != "retried"  # a channel that is gone is stood in for by the next one, at once
            continue
        if not prepared:
            prepare(engine, channels, plan or DeliveryPlan(), now=now())
            prepared = True
            continue
        pause = _shortest_pause(engine, channels, now())
        if pause is None or waited + pause > patience:
            break
        sleep(pause)
        waited += pause
    return _with_backlog(engine, channels, total, now())


def requeue(engine: Engine, channel: str, *, clock: Clock) -> int:
    """Give a channel's dead messages another life, e.g. after its webhook was replaced; how many there were."""
    with engine.begin() as connection:
        now = clock()
        connection.execute(named("notify/resume_channel.sql"), {"channel": channel, "now": now + timedelta(days=36525)})
        return connection.execute(named("notify/requeue_dead.sql"), {"channel": channel, "now": now}).rowcount


def backoff(attempts: int) -> float:
    """Seconds until a message's next attempt, after `attempts` failures."""
    return float(min(_RETRY_FIRST * 2.0 ** min(attempts - 1, 30), _RETRY_MOST))


def pause_seconds(error: TransientError | ChannelGoneError, failures: int) -> float:
    """Seconds that a channel is left alone, after it failed `failures` times in a row.

    What it asks for counts up to an hour: no answer, whoever gave it, silences a channel for longer.
    """
    if isinstance(error, ChannelGoneError):
        return float(min(_GONE_FIRST * 2.0 ** min(failures - 1, 30), _RETRY_MOST))
    if error.retry_after is not None and not math.isnan(error.retry_after):
        return float(min(max(error.retry_after, 0.0), _RETRY_MOST))
    return min(backoff(failures), _PAUSE_MOST)


def _claim(engine: Engine, channels: Mapping[str, Channel], now: datetime) -> Row[Any] | None:
    parameters = {"now": now, "leased_until": now + LEASE, "channels": list(channels)}
    with engine.begin() as connection:
        connection.execute(named("notify/lock_shared.sql"))
        return connection.execute(named("notify/claim.sql"), parameters).one_or_none()


def _attempt(engine: Engine, channel: Channel, claimed: Row[Any], clock: Clock) -> str:
    """Send one message and write down what came of it: sent, retried, dead, or lost (the lease went to another)."""
    if claimed.attempts > MAX_ATTEMPTS:  # senders died with it again and again
        return _bury(engine, claimed, f"Given up after {MAX_ATTEMPTS} attempts.")
    try:
        shown = dispatch(engine, channel, claimed, now=clock(), keep=lambda place: _keep(engine, claimed, place))
    except LeaseLostError:
        return "lost"
    except (TransientError, ChannelGoneError) as error:
        return _postpone(engine, claimed, error, clock())
    except PermanentError as error:
        return _bury(engine, claimed, str(error))
    with engine.begin() as connection:
        now = clock()
        if not shown.silent:
            connection.execute(named("notify/resume_channel.sql"), {"channel": claimed.channel, "now": now})
        return _done(connection, claimed, shown, now)


def _keep(engine: Engine, claimed: Row[Any], place: str | None) -> bool:
    lease = {"notification_id": claimed.notification_id, "leased_until": claimed.leased_until}
    with engine.begin() as connection:
        return bool(connection.execute(named("notify/keep_place.sql"), lease | {"message_id": place}).rowcount)


def _done(connection: Connection, claimed: Row[Any], shown: Shown, now: datetime) -> str:
    outcome = (
        _mark(connection, "silent", claimed)
        if shown.silent
        else _mark(connection, "sent", claimed, message_id=shown.message_id, now=now)
    )
    if outcome != "lost" and shown.told:
        connection.execute(
            named("notify/supersede.sql"), {"notifications": list(shown.told), "message_id": shown.message_id}
        )
    return outcome


def _postpone(engine: Engine, claimed: Row[Any], error: TransientError | ChannelGoneError, now: datetime) -> str:
    asked = error.retry_after if isinstance(error, TransientError) else None
    if asked is None and claimed.attempts >= MAX_ATTEMPTS:
        return _bury(engine, claimed, str(error))
    with engine.begin() as connection:
        channel = {"channel": claimed.channel}
        failures = (connection.execute(named("notify/channel_failures.sql"), channel).scalar() or 0) + 1
        pause = now + timedelta(seconds=pause_seconds(error, failures))
        connection.execute(
            named("notify/pause_channel.sql"),
            channel
            | {
                "paused_until": pause,
                "failures": failures,
                "reason": str(error),
                "gone": isinstance(error, ChannelGoneError),
                "now": now,
            },
        )
        later = pause if asked is not None else now + timedelta(seconds=backoff(claimed.attempts))
        _log.warning("Not delivered, next attempt at %s: %s", later.isoformat(), error)
        spent = 0 if asked is not None else 1  # waiting one's turn is not a failure of the message
        return _mark(connection, "retried", claimed, next_attempt_at=later, last_error=str(error), spent=spent)


def _bury(engine: Engine, claimed: Row[Any], why: str) -> str:
    _log.error("Notification %s is given up: %s", claimed.notification_id, why)
    with engine.begin() as connection:
        return _mark(connection, "dead", claimed, last_error=why)


_STATEMENTS = {
    "sent": "notify/mark_sent.sql",
    "silent": "notify/mark_superseded.sql",
    "retried": "notify/release.sql",
    "dead": "notify/mark_dead.sql",
}


def _mark(connection: Connection, outcome: str, claimed: Row[Any], **values: object) -> str:
    lease = {"notification_id": claimed.notification_id, "leased_until": claimed.leased_until}
    done = connection.execute(named(_STATEMENTS[outcome]), lease | values).rowcount
    if not done:
        _log.warning("Notification %s took longer than its lease.", claimed.notification_id)
    return outcome if done else "lost"


def _count(total: Delivery, outcome: str) -> Delivery:
    return total if outcome in {"lost", "silent"} else replace(total, **{outcome: getattr(total, outcome) + 1})


def _shortest_pause(engine: Engine, channels: Mapping[str, Channel], now: datetime) -> float | None:
    with engine.connect() as connection:
        paused = connection.execute(named("notify/paused_channels.sql"), {"channels": list(channels), "now": now})
        first = paused.first()
    return None if first is None else max((first.paused_until - now).total_seconds(), 0.001)


def _with_backlog(engine: Engine, channels: Mapping[str, Channel], total: Delivery, now: datetime) -> Delivery:
    names = {"channels": list(channels)}
    with engine.connect() as connection:
        backlog = connection.execute(named("notify/backlog.sql"), names).one()
        paused = connection.execute(named("notify/paused_channels.sql"), names | {"now": now}).all()
    down = {row.channel: row.reason for row in paused}
    return replace(total, waiting=backlog.waiting, unconfigured=backlog.unconfigured, down=down)

"""Shows one claimed message in its channel: posts it, edits the message of its thread, or finds nothing to change.

Belongs here: what a thread shows now and how to get there, in steps that may each be repeated. Does not belong here:
claiming, retries and marks (outbox.py), HTTP (one module a channel).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Row

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ChannelGoneError, MessageGoneError, PermanentError, TransientError
from payments_pipeline.notify.channel import Channel, Message, PlacedChannel

# What only changes a message: where there is none, nothing is told.
_CHANGES = frozenset({"acknowledged", "snoozed"})
# What is told by a new message although the thread has one, because an edit rings no bell; the old one is removed.
_RINGS = frozenset({"risen", "woken"})
# Facts of a state that the next state does not share.
_PASSING = frozenset(
    {"resolution", "resolved_at", "resolved_how", "handled_by", "handled_reason", "snoozed_until", "status"}
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of it.

    Attributes:
        message_id: the channel's id of the message, if it told one.
        told: notifications of the same thread that this message tells, too.
        silent: there was nothing to change.
    """

    message_id: str | None
    told: Sequence[int] = ()
    silent: bool = False


class LeaseLostError(TransientError):
    """Another sender has the message by now."""


def dispatch(
    engine: Engine, channel: Channel, claimed: Row[Any], *, now: datetime, keep: Callable[[str | None], bool]
) -> Shown:
    """Show the newest state of the claimed message's thread.

    Args:
        claimed: a row of claim.sql.
        keep: stores the place that a channel keeps for the message (None: forget it); False when the lease is lost.

    Raises:
        LeaseLostError: another sender goes on with it.
        TransientError, ChannelGoneError, PermanentError: as `Channel.send`.
    """
    earlier, later = _thread(engine, claimed, now)
    steps = [claimed, *later]
    kinds = {step.kind for step in steps}
    shown = next((row.message_id for row in reversed(earlier) if row.message_id), None)
    told = [row.notification_id for row in later]
    if kinds <= _CHANGES and shown is None:
        return Shown(None, told, silent=True)
    message = _message(claimed, earlier, steps)
    rings = bool(kinds & _RINGS) and message.kind not in {"resolved", *_CHANGES}
    if channel.edits and shown is not None and not rings and claimed.message_id is None:
        try:
            channel.edit(shown, message)
        except MessageGoneError:
            _log.info("The message of finding %s was removed; it is posted anew.", claimed.finding_id)
            shown = None
        else:
            return Shown(shown, told)
    message_id = _post(channel, message, claimed.message_id, keep)
    if shown is not None and isinstance(channel, PlacedChannel):
        channel.discard(shown)
    return Shown(message_id, told)


def _post(channel: Channel, message: Message, place: str | None, keep: Callable[[str | None], bool]) -> str | None:
    if not isinstance(channel, PlacedChannel):
        return channel.send(message)
    if place is None:
        place = channel.reserve(message)
        if not keep(place):
            with suppress(TransientError, PermanentError, ChannelGoneError):
                channel.discard(place)
            raise LeaseLostError("Another sender has the message by now.", where=message.key)
    try:
        channel.edit(place, message)
    except MessageGoneError as error:
        keep(None)
        raise TransientError(
            "The place that was kept is gone.", where=message.key, remedy="It is tried again."
        ) from error
    return place


def _thread(engine: Engine, claimed: Row[Any], now: datetime) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """What the thread has shown before, and what is due after; oldest first."""
    if claimed.thread_id is None:
        return [], []
    asked = {
        "thread_id": claimed.thread_id,
        "channel": claimed.channel,
        "notification_id": claimed.notification_id,
        "now": now,
    }
    with engine.connect() as connection:
        rows = connection.execute(named("notify/thread.sql"), asked).all()
    earlier = [row for row in rows if row.state == "sent"]
    later = [row for row in rows if row.state == "pending" and row.notification_id > claimed.notification_id]
    return earlier, later


def _message(claimed: Row[Any], earlier: Sequence[Row[Any]], steps: Sequence[Row[Any]]) -> Message:
    """The thread's newest state; facts that it does not repeat are taken from the states before."""
    body: dict[str, Any] = {}
    for row in [*earlier, *steps]:
        body = {key: value for key, value in body.items() if key not in _PASSING} | _body(row.body)
    last = steps[-1]
    return Message(
        claimed.notification_id, last.kind, last.severity, body, key=claimed.dedupe_key, thread=claimed.thread_id
    )


def _body(source: str) -> dict[str, Any]:
    """A stored body with exact numbers; anything that is no JSON object is kept under one key."""
    body = json.loads(source, parse_float=Decimal)
    return body if isinstance(body, dict) else {"content": body}

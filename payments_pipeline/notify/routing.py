"""Gives notifications to channels, gathers what has waited too long, and tells the next channel where one is down.

Belongs here: what happens in the outbox before anything is sent. Does not belong here: sending (outbox.py), the rules
themselves (routes.py). All of it is set-based, and nothing is lost by running it twice or dying half-way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.routes import GRAVITY, DeliveryPlan, Route

HOLD_BACK = timedelta(minutes=15)
"""How long a resolution waits in channels that can't edit: should the finding be back by then, neither is told."""
BACKLOG_AGE = timedelta(minutes=15)
"""Messages that could not be sent for so long, and are more than `BACKLOG_MOST` of a report, become one digest."""
BACKLOG_MOST = 20
STORM = 40
"""So many messages waiting in a channel, of whatever reports, are a storm: a first night, an outage that ends."""
HANDFUL = 3
"""In a storm, more messages of one report than this become one digest at once."""
DOWN_AFTER = timedelta(minutes=10)
"""A channel that has failed for so long is down, and the next one is told; one that says it is gone, at once. What has
waited so long for one that is no longer configured goes to the next, too."""
_EXAMPLES = 5


def prepare(engine: Engine, channels: Mapping[str, Channel], plan: DeliveryPlan, *, now: datetime) -> None:
    """Bring the outbox into the state in which it can be sent.

    Args:
        channels: the configured ones, in the order in which they stand in for each other; with none, nothing happens.
    """
    if not channels:
        return
    names = list(channels)
    silent = [name for name, channel in channels.items() if not channel.edits]
    times = {"now": now, "routes": _routes(channels, plan)}
    quiet = {"quiet_until": plan.quiet.until(now) if plan.quiet else None}
    with engine.begin() as connection:
        connection.execute(named("notify/lock.sql"))
        connection.execute(named("notify/route.sql"), times | quiet | {"hold_back": HOLD_BACK})
        if silent:
            connection.execute(named("notify/drop_flutter.sql"), {"channels": silent})
        connection.execute(named("notify/hasten.sql"), {"channels": names, "now": now})
        connection.execute(named("notify/escalate.sql"), times | {"patience": DOWN_AFTER})
        connection.execute(named("notify/inherit.sql"), times | quiet | {"patience": DOWN_AFTER})
        _gather(connection, names, now)


def _gather(connection: Connection, names: list[str], now: datetime) -> None:
    asked = {"channels": names, "older_than": now - BACKLOG_AGE, "now": now, "most": BACKLOG_MOST}
    asked |= {"storm": STORM, "handful": HANDFUL}
    for group in connection.execute(named("notify/backlogs.sql"), asked).all():
        connection.execute(
            named("notify/collapse.sql"),
            {"notifications": group.notifications, "now": now, "examples": _EXAMPLES},
        )


def _routes(channels: Mapping[str, Channel], plan: DeliveryPlan) -> str:
    return json.dumps(
        [
            _route(name, place, channel.edits, plan.routes.get(name, Route()))
            for place, (name, channel) in enumerate(channels.items())
        ]
    )


def _route(name: str, place: int, edits: bool, route: Route) -> dict[str, object]:
    return {
        "name": name,
        "place": place,
        "gravity": GRAVITY[route.min_severity],
        "reports": None if route.reports is None else list(route.reports),
        "summary": route.summary,
        "edits": edits,
    }

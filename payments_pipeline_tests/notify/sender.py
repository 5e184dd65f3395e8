"""A sender in a process of its own, which a test may kill at any time; its clock runs fast, so that leases end soon."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from payments_pipeline.db.engine import engine_for
from payments_pipeline.notify.discord import DiscordChannel
from payments_pipeline.notify.outbox import deliver

FASTER = 60.0  # a lease of two minutes ends after two seconds
TIMEOUT = 0.4  # seconds of one call; much less than a lease


def fast(begin: datetime) -> datetime:
    """The time by a clock that showed the true time at `begin`, and runs `FASTER` since."""
    return begin + (datetime.now(UTC) - begin) * FASTER


def send_for_ever(database: str, webhook: str, begin: datetime) -> None:
    """Deliver what is due, again and again, until killed."""
    engine, channel = engine_for(database), DiscordChannel(webhook, timeout=TIMEOUT)
    while True:
        deliver(
            engine,
            {"discord": channel},
            clock=lambda: fast(begin),
            limit=50,
            sleep=lambda seconds: time.sleep(seconds / FASTER),
        )
        time.sleep(0.02)

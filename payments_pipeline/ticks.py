"""What the ticks of all sensors have in common: how long to wait for a run that changed nothing. Pure."""

from datetime import datetime, timedelta

SUCCESSOR_AFTER = timedelta(minutes=10)


def late(since: datetime, now: datetime) -> int:
    """How often the time since then has doubled, from `SUCCESSOR_AFTER` on."""
    return max(int((now - since) / SUCCESSOR_AFTER), 0).bit_length()

"""What every look of the watchdog is given. Belongs here: the shape. Does not belong here: any look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy import Engine

from payments_pipeline.config import Settings


def system_time() -> datetime:
    """The machine's clock: the one thing here that is not told from outside, because it is what is looked at."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Sight:
    """Where to look.

    Attributes:
        instance: Dagster's storage.
        now: UTC and aware.
        sensors: names of our sensors with the seconds between two ticks.
        own_clock: what is compared with the database's and the providers' clocks.
    """

    engine: Engine
    instance: dg.DagsterInstance
    settings: Settings
    now: datetime
    sensors: Mapping[str, int]
    own_clock: Callable[[], datetime] = system_time

    def ago(self, moment: datetime | None) -> str:
        """How long ago, as people say it."""
        if moment is None:
            return "never"
        minutes = max(int((self.now - moment).total_seconds() // 60), 0)
        if minutes < 1:
            return "less than a minute ago"
        if minutes < 120:  # noqa: PLR2004  (two hours)
            return f"{minutes} min ago"
        return f"{minutes // 60} h ago"

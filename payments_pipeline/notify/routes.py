"""Who is told what, and when: routes by severity and report, and quiet hours. Pure.

Belongs here: the rules that configuration states. Does not belong here: applying them to the outbox (routing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from payments_pipeline.errors import ConfigurationError

GRAVITY = {"CRITICAL": 1, "HIGH": 2, "MEDIUM": 3, "LOW": 4}
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Route:
    """What a channel wants to hear.

    Attributes:
        min_severity: this and graver.
        reports: only these reports and watches; None: all, and failures of runs.
        summary: the daily summary, too.
    """

    min_severity: str = "LOW"
    reports: tuple[str, ...] | None = None
    summary: bool = True


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of each day, in a time zone, in which nothing below HIGH makes a noise; they may span midnight."""

    begin: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours that `now` lies in end, UTC; None when it lies in none."""
        local = now.astimezone(self.zone)
        clock = local.time()
        spans = self.end <= self.begin
        inside = (clock >= self.begin or clock < self.end) if spans else self.begin <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if spans and clock >= self.begin else 0)
        end = datetime.combine(day, self.end, self.zone)
        first, second = (end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        return first if first > now else second  # where clocks go back, the end may come twice, and be past once


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """Routes by channel, in the order in which they stand in for each other, and quiet hours.

    Attributes:
        routes: channels that are not named here are told everything.
    """

    routes: Mapping[str, Route] = field(default_factory=dict)
    quiet: QuietHours | None = None


def quiet_hours(text: str | None, zone: str) -> QuietHours | None:
    """Quiet hours as they are written in settings: ``22:00-07:00``.

    Raises:
        ConfigurationError: the text or the zone is none.
    """
    if not text:
        return None
    match = _HOURS.fullmatch(text.strip())
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        match = None
    if match is None:
        raise ConfigurationError(
            f"{text!r} in {zone!r} are no quiet hours.",
            where="QUIET_HOURS, QUIET_HOURS_TIMEZONE",
            remedy="Write them as 22:00-07:00 and the zone as Europe/Zurich.",
        )
    first, second, third, fourth = map(int, match.groups())
    return QuietHours(time(first, second), time(third, fourth), place)

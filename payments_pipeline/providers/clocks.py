"""The provider's time: this machine's clock, set back by as much as it is proved to be ahead of the provider's.

Belongs here: the proof (the Date of an answer), and clocks that keep to it. Does not belong here: which calls bring a
Date (each provider's client), what is claimed of which time (ingest).

A clock that is ahead would certify time that has not been yet at the provider: what is created then would be missing
from the list and taken for read. One that is behind claims too little, which the next run makes good.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, runtime_checkable

from payments_pipeline.providers.base import Clock, Provider

TOLERATED = timedelta(seconds=10)
"""Clocks kept by NTP are closer than this, and runs read minutes before their watermark again."""
CREDIBLE = timedelta(days=1)
"""A clock this far ahead was set by hand, or the answer is a recording: its Date is of another time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SetBack:
    """A clock that goes behind another."""

    clock: Clock
    by: timedelta

    def __call__(self) -> datetime:
        return self.clock() - self.by


class ProviderTime:
    """The time at one provider, as far as it is known.

    Attributes:
        ahead: how far this machine's clock is ahead, at least; zero where that does not matter or is not known.

    Args:
        machine: this machine's clock, UTC.
        provider: its name, for messages.
    """

    def __init__(self, machine: Clock, provider: str) -> None:
        self._machine = machine
        self._provider = provider
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return self._machine() - self.ahead

    def machine(self) -> datetime:
        """What this machine's clock shows."""
        return self._machine()

    def compare(self, date: str | None, began: datetime) -> None:
        """Learn from the Date of an answer how far this machine's clock is ahead.

        Only called when a run identifies its account: within one run the order of readings must not shift.

        Args:
            date: the header; None: the server sends none.
            began: what this machine's clock showed before the call.
        """
        found = proved_ahead(date, began)
        self.ahead = found if TOLERATED < found < CREDIBLE else timedelta()
        if found >= CREDIBLE:
            _log.warning(
                "This machine's clock is %s ahead of the Date that %s answers with; it is left as it is. What to do: "
                "if these are not recorded answers, set the clock by NTP and run a sweep, or what is created until "
                "the clock's present time is taken for read already.",
                found,
                self._provider,
            )
        elif self.ahead:
            _log.warning(
                "This machine's clock is at least %s ahead of %s's; times of reading and the ends of what is read are "
                "set back by that. What to do: set the clock by NTP.",
                self.ahead,
                self._provider,
            )


@runtime_checkable
class KeepsTime(Provider, Protocol):
    """A provider whose time is known."""

    @property
    def own_time(self) -> ProviderTime: ...


def proved_ahead(date: str | None, began: datetime) -> timedelta:
    """How far a clock is ahead of the server's, at least. Pure.

    Args:
        date: of the answer, in whole seconds: it was made before the next one began. RFC 9110, 6.6.1.
        began: what the clock showed before the call.
    """
    try:
        sent = parsedate_to_datetime(date or "")
    except ValueError:
        return timedelta()
    told = sent if sent.tzinfo is not None else sent.replace(tzinfo=UTC)
    return max(timedelta(), began - told - timedelta(seconds=1))


def by_provider(provider: Provider, clock: Clock) -> Clock:
    """The clock that a run at this provider goes by; the same one where it has been set back already."""
    if isinstance(clock, SetBack) or not isinstance(provider, KeepsTime) or not provider.own_time.ahead:
        return clock
    return SetBack(clock, provider.own_time.ahead)

"""Rate limits towards providers: every call first waits for its slot, shared by all threads and processes.

Belongs here: handing out slots (GCRA: evenly spaced, one that was missed is made up for), slowing down after a 429 and
recovering. Does not belong here: which rate applies (catalogue.py), the calls themselves, retries (http.py).

Slots are kept in recon.rate_limits, reserved in one short statement by the database's clock. A limiter must never be
why nothing is read: when that row can't be had (locked, database gone, not migrated) slots are handed out in this
process alone, and the log says so once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, TextClause
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from payments_pipeline.db.engine import side_engine_for
from payments_pipeline.db.sql import named
from payments_pipeline.errors import TransientError

Sleep = Callable[[float], None]

ACCOUNT_WIDE = "all"
FIRST_SLOWDOWN = 0.9
"""What is left of the rate after a 429 at full rate. Calls paced just below a limit meet it when one is held up."""
SLOWDOWN = 0.7
"""What is left after another one, before the rate has recovered: the limit is lower than we think."""
RECOVERY_SECONDS = 120.0
"""Time in which the rate would grow from nothing to its ceiling; from a single 429 it recovers in 12 seconds."""
LOWEST_SHARE = 0.05
"""The rate never falls below this share of its ceiling."""
FIRST_PAUSE_SECONDS = 0.25
"""Pause after a 429 at full rate without Retry-After: the call that was held up is over soon."""
PAUSE_SECONDS = 1.0
"""Pause after another one: limits are counted by the second."""
LONGEST_PAUSE_SECONDS = 600.0
LONGEST_WAIT_SECONDS = 180.0
ABSENT_SECONDS = 10.0
"""How long the database is left alone after it could not be asked."""
SAME_BURST_SECONDS = 1.0
"""429s within this time of the first are of calls that were under way already."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """What is limited and how.

    Attributes:
        provider, account: whose limit it is; account is the provider's id or a fingerprint of the key.
        ceiling: calls a second at most.
        endpoint: a class of endpoints with a limit of its own, e.g. ``charges``; ``all``: the whole account.
        recovery_seconds: see `RECOVERY_SECONDS`.
    """

    provider: str
    account: str
    ceiling: float
    endpoint: str = ACCOUNT_WIDE
    recovery_seconds: float = RECOVERY_SECONDS


@dataclass(slots=True)
class LocalSlots:
    """Slots of one limit within this process: the rules of recon.take_slot and recon.throttle, told the time.

    Attributes:
        rate: calls a second now. at_full_rate: it was the ceiling when the last 429 came.
        next_slot, adapted_at, throttled_at: seconds of the clock that `now` comes from.
    """

    limit: Limit
    rate: float = 0.0
    next_slot: float = 0.0
    adapted_at: float = 0.0
    throttled_at: float | None = None
    at_full_rate: bool = True

    def take(self, now: float) -> float:
        """Reserve the next slot; the seconds to wait for it."""
        self._recover(now)
        gap = 1 / self.rate
        slot = max(self.next_slot, now - gap)
        self.next_slot = slot + gap
        return max(0.0, slot - now)

    def strike(self, now: float) -> tuple[float, float]:
        """What a 429 calls for: what is left of the rate, and how long to pause unless the provider says."""
        self._recover(now)
        if self._afresh(now):
            self.at_full_rate = self.throttled_at is None
        return (FIRST_SLOWDOWN, FIRST_PAUSE_SECONDS) if self.at_full_rate else (SLOWDOWN, PAUSE_SECONDS)

    def throttle(self, now: float, pause: float, factor: float) -> None:
        """Nothing for `pause` seconds, then at `factor` of the rate."""
        self._recover(now)
        if self._afresh(now):
            self.rate = max(LOWEST_SHARE * self.limit.ceiling, self.rate * factor)
            self.throttled_at = now
        self.next_slot = max(self.next_slot, now + pause)
        self.adapted_at = max(self.adapted_at, now + pause)

    def learn(self, now: float, wait: float, rate: float) -> None:
        """Keep up with what the shared limit said, to go on from there without it."""
        self.rate = rate
        self.next_slot = now + wait + 1 / rate
        self.adapted_at = now
        if rate >= self.limit.ceiling:
            self.throttled_at = None
        elif self.throttled_at is None:
            self.throttled_at = now

    def _afresh(self, now: float) -> bool:
        return self.throttled_at is None or now > self.throttled_at + SAME_BURST_SECONDS

    def _recover(self, now: float) -> None:
        ceiling = self.limit.ceiling
        if self.throttled_at is None:
            self.rate = ceiling
        elif now > self.adapted_at:
            self.rate = min(ceiling, self.rate + (now - self.adapted_at) * ceiling / self.limit.recovery_seconds)
        if self.rate >= ceiling:
            self.throttled_at = None
        self.adapted_at = max(self.adapted_at, now)


class SharedSlots:
    """Slots in the database; knows when it could not be asked, and leaves it alone for a while."""

    def __init__(self, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = side_engine_for(engine.url.render_as_string(hide_password=False))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._absent = False
        self._absent_until = 0.0

    def take(self, limit: Limit) -> tuple[float, float] | None:
        """Seconds to wait and the rate in force; None: not to be had."""
        row = self._asked("limits/take_slot.sql", limit)
        return None if row is None else (float(row.wait_seconds), float(row.allowed_rate))

    def throttle(self, limit: Limit, pause: float, factor: float) -> None:
        """Slow everybody down to `factor` of the rate, where the database can be asked."""
        self._asked(
            "limits/throttle.sql",
            limit,
            pause_seconds=pause,
            factor=factor,
            lowest=LOWEST_SHARE * limit.ceiling,
        )

    def _asked(self, statement: str, limit: Limit, **more: float) -> Any:
        if self._absent and self._monotonic() < self._absent_until:
            return None
        values = {
            "provider": limit.provider,
            "account": limit.account,
            "endpoint": limit.endpoint,
            "ceiling": limit.ceiling,
            "recovery_seconds": limit.recovery_seconds,
        } | more
        try:
            row = self._execute(named(statement), values)
        except SQLAlchemyError as error:
            self._lost(error)
            return None
        if self._absent:
            self._found()
        return row

    def _execute(self, statement: TextClause, values: dict[str, Any]) -> Any:
        try:
            return self._once(statement, values)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._once(statement, values)  # the pooled connection was a dead one, e.g. the server had restarted

    def _once(self, statement: TextClause, values: dict[str, Any]) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).one()

    def _lost(self, error: SQLAlchemyError) -> None:
        cause = getattr(error, "orig", None) or error
        with self._lock:
            said, self._absent = self._absent, True
            self._absent_until = self._monotonic() + ABSENT_SECONDS
        if not said:
            _log.warning(
                "Rate limits can't be shared now (recon.rate_limits: %s). Until they can, each process keeps below "
                "the limit by itself, so several together may exceed it and be slowed down by 429s. What to do: "
                "check the database; if it was never migrated, run payments-pipeline db upgrade.",
                type(cause).__name__,
            )

    def _found(self) -> None:
        with self._lock:
            said, self._absent = self._absent, False
        if said:
            _log.info("Rate limits are shared again.")


@dataclass(slots=True, eq=False)
class RateLimiter:
    """Paces the calls of one account, or of one class of its endpoints. Any number of threads may use it.

    Args:
        shared: slots of all processes; None: this process alone.
        endpoint_ceiling: calls a second to each class of endpoints; None: they have no limit of their own.
        whole: the account's limiter, where this is a class of endpoints.
    """

    limit: Limit
    shared: SharedSlots | None = None
    endpoint_ceiling: float | None = None
    whole: RateLimiter | None = None
    sleep: Sleep = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    _local: LocalSlots = field(init=False)
    _endpoints: dict[str, RateLimiter] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._local = LocalSlots(self.limit, rate=self.limit.ceiling)

    @property
    def rate(self) -> float:
        """Calls a second allowed when last asked."""
        return self._local.rate

    def at(self, endpoint: str) -> RateLimiter:
        """The limiter of a class of endpoints; this one where they have no limit of their own."""
        if self.endpoint_ceiling is None:
            return self
        with self._lock:
            if endpoint not in self._endpoints:
                limit = Limit(
                    self.limit.provider,
                    self.limit.account,
                    min(self.endpoint_ceiling, self.limit.ceiling),
                    endpoint,
                    self.limit.recovery_seconds,
                )
                self._endpoints[endpoint] = RateLimiter(
                    limit, self.shared, whole=self, sleep=self.sleep, monotonic=self.monotonic
                )
            return self._endpoints[endpoint]

    def acquire(self) -> None:
        """Wait for the next slot; call right after it returns. An endpoint waits for its own slot, then the account's.

        Raises:
            TransientError: the slot is minutes away, because the provider asked for a long pause.
        """
        wait = self._take()
        if wait > LONGEST_WAIT_SECONDS:
            raise TransientError(
                f"{self.limit.provider} asked for a pause that lasts another {wait:.0f} seconds.",
                where=f"{self.limit.provider} account {self.limit.account}, endpoints: {self.limit.endpoint}",
                remedy="The next run tries again; if it goes on, lower the calls per second of this account.",
                retry_after=wait,
            )
        if wait > 0:
            self.sleep(wait)
        if self.whole is not None:
            self.whole.acquire()

    def throttled(self, retry_after: float | None) -> None:
        """The provider answered 429: everybody pauses, then goes more slowly and recovers by and by.

        Args:
            retry_after: seconds it asked for; None: it did not say.
        """
        with self._lock:
            now = self.monotonic()
            factor, unsaid = self._local.strike(now)
            pause = min(unsaid if retry_after is None else max(0.0, retry_after), LONGEST_PAUSE_SECONDS)
            self._local.throttle(now, pause, factor)
        if self.shared is not None:
            self.shared.throttle(self.limit, pause, factor)

    def _take(self) -> float:
        shared = self.shared.take(self.limit) if self.shared is not None else None
        with self._lock:
            now = self.monotonic()
            if shared is None:
                return self._local.take(now)
            wait, rate = shared
            self._local.learn(now, wait, rate)
            return wait

"""Scripted misbehaviour of the simulated providers: which call fails, how, and how often; also rate limits and latency.

Belongs here: deciding what happens to a call. Does not belong here: how a provider words a failure (its own module), or
acting on the transport (server.py).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from payments_pipeline.sandbox.wire import Call, FailureKind, Quota

Kind = FailureKind | Literal["hang", "cut_body", "invalid_json", "empty_body"]
CURSORS = ("starting_after", "after", "page")


@dataclass(slots=True)
class Fault:
    """One scripted misbehaviour; build it through `FaultPlan.add` or one of the named methods.

    Attributes:
        provider: ``stripe``, ``nowpayments``, ``okx`` or ``discord``.
        kind: what happens.
        path: the provider's own path must begin with it, e.g. ``/v1/refunds``; empty: any.
        query: a parameter that the call must have, e.g. ``depId=901``; empty: any.
        method: HTTP method, or None for any.
        page: fires only on this page of a list (the first is 1), or None.
        times: calls left to spoil; None: for ever.
        retry_after: seconds told to the client; None: not told.
        seconds: how long a hang lasts.
        applied: the call takes effect before it fails, as when only the answer is lost.
        stored: an idempotency key replays this failure from then on.
        fired: calls spoiled so far.
    """

    provider: str
    kind: Kind
    path: str = ""
    method: str | None = None
    page: int | None = None
    times: int | None = 1
    retry_after: float | None = None
    seconds: float = 3600.0
    applied: bool = False
    stored: bool = False
    fired: int = 0
    query: str = ""

    def matches(self, call: Call, page: int) -> bool:
        return (
            self.times != 0
            and self.provider == call.provider
            and call.path.startswith(self.path)
            and (not self.query or self.query in call.query.split("&"))
            and self.method in {None, call.method}
            and self.page in {None, page}
        )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `calls` in any `seconds`; more are answered as the provider's 429."""

    calls: int
    seconds: float = 1.0


class Limiter:
    """Sliding window: refused calls don't count."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._times: deque[float] = deque()

    def take(self, now: float) -> Quota:
        calls, seconds = self.limit.calls, self.limit.seconds
        while self._times and self._times[0] <= now - seconds:
            self._times.popleft()
        allowed = len(self._times) < calls
        if allowed:
            self._times.append(now)
        remaining = calls - len(self._times)
        wait = self._times[0] + seconds - now if self._times and remaining == 0 else 0.0
        return Quota(calls, remaining, seconds, wait, allowed)


class PageCounter:
    """Numbers the pages of each listing by the cursors seen; a repeated cursor (a retry) keeps its number.

    Two listings of one path are told apart by their other parameters. OKX listings may begin with a cursor; one that
    is newer than any seen begins a new listing.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, tuple[tuple[str, str], ...]], dict[str, int]] = {}

    def number(self, call: Call) -> int:
        params = call.params()
        cursor = next((params.pop(name) for name in CURSORS if name in params), None)
        if call.provider == "nowpayments":
            return int(cursor) + 1 if cursor and cursor.isdigit() else 1
        listing = call.provider, call.path, tuple(sorted(params.items()))
        seen = self._seen.setdefault(listing, {})
        if cursor is None:
            self._seen[listing] = {"": 1}
            return 1
        if call.provider == "okx" and _newer_than_all(cursor, seen):
            seen = self._seen[listing] = {}
        return seen.setdefault(cursor, len(seen) + 1)


def _newer_than_all(cursor: str, seen: dict[str, int]) -> bool:
    """True when a time cursor lies after every one seen; a listing that began without a cursor goes on."""
    times = [int(known) for known in seen if known.isdigit()]
    return bool(times) and cursor.isdigit() and int(cursor) > max(times)


@dataclass
class FaultPlan:
    """Everything that may go wrong at the providers; empty by default. Safe to change while the server runs.

    Attributes:
        faults: tried in order; the first that matches a call fires.
        limits: by provider. Vendors' figures: Stripe test mode 25/s, OKX deposit history 6/s, Discord 5 in 2 s.
        latency: seconds added to each answer, by provider.
        on_page: called with provider, path and page number before a list page is answered, under no lock; a test may
            change the state there, e.g. create objects while the client is paging.
    """

    faults: list[Fault] = field(default_factory=list)
    limits: dict[str, RateLimit] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)
    on_page: Callable[[str, str, int], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _pages: PageCounter = field(default_factory=PageCounter, repr=False)
    _limiters: dict[str, Limiter] = field(default_factory=dict, repr=False)

    def add(self, fault: Fault) -> Fault:
        """Append a fault; keep the returned object to read `fired`."""
        with self._lock:
            self.faults.append(fault)
        return fault

    def rate_limit(
        self, provider: str, path: str = "", *, times: int | None = 1, retry_after: float | None = None,
        page: int | None = None,
    ) -> Fault:  # fmt: skip
        """The next calls are answered 429 (OKX: code 50011), with Retry-After if `retry_after` is given."""
        return self.add(Fault(provider, "rate_limited", path, times=times, retry_after=retry_after, page=page))

    def server_error(
        self, provider: str, path: str = "", *, times: int | None = 1, page: int | None = None,
        method: str | None = None, applied: bool = False, stored: bool = False,
    ) -> Fault:  # fmt: skip
        """The next calls are answered 500."""
        return self.add(
            Fault(provider, "server_error", path, method, page, times=times, applied=applied, stored=stored)
        )

    def unauthorized(self, provider: str, path: str = "", *, times: int | None = 1, page: int | None = None) -> Fault:
        """The next calls are answered 401, e.g. NOWPayments' token running out mid-listing."""
        return self.add(Fault(provider, "unauthorized", path, times=times, page=page))

    def hang(
        self, provider: str, path: str = "", *, times: int | None = 1, seconds: float = 3600.0,
        page: int | None = None, method: str | None = None, applied: bool = False,
    ) -> Fault:  # fmt: skip
        """The next calls get no answer for `seconds` (or until the sandbox stops), then the ordinary one."""
        return self.add(Fault(provider, "hang", path, method, page, times=times, seconds=seconds, applied=applied))

    def cut_body(
        self, provider: str, path: str = "", *, times: int | None = 1, page: int | None = None,
        method: str | None = None,
    ) -> Fault:  # fmt: skip
        """The connection closes half-way through the next answers; the call has taken effect."""
        return self.add(Fault(provider, "cut_body", path, method, page, times=times, applied=True))

    def invalid_json(self, provider: str, path: str = "", *, times: int | None = 1, page: int | None = None) -> Fault:
        """The next answers read 200 and are half a JSON text; the call has taken effect."""
        return self.add(Fault(provider, "invalid_json", path, times=times, page=page, applied=True))

    def clear(self) -> None:
        """Everything works again; limits and latency stay."""
        with self._lock:
            self.faults.clear()

    def page_of(self, call: Call) -> int:
        """Which page of its list a call asks for, counted from 1; 0 when it is no GET."""
        if call.method != "GET":
            return 0
        with self._lock:
            return self._pages.number(call)

    def draw(self, call: Call, page: int) -> Fault | None:
        """The fault that spoils this call, used up by one; None when it goes well."""
        with self._lock:
            for fault in self.faults:
                if fault.matches(call, page):
                    fault.fired += 1
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def take(self, provider: str, now: float) -> Quota | None:
        """Count one call at `now` (seconds, monotonic) against the provider's limit; None: it has none."""
        limit = self.limits.get(provider)
        if limit is None:
            return None
        with self._lock:
            limiter = self._limiters.get(provider)
            if limiter is None or limiter.limit != limit:
                limiter = self._limiters[provider] = Limiter(limit)
            return limiter.take(now)

"""A Stripe that answers at once: PaymentIntents encoded beforehand, so that a benchmark measures its readers.

The sandbox builds each answer from objects and serves about 16,000 PaymentIntents a second, which would hide
differences between readers. This server answers GET /v1/payment_intents (limit, starting_after, created ranges, charges
expanded whether asked or not), /v1/payment_intents/{id} and /v1/account with the sandbox's own objects.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import orjson

from payments_pipeline.sandbox.objects import stripe_charge, stripe_intent

END = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 300
ACCOUNT = b'{"id":"acct_sandbox","object":"account"}'
MISSING = b'{"error":{"type":"invalid_request_error","message":"No such object"}}'
LIMITED = b'{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Too many requests"}}'
CHARGED = 0.75
"""Share of intents with a charge. They have 2.97 KB, those without 1.25 KB: 2.5 KB on average."""


def intents(count: int) -> Iterator[dict[str, Any]]:
    """`count` PaymentIntents, oldest first, evenly over the 300 days before END; the same at each call."""
    chance, step = random.Random(1), timedelta(days=DAYS) / count
    for number in range(count):
        charged, at = chance.random() < CHARGED, END - step * (count - number)
        made = stripe_intent(
            f"pi_{number:024}",
            amount=chance.randint(100, 50_000),
            currency="usd",
            created=at,
            status="succeeded" if charged else "requires_payment_method",
            customer=f"cus_{number % 5000:014}",
            metadata={"user_id": str(number % 5000), "payment_id": str(number)},
            description="Monthly plan",
        )
        if charged:
            made["amount_received"], made["payment_method"] = made["amount"], f"pm_{number:024}"
            made["latest_charge"] = stripe_charge(
                f"ch_{number:024}", made, created=at, last4="4242", captured=made["amount"]
            )
        yield made


@contextmanager
def serving(
    count: int, changed: int = 0, *, seconds_a_call: float = 0.0, calls_a_second: int | None = None
) -> Iterator[str]:
    """Base address for STRIPE_API_BASE of a server in a process of its own.

    Args:
        changed: how many intents, spread evenly, differ from what `intents` gives.
        seconds_a_call: how long an answer takes; many can be under way.
        calls_a_second: of more calls in any second, each is refused at once with 429, as Stripe does; None: no limit.
    """
    with serving_store(Store, (count, changed), seconds_a_call, calls_a_second) as base:
        yield base


@contextmanager
def serving_store(
    store: Callable[..., Answers], args: tuple[Any, ...], seconds_a_call: float = 0.0, calls_a_second: int | None = None
) -> Iterator[str]:
    """As `serving`, of whatever `store(*args)` answers; the store is made in the server's process."""
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, store, args, seconds_a_call, calls_a_second), daemon=True
    )
    server.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}"
    finally:
        server.terminate()
        server.join(10)


class Answers(Protocol):
    """What a server of this module serves."""

    def answer(self, target: str) -> bytes | None:
        """The body for a request target; None: not found."""
        ...


class Store:
    """Encoded objects in order of creation."""

    def __init__(self, count: int, changed: int) -> None:
        every = count // changed if changed else 0
        self.created, self.bodies, self.places = [], [], {}
        for number, made in enumerate(intents(count)):
            if every and number % every == 0:
                made["description"] = "Changed"
            self.places[made["id"]] = number
            self.created.append(made["created"])
            self.bodies.append(orjson.dumps(made))

    def answer(self, target: str) -> bytes | None:
        """The body for a request target; None: not found."""
        parts = urlsplit(target)
        if parts.path == "/v1/account":
            return ACCOUNT
        if parts.path != "/v1/payment_intents":
            place = self.places.get(parts.path.rpartition("/")[2])
            return None if place is None else self.bodies[place]
        params = dict(parse_qsl(parts.query))
        low, high = 0, len(self.bodies)
        if "created[gte]" in params:
            low = bisect_left(self.created, int(params["created[gte]"]))
        if "created[lt]" in params:
            high = bisect_left(self.created, int(params["created[lt]"]))
        if "created[lte]" in params:
            high = bisect_right(self.created, int(params["created[lte]"]))
        if "starting_after" in params:
            high = min(high, self.places[params["starting_after"]])
        first = max(low, high - int(params.get("limit", 10)))
        more = b"true" if first > low else b"false"
        page = b",".join(reversed(self.bodies[first:high]))
        return b'{"object":"list","url":"/v1/payment_intents","has_more":%s,"data":[%s]}' % (more, page)


class _Http(asyncio.Protocol):
    """HTTP/1.1 with keep-alive for GET, which is all that readers send."""

    def __init__(self, store: Answers, seconds_a_call: float, calls: deque[float] | None) -> None:
        self._store, self._received = store, b""
        self._seconds, self._calls = seconds_a_call, calls

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=8 << 20)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            target = self._received[: self._received.index(b"\r\n")].split()[1].decode()
            self._received = self._received[end + 4 :]
            if self._refused():
                self._send(b"429 Too Many Requests", LIMITED)
            elif self._seconds:
                asyncio.get_running_loop().call_later(self._seconds, self._answer, target)
            else:
                self._answer(target)

    def _refused(self) -> bool:
        """More than the limit in the last second; refused calls do not count."""
        if self._calls is None:
            return False
        now = asyncio.get_running_loop().time()
        if len(self._calls) == self._calls.maxlen and now - self._calls[0] < 1.0:
            return True
        self._calls.append(now)
        return False

    def _answer(self, target: str) -> None:
        body = self._store.answer(target)
        if body is None:
            self._send(b"404 Not Found", MISSING)
        else:
            self._send(b"200 OK", body)

    def _send(self, status: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            )
            self._transport.write(body)


def _serve(
    pipe: Any, store: Callable[..., Answers], args: tuple[Any, ...], seconds_a_call: float, calls_a_second: int | None
) -> None:
    async def run() -> None:
        answers = store(*args)
        calls: deque[float] | None = deque(maxlen=calls_a_second) if calls_a_second else None
        server = await asyncio.get_running_loop().create_server(
            lambda: _Http(answers, seconds_a_call, calls), "127.0.0.1", 0
        )
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())

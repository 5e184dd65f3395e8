"""One HTTP request and its answer as plain values, and the port that each simulated provider implements.

Belongs here: what server.py, failures.py and the provider modules share. Does not belong here: any one provider's
words, or the transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

import orjson

FailureKind = Literal["rate_limited", "lock_timeout", "server_error", "unauthorized", "forbidden"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `path` is the provider's own (``/v1/refunds``), header names are lower-case, `query` is as sent."""

    provider: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def params(self) -> dict[str, str]:
        """Query parameters; the last of a repeated name wins."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> list[tuple[str, str]]:
        """Form-encoded body, in the order sent."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is already encoded."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Quota:
    """What the rate limiter said of one call: `wait` is seconds until the next call fits (0 while some remain)."""

    limit: int
    remaining: int
    seconds: float
    wait: float
    allowed: bool


class RefusalError(Exception):
    """Raised inside a provider module to answer with `reply` at once."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"answered {reply.status}")
        self.reply = reply


class ProviderApi(Protocol):
    """One simulated provider."""

    def answer(self, call: Call) -> Reply:
        """The provider's ordinary answer; never raises."""
        ...

    def failure(self, kind: FailureKind, retry_after: float | None) -> Reply:
        """How this provider words a failure; `retry_after` in seconds, None: it does not say."""
        ...

    def remember(self, call: Call, reply: Reply) -> None:
        """Keep `reply` as what an idempotency key replays, where the provider has such keys."""
        ...

    def quota_headers(self, quota: Quota | None) -> Mapping[str, str]:
        """Rate-limit headers sent with every answer; None: no limit is configured."""
        ...


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """`value` as JSON; a Decimal keeps its literal digits, as the providers' own numbers do."""
    return Reply(status, orjson.dumps(value, default=_literal), headers or {})


def _literal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")

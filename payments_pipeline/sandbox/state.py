"""What the simulated providers hold: plain provider objects in memory, as their APIs would send them.

Belongs here: the stores and their lock. Does not belong here: HTTP (server.py and one module a provider) or what a
world puts in (world.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

Json = dict[str, Any]


class Store(dict[str, Json]):
    """Objects by id; counts the keys that came and went, so that an index over it knows what it has to catch up with.

    Replacing an object under its key counts as neither. While nothing was removed, the newest keys are the last ones.

    Attributes:
        added: keys ever added.
        removed: keys ever removed.
    """

    added = 0
    removed = 0

    def __init__(self, *initial: Any, **named: Any) -> None:
        super().__init__(*initial, **named)
        self.added = len(self)

    def __setitem__(self, key: str, value: Json) -> None:
        if key not in self:
            self.added += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.removed += 1

    def pop(self, key: str, *default: Any) -> Any:
        self.removed += key in self
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Json]:
        item = super().popitem()
        self.removed += 1
        return item

    def clear(self) -> None:
        self.removed += len(self)
        super().clear()

    def setdefault(self, key: str, default: Json) -> Json:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for key, value in dict(*others, **named).items():
            self[key] = value

    def __ior__(self, other: Mapping[str, Json] | Iterable[tuple[str, Json]]) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self


def system_clock() -> datetime:
    """The outside world's own time; a simulated provider, unlike the pipeline, may read the wall clock."""
    return datetime.now(UTC)


@dataclass
class StripeState:
    """Objects by id; what they refer to (an intent's `latest_charge`) is stored as an id and expanded on request.

    Attributes:
        customers: a deleted one stays with all its fields and `deleted: True`; the API shows only that it is gone.
        payout_transactions: ids of the balance transactions that an automatic payout paid out, by payout.
        api_version: version in which new events are rendered.
        sequence: how many ids were handed out by operations (stripe_ledger.py).
        expired_keys: answered as expired, while other unknown keys are answered as invalid.
        moves: what calls over HTTP really did, once each: capture, cancel or refund and the payment intent, transfer or
            payout and where it went; minor units.
        idempotency: by key: fingerprint of the first request, status, body and request id of its stored answer.
    """

    account_id: str = "acct_sandbox"
    livemode: bool = False
    api_keys: set[str] = field(default_factory=lambda: {"sk_test_sandbox"})
    payment_intents: Store = field(default_factory=Store)
    charges: Store = field(default_factory=Store)
    refunds: Store = field(default_factory=Store)
    disputes: Store = field(default_factory=Store)
    payouts: Store = field(default_factory=Store)
    transfers: Store = field(default_factory=Store)
    transfer_reversals: Store = field(default_factory=Store)
    balance_transactions: Store = field(default_factory=Store)
    checkout_sessions: Store = field(default_factory=Store)
    subscriptions: Store = field(default_factory=Store)
    customers: Store = field(default_factory=Store)
    events: Store = field(default_factory=Store)
    payout_transactions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    api_version: str = "2026-10-28.endive"
    sequence: int = 0
    expired_keys: set[str] = field(default_factory=set)
    moves: list[tuple[str, str, int]] = field(default_factory=list)
    idempotency: dict[str, tuple[str, int, bytes, str]] = field(default_factory=dict)


@dataclass
class NowPaymentsState:
    """Payments by id (text)."""

    api_key: str = "np-sandbox-key"
    email: str = "finance@example.com"
    password: str = "np-sandbox-password"  # noqa: S105  (the simulated provider's, worth nothing)
    token_seconds: float = 300.0
    payments: Store = field(default_factory=Store)


@dataclass
class OkxState:
    """Deposits by depId. `skew_seconds` is how far the exchange's clock is ahead of ours."""

    api_key: str = "okx-sandbox-key"
    api_secret: str = "okx-sandbox-secret"  # noqa: S105  (the simulated provider's, worth nothing)
    passphrase: str = "okx-sandbox-passphrase"  # noqa: S105  (the simulated provider's, worth nothing)
    uid: str = "44705892343619584"
    skew_seconds: float = 0.0
    deposits: Store = field(default_factory=Store)


@dataclass
class DiscordState:
    """Messages by id in order of arrival; each holds `content`, `embeds`, `edits` (number of PATCHes).

    The token is as long as real ones, because discord.py refuses shorter ones. `gone` makes the webhook unknown.
    """

    webhook_id: str = "1000000000000000001"
    webhook_token: str = "sandbox-token-" + "0" * 54
    messages: dict[str, Json] = field(default_factory=dict)
    gone: bool = False


@dataclass
class SandboxState:
    """All simulated outside systems. Take `lock` around every read and write that spans more than one object.

    Never call the sandbox over HTTP while holding `lock`: the server waits for it. `clock` (UTC) stamps what changes,
    e.g. `canceled_at`; log-in and signatures use the machine's own time, as the real clients do. `tells_time`: answers
    carry a Date by `clock`, for worlds whose time the pipeline shares.
    """

    stripe: StripeState = field(default_factory=StripeState)
    nowpayments: NowPaymentsState = field(default_factory=NowPaymentsState)
    okx: OkxState = field(default_factory=OkxState)
    discord: DiscordState = field(default_factory=DiscordState)
    lock: threading.RLock = field(default_factory=threading.RLock)
    clock: Callable[[], datetime] = system_clock
    tells_time: bool = False

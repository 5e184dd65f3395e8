"""What the simulated providers hold: plain provider objects in memory, as their APIs would send them.

Belongs here: the stores and their lock. Does not belong here: HTTP (server.py and one module a provider) or what a
world puts in (world.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def system_clock() -> datetime:
    """The outside world's own time; a simulated provider, unlike the pipeline, may read the wall clock."""
    return datetime.now(UTC)


@dataclass
class StripeState:
    """Objects by id. An intent's `latest_charge` is stored as a charge id; the server expands it on request.

    Attributes:
        expired_keys: answered as expired, while other unknown keys are answered as invalid.
        idempotency: by key: fingerprint of the first request, status, body and request id of its stored answer.
    """

    account_id: str = "acct_sandbox"
    livemode: bool = False
    api_keys: set[str] = field(default_factory=lambda: {"sk_test_sandbox"})
    payment_intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    expired_keys: set[str] = field(default_factory=set)
    idempotency: dict[str, tuple[str, int, bytes, str]] = field(default_factory=dict)


@dataclass
class NowPaymentsState:
    """Payments by id (text)."""

    api_key: str = "np-sandbox-key"
    email: str = "finance@example.com"
    password: str = "np-sandbox-password"  # noqa: S105  (the simulated provider's, worth nothing)
    token_seconds: float = 300.0
    payments: dict[str, Json] = field(default_factory=dict)


@dataclass
class OkxState:
    """Deposits by depId. `skew_seconds` is how far the exchange's clock is ahead of ours."""

    api_key: str = "okx-sandbox-key"
    api_secret: str = "okx-sandbox-secret"  # noqa: S105  (the simulated provider's, worth nothing)
    passphrase: str = "okx-sandbox-passphrase"  # noqa: S105  (the simulated provider's, worth nothing)
    uid: str = "44705892343619584"
    skew_seconds: float = 0.0
    deposits: dict[str, Json] = field(default_factory=dict)


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
    e.g. `canceled_at`; log-in and signatures use the machine's own time, as the real clients do.
    """

    stripe: StripeState = field(default_factory=StripeState)
    nowpayments: NowPaymentsState = field(default_factory=NowPaymentsState)
    okx: OkxState = field(default_factory=OkxState)
    discord: DiscordState = field(default_factory=DiscordState)
    lock: threading.RLock = field(default_factory=threading.RLock)
    clock: Callable[[], datetime] = system_clock

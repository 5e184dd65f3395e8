"""What the simulated providers hold: plain provider objects in memory, as their APIs would send them.

Belongs here: the stores and their lock. Does not belong here: HTTP (server.py and one module a provider) or what a
world puts in (world.py).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class StripeState:
    """Objects by id. An intent's `latest_charge` is stored as a charge id; the server expands it on request."""

    account_id: str = "acct_sandbox"
    livemode: bool = False
    api_keys: set[str] = field(default_factory=lambda: {"sk_test_sandbox"})
    payment_intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)


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
    """Deposits by depId."""

    api_key: str = "okx-sandbox-key"
    api_secret: str = "okx-sandbox-secret"  # noqa: S105  (the simulated provider's, worth nothing)
    passphrase: str = "okx-sandbox-passphrase"  # noqa: S105  (the simulated provider's, worth nothing)
    uid: str = "44705892343619584"
    deposits: dict[str, Json] = field(default_factory=dict)


@dataclass
class DiscordState:
    """Messages by id in order of arrival; each holds `content`, `embeds`, `edits` (number of PATCHes)."""

    webhook_id: str = "1000000000000000001"
    webhook_token: str = "sandbox-token"  # noqa: S105  (the simulated provider's, worth nothing)
    messages: dict[str, Json] = field(default_factory=dict)


@dataclass
class SandboxState:
    """All simulated outside systems. Take `lock` around every read and write that spans more than one object."""

    stripe: StripeState = field(default_factory=StripeState)
    nowpayments: NowPaymentsState = field(default_factory=NowPaymentsState)
    okx: OkxState = field(default_factory=OkxState)
    discord: DiscordState = field(default_factory=DiscordState)
    lock: threading.RLock = field(default_factory=threading.RLock)

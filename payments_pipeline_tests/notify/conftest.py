"""A simulated Discord over real HTTP, and rows in the outbox as findings.py writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.discord import DiscordChannel
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.conftest import AS_OF

GAP = {
    "report": "activation_gaps",
    "title": "Paid but not active",
    "why": "The user paid and has no access.",
    "what_to_do": "Check the webhook; apply activate_subscription.",
    "severity": "CRITICAL",
    "evidence": {
        "user_id": 17, "username": "kim", "plan": "Pro monthly", "payment_status": "completed",
        "subscription_status": "inactive", "subscription_tier": "free", "expected_tier": "pro",
        "provider": "stripe", "provider_ref": "pi_1", "amount": 19.99, "currency": "USD",
        "paid_at": "2026-11-01T11:00:00+00:00", "reason": "webhook never came",
    },
    "episode": 1,
    "opened_at": "2026-11-01T12:00:00+00:00",
    "report_url": "http://127.0.0.1:3000/assets/reports/activation_gaps",
    "run_id": "4f1c",
}  # fmt: skip


class Wrist:
    """A clock that goes on only when told, or when somebody sleeps by it."""

    def __init__(self) -> None:
        self.now = AS_OF
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Wrist:
    return Wrist()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """Discord without messages and without faults."""
    running.load(SandboxState())
    return running


@pytest.fixture
def channels(sandbox: Sandbox) -> Iterator[dict[str, Channel]]:
    channel = DiscordChannel(sandbox.environment()["DISCORD_WEBHOOK_URL"], sandbox.discord_base, timeout=0.5)
    yield {"discord": channel}
    channel.close()


@pytest.fixture
def finding(engine: Engine) -> Callable[..., int]:
    """Opens a finding and writes its alert, in one transaction."""

    def open_one(fingerprint: str = "f1", channel: str = "discord", **body: Any) -> int:
        with engine.begin() as connection:
            finding_id = connection.execute(
                text(
                    "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, evidence, opened_at,"
                    " last_seen_at, times_seen) VALUES ('activation_gaps', :fingerprint, 1, 'open', 'CRITICAL', '{}',"
                    " :at, :at, 1) RETURNING finding_id"
                ),
                {"fingerprint": fingerprint, "at": AS_OF},
            ).scalar_one()
            notify(connection, "opened", finding_id, channel, **body)
        return int(finding_id)

    return open_one


def notify(connection: Connection, kind: str, finding_id: int | None, channel: str = "discord", **body: Any) -> int:
    """Puts one message into the outbox."""
    whole = GAP | {"finding_id": finding_id} | body
    row = connection.execute(
        text(
            "INSERT INTO recon.notifications (dedupe_key, channel, kind, finding_id, thread_id, severity, body,"
            " next_attempt_at, created_at) VALUES (:key, :channel, :kind, :finding_id, :finding_id, 'CRITICAL',"
            " CAST(:body AS jsonb), :at, :at)"
            " RETURNING notification_id"
        ),
        {
            "key": f"{channel}:{finding_id}:{kind}:{body.get('key', '')}",
            "channel": channel,
            "kind": kind,
            "finding_id": finding_id,
            "body": json.dumps(whole),
            "at": AS_OF,
        },
    )
    return int(row.scalar_one())


def states(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state FROM recon.notifications ORDER BY notification_id"))
        return [row.state for row in rows]


def shown(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Messages as people see them in the channel."""
    return list(sandbox.state.discord.messages.values())

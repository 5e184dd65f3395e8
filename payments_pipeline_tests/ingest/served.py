"""A month of Stripe payments served over HTTP, for tests of what goes wrong on the way into the tables.

Belongs here: what is served, providers that read it, looking at what was stored. Does not belong here: faults.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Account, Provider, Window
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.emptying import emptied

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MONTH = Window(NOW - timedelta(days=30), NOW)
INTENTS = "/v1/payment_intents"
ATTEMPTS = 3
KEY = "sk_test_sandbox"

TABLES = (
    "recon.coverage, recon.watermarks, recon.feed_events, recon.backfills, recon.rejected_objects, recon.raw_json, "
    "recon.stripe_payment_intents, recon.stripe_charges, recon.stripe_refunds, recon.nowpayments_payments, "
    "recon.okx_deposits"
)


class Sleeps(list[float]):
    """Notes what it was asked to wait, and does not wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def fill(sandbox: Sandbox) -> None:
    """Nothing but seven payments, on seven days of the month."""
    sandbox.load(SandboxState(clock=lambda: NOW), FaultPlan())
    life = StripeLife(sandbox.state)
    for number in range(7):
        pay(life, NOW - timedelta(days=20 - number))


def empty(engine: Engine) -> None:
    """Nothing was ever read."""
    with engine.begin() as connection:
        emptied(connection, TABLES.split(", "))


def pay(life: StripeLife, at: datetime) -> str:
    return str(life.succeed(life.create_intent(at=at)["id"], at=at)["id"])


def configured(sandbox: Sandbox, **changes: Any) -> Settings:
    values: dict[str, Any] = {name.lower(): value for name, value in sandbox.environment().items()}
    return load_settings(_env_file=None, **(values | {"http_max_attempts": ATTEMPTS} | changes))


def stripe(sandbox: Sandbox, sleep: Sleeps | None = None, **changes: Any) -> StripeProvider:
    return StripeProvider(configured(sandbox, **changes), lambda: NOW, sleep=Sleeps() if sleep is None else sleep)


def read(
    engine: Engine, provider: Provider, resource: str = "payment_intents", window: Window = MONTH,
    account: Account | None = None,
) -> Coverage:  # fmt: skip
    return snapshot(
        engine, provider, account or provider.identify(), resource, window,
        as_of=NOW, mode="sweep", run_id=None, clock=lambda: NOW,
    )  # fmt: skip


def bring_up(engine: Engine, provider: Provider, *resources: str, now: datetime = NOW) -> list[Coverage]:
    account = provider.identify()
    return incremental(
        engine, provider, account, as_of=now, run_id=None, clock=lambda: now, resources=resources or None
    )


def ids(engine: Engine, table: str = "stripe_payment_intents") -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text(f"SELECT object_id FROM recon.{table}")).scalars())  # noqa: S608


def listed_to(engine: Engine) -> dict[str, datetime]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT resource, listed_to FROM recon.watermarks WHERE listed_to IS NOT NULL"))
        return {row[0]: row[1] for row in found}


def calls(sandbox: Sandbox, path: str = INTENTS) -> int:
    return sum(request.path == path for request in sandbox.requests)

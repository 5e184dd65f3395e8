"""A Stripe account served over HTTP and the project's jobs over it, for tests that run jobs one after the other.

Belongs here: what is served, running a job, looking at what it left. Does not belong here: assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.orchestration.defined import executed

# Ahead of every wall clock, so that the feed's reach is counted from here.
NOW = datetime(2035, 1, 15, 12, 0, tzinfo=UTC)
INTENTS = "stripe_payment_intents"


@dataclass
class Desk:
    """Attributes: now: as of when the next job runs."""

    engine: Engine
    sandbox: Sandbox
    settings: Settings
    instance: dg.DagsterInstance
    now: datetime = NOW
    life: StripeLife = field(init=False)

    def __post_init__(self) -> None:
        self.life = StripeLife(self.sandbox.state)

    def pay(self, at: datetime) -> str:
        return str(self.life.succeed(self.life.create_intent(at=at)["id"], at=at)["id"])

    def run(self, job: str, config: Any = None, **more: Any) -> dg.ExecuteInProcessResult:
        return executed(job, self.settings, self.instance, self.now, config, **more)

    def all(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values).all())

    def stored(self, table: str = INTENTS) -> set[str]:
        return {row.object_id for row in self.all(f"SELECT object_id FROM recon.{table}")}  # noqa: S608

    def poison(self, intent: str, **changes: Any) -> None:
        with self.sandbox.state.lock:
            store = self.sandbox.state.stripe.payment_intents
            store[intent] = {**store[intent], **changes}


@contextmanager
def stripe_desk(engine: Engine, settings: Settings, instance: dg.DagsterInstance, **changes: Any) -> Iterator[Desk]:
    """Only Stripe is configured.

    Args:
        changes: further settings.
    """
    with Sandbox(SandboxState(clock=lambda: NOW), FaultPlan()) as sandbox:
        served: dict[str, Any] = {
            name.lower(): value for name, value in sandbox.environment().items() if name.startswith("STRIPE")
        }
        assert settings.database_url is not None
        own = {
            "database_url": settings.database_url.get_secret_value(),
            "payments_home": settings.payments_home,
            "http_max_attempts": 1,
        }
        yield Desk(engine, sandbox, load_settings(_env_file=None, **(served | own | changes)), instance)


def observations(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    """Metadata of the observations that a run logged, with the asset's name."""
    found = []
    for event in result.all_events:
        if event.is_asset_observation:
            seen = event.asset_observation_data.asset_observation
            found.append({"asset": seen.asset_key.to_user_string()} | _plain(seen.metadata))
    return found


def metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    """Metadata of the asset that a node made."""
    (made,) = result.asset_materializations_for_node(node)
    return _plain(made.metadata)


def _plain(values: Any) -> dict[str, Any]:
    return {name: value.value for name, value in values.items()}

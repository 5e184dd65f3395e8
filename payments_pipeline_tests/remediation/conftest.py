"""A small town in a real database: plans, a user, a payment, the provider's word on it, and the finding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from payments_pipeline.config import Settings
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.remediation.teller import Teller, served
from payments_pipeline_tests.remediation.town import PLANS, Town


@pytest.fixture
def town(engine: Engine) -> Town:
    town = Town(engine)
    for period, plan_id in PLANS.items():
        town.run(
            "INSERT INTO public.plans (id, name, tier, period, price, currency)"
            " VALUES (:id, :name, 'pro', :period, 19.99, 'usd')",
            id=plan_id,
            name=f"Pro {period}",
            period=period,
        )
    return town


@pytest.fixture
def teller(engine: Engine, town: Town, settings: Settings) -> Iterator[Teller]:
    """The town's Stripe account; a call is given up after a second."""
    with Sandbox(SandboxState()) as sandbox:
        yield Teller(engine, town, sandbox, served(settings, sandbox, 1.0))

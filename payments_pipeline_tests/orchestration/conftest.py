"""A Dagster instance in memory, and a served Stripe account to run jobs over."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import Engine

from payments_pipeline.config import Settings
from payments_pipeline.local_instance import in_memory
from payments_pipeline_tests.orchestration.stripe_desk import Desk, stripe_desk


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as instance:
        yield instance


@pytest.fixture
def desk(engine: Engine, settings: Settings, instance: dg.DagsterInstance) -> Iterator[Desk]:
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    with stripe_desk(engine, settings, instance) as desk:
        yield desk
    logger.setLevel(before)

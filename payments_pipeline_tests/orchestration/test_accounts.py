"""The asset of a resource reads every configured account, and says of each what its reading is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.assets.snapshots import snapshot_assets
from payments_pipeline.checks import unread
from payments_pipeline.config import Settings, load_settings
from payments_pipeline.ingest.coverage import latest
from payments_pipeline.local_instance import in_memory
from payments_pipeline.resources import default_resources
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.conftest import AS_OF

STORED = text("SELECT account, complete, error FROM recon.coverage ORDER BY coverage_id")


@pytest.fixture
def sandboxes() -> Iterator[list[Sandbox]]:
    states = [SandboxState(), SandboxState()]
    for number, state in enumerate(states):
        state.stripe.account_id, state.stripe.api_keys = f"acct_{number}", {f"sk_test_{number}"}
    with Sandbox(states[0]) as first, Sandbox(states[1]) as second:
        yield [first, second]


def settings_of(settings: Settings, sandboxes: list[Sandbox], **second: Any) -> Settings:
    first, other = sandboxes
    entry = {"provider": "stripe", "name": "other", "api_key": "sk_test_1", "api_base": other.stripe_base} | second
    assert settings.database_url is not None
    return load_settings(
        _env_file=None,
        database_url=settings.database_url.get_secret_value(),
        payments_home=settings.payments_home,
        stripe_api_key="sk_test_0",
        stripe_api_base=first.stripe_base,
        provider_accounts=[entry],
        http_max_attempts=1,
    )


def metadata_of(settings: Settings) -> dict[str, Any]:
    """Materialise the refunds; the asset's metadata as plain values."""
    (asset,) = [
        one
        for one in snapshot_assets(frozenset({"stripe"}))
        if isinstance(one, dg.AssetsDefinition) and one.key == dg.AssetKey("stripe_refunds")
    ]
    with in_memory() as instance:
        result = dg.materialize([asset], instance=instance, resources=default_resources(settings, AS_OF))
    (made,) = result.asset_materializations_for_node("stripe_refunds")
    return {name: value.value for name, value in made.metadata.items()}


def problems(engine: Engine) -> dict[tuple[str, str], str]:
    with engine.connect() as connection:
        fetches = latest(connection)
    return unread([("stripe", "refunds")], fetches)


def test_each_account_is_read_and_told_apart(engine: Engine, settings: Settings, sandboxes: list[Sandbox]) -> None:
    metadata = metadata_of(settings_of(settings, sandboxes))

    assert metadata["complete"]
    assert metadata["default/account"] == "acct_0"
    assert metadata["other/account"] == "acct_1"
    with engine.connect() as connection:
        assert [(row.account, row.complete) for row in connection.execute(STORED)] == [
            ("acct_0", True),
            ("acct_1", True),
        ]


def test_an_account_that_refuses_its_key_leaves_the_other_but_withdraws_trust_until_it_is_read(
    engine: Engine, settings: Settings, sandboxes: list[Sandbox]
) -> None:
    several = settings_of(settings, sandboxes)
    sandboxes[1].state.stripe.api_keys.clear()

    metadata = metadata_of(several)

    assert not metadata["complete"]
    assert metadata["default/complete"]
    assert "other: stripe refused the credentials" in metadata["error"]
    assert "refused" in problems(engine)["stripe", "refunds"]

    sandboxes[1].state.stripe.api_keys.add("sk_test_1")
    assert metadata_of(several)["complete"]
    assert problems(engine) == {}


def test_an_account_known_by_its_id_loses_only_its_own_certificate(
    engine: Engine, settings: Settings, sandboxes: list[Sandbox]
) -> None:
    several = settings_of(settings, sandboxes, account="acct_1")
    assert metadata_of(several)["complete"]
    sandboxes[1].state.stripe.api_keys.clear()

    assert not metadata_of(several)["complete"]

    with engine.connect() as connection:
        last = [(row.account, row.complete) for row in connection.execute(STORED)][-2:]
    assert last == [("acct_0", True), ("acct_1", False)]

"""Every provider resource is an asset that says all of itself; a sweep shows what it found and what is missing."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from payments_pipeline.assets.presentation import OWNERS
from payments_pipeline.checks import COMPLETE, NO_DUPLICATES, ONE_MODE, READABLE
from payments_pipeline.config import load_settings
from payments_pipeline.definitions import build_defs
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.orchestration.stripe_desk import INTENTS, NOW, Desk, metadata

NIGHTLY = "nightly_reconciliation"


@pytest.fixture(scope="module")
def everything() -> dg.Definitions:
    keys = {"stripe_api_key": "sk_test_1", "nowpayments_api_key": "k", "okx_api_key": "k"}
    return build_defs(default_resources(load_settings(_env_file=None, **keys)))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.table)
def test_each_resource_is_an_asset_with_columns_kinds_owners_freshness_and_checks(
    everything: dg.Definitions, spec: ResourceSpec
) -> None:
    key = dg.AssetKey(spec.table)
    asset = everything.resolve_assets_def(key).get_asset_spec(key)
    columns = {column.name for column in asset.metadata["dagster/column_schema"].columns}
    assert {*spec.columns, "account", "livemode", "read_at", "digest", "vanished_at"} == columns - {"seen"}
    assert asset.metadata["dagster/table_name"] == f"recon.{spec.table}"
    assert asset.kinds == {spec.provider, "postgres"}
    assert list(asset.owners) == OWNERS
    assert asset.freshness_policy is not None
    assert asset.group_name == "providers"
    assert spec.description in (asset.description or "")
    graph = everything.resolve_asset_graph()
    checks = {one.name: graph.get_check_spec(one) for one in graph.get_check_keys_for_assets({key})}
    assert {name: one.blocking for name, one in checks.items()} == {
        COMPLETE: False, READABLE: False, ONE_MODE: True, NO_DUPLICATES: True,
    }  # fmt: skip


def test_a_night_shows_what_the_feed_missed_no_gaps_and_the_watermark(desk: Desk) -> None:
    intent = desk.life.succeed(desk.life.create_intent(at=NOW - timedelta(days=3))["id"], at=NOW - timedelta(days=3))
    assert desk.run("ingest_changes").success
    desk.now += timedelta(hours=1)
    desk.life.refund(intent["latest_charge"], at=NOW + timedelta(minutes=10), event=False)

    shown = metadata(desk.run(NIGHTLY), INTENTS)

    assert shown["missed_by_feed"] == 1
    assert shown["gaps"] == 0
    assert shown["gaps_in_coverage"] == "none: every creation time was read"
    assert shown["watermark"] == desk.now.timestamp()


def test_times_that_nobody_read_are_listed_on_the_assets_page(desk: Desk) -> None:
    desk.run(NIGHTLY)
    desk.now += timedelta(days=100)
    shown = metadata(desk.run(NIGHTLY), INTENTS)

    assert shown["gaps"] == 1
    assert f"| {NOW:%Y-%m-%d %H:%M:%S} |" in shown["gaps_in_coverage"]
    assert "10 days, 0:00:00" in shown["gaps_in_coverage"]
    assert shown["missed_by_feed"] == "not counted"


def test_an_account_read_in_the_other_mode_is_refused_and_no_longer_trusted(desk: Desk) -> None:
    desk.pay(NOW - timedelta(days=1))
    assert metadata(desk.run(NIGHTLY), INTENTS)["complete"]
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE recon.coverage SET livemode = TRUE")

    shown = metadata(desk.run(NIGHTLY), INTENTS)

    assert not shown["complete"]
    assert "was read in live mode before" in shown["error"]
    (newest,) = desk.all(
        "SELECT complete, missed_by_feed FROM recon.coverage WHERE resource = 'payment_intents' "
        "ORDER BY coverage_id DESC LIMIT 1"
    )
    assert (newest.complete, newest.missed_by_feed) == (False, None)


def test_a_poisoned_object_is_a_warning_and_the_night_goes_on(desk: Desk) -> None:
    good, bad = desk.pay(NOW - timedelta(days=1)), desk.pay(NOW - timedelta(days=2))
    desk.poison(bad, amount=None)

    result = desk.run(NIGHTLY)

    assert result.success
    assert metadata(result, INTENTS)["rejected"] == 1
    checks = {
        one.check_name: one for one in result.get_asset_check_evaluations() if one.asset_key == dg.AssetKey(INTENTS)
    }
    assert checks[COMPLETE].passed
    assert not checks[READABLE].passed
    assert checks[READABLE].severity is dg.AssetCheckSeverity.WARN
    assert bad in (checks[READABLE].description or "")
    assert desk.stored() == {good}

"""Dagster assets, one module a stage: application, snapshots, canonical, reports, findings. Each body decides nothing:
it calls one function of a lower layer and says in metadata what that function answered.
"""

from collections.abc import Mapping

import dagster as dg

from payments_pipeline.assets.application import application_specs
from payments_pipeline.assets.canonical import provider_transactions
from payments_pipeline.assets.changes import provider_changes
from payments_pipeline.assets.deliveries import KEY as DELIVERIES
from payments_pipeline.assets.deliveries import deliveries
from payments_pipeline.assets.deposit_matches import deposit_matches
from payments_pipeline.assets.entitlements import entitlements
from payments_pipeline.assets.findings import finding_assets, findings_overview
from payments_pipeline.assets.health import KEY as HEALTH
from payments_pipeline.assets.health import health
from payments_pipeline.assets.intraday import KEY as INTRADAY
from payments_pipeline.assets.intraday import intraday_asset
from payments_pipeline.assets.open_crypto import KEY as OPEN_CRYPTO
from payments_pipeline.assets.open_crypto import open_crypto_payments
from payments_pipeline.assets.reports import report_asset
from payments_pipeline.assets.snapshots import snapshot_assets
from payments_pipeline.assets.stats import stat_assets
from payments_pipeline.reports import Report

BETWEEN_NIGHTS = (OPEN_CRYPTO, HEALTH, INTRADAY, DELIVERIES)
"""What only runs between two nights make; see the modules of each for what the night does instead."""


def all_assets(
    configured: frozenset[str], reports: Mapping[str, Report], sensors: Mapping[str, int]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset of the project.

    Args:
        configured: providers that have credentials; the others' tables are shown, but can't be materialised.
        reports: by name.
        sensors: names of all sensors with the seconds between two ticks, for the watchdog.
    """
    return [
        *application_specs(),
        *snapshot_assets(configured),
        provider_changes,
        open_crypto_payments,
        provider_transactions,
        entitlements,
        deposit_matches,
        *(report_asset(report) for report in reports.values()),
        intraday_asset(reports),
        *finding_assets(reports),
        findings_overview(reports),
        *stat_assets(),
        health(sensors),
        deliveries(reports, HEALTH, INTRADAY),
    ]

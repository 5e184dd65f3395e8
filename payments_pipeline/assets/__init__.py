"""Dagster assets, one module a stage: application, snapshots, canonical, reports, findings. Each body decides nothing:
it calls one function of a lower layer and says in metadata what that function answered.
"""

from collections.abc import Mapping

import dagster as dg

from payments_pipeline.assets.application import application_specs
from payments_pipeline.assets.canonical import provider_transactions
from payments_pipeline.assets.changes import provider_changes
from payments_pipeline.assets.deposit_matches import deposit_matches
from payments_pipeline.assets.entitlements import entitlements
from payments_pipeline.assets.findings import finding_assets, findings_overview
from payments_pipeline.assets.reports import report_asset
from payments_pipeline.assets.snapshots import snapshot_assets
from payments_pipeline.reports import Report


def all_assets(configured: frozenset[str], reports: Mapping[str, Report]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset of the project.

    Args:
        configured: providers that have credentials; the others' tables are shown, but can't be materialised.
        reports: by name.
    """
    return [
        *application_specs(),
        *snapshot_assets(configured),
        provider_changes,
        provider_transactions,
        entitlements,
        deposit_matches,
        *(report_asset(report) for report in reports.values()),
        *finding_assets(reports),
        findings_overview(reports),
    ]

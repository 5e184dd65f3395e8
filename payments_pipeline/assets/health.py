"""How we ourselves are: the watchdog's looks as a table, as checks and as findings.

Belongs here: running the looks and showing them. Does not belong here: the looks (`watchdog/`). It can't tell of the
daemon's own death, because then it does not run: `payments-pipeline health` does, called from outside.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import dagster as dg

from payments_pipeline.assets.presentation import OWNERS, preview, table_schema
from payments_pipeline.config import Settings
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.watchdog import Look, Sight, keep, looks
from payments_pipeline.watchdog.rounds import KINDS

KEY = "health"
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=30), warn_window=timedelta(minutes=15))


def health(sensors: Mapping[str, int]) -> dg.AssetsDefinition:
    """The asset.

    Args:
        sensors: names of the project's sensors with the seconds between two ticks.
    """

    @dg.asset(
        name=KEY,
        group_name="findings",
        description=(
            "Whether what must happen by itself does: the night's run, readings of the providers, webhooks, sensors, "
            "the outbox, clocks. What is amiss is a finding, is told, and resolves by itself. Every five minutes."
        ),
        kinds={"postgres"},
        owners=OWNERS,
        freshness_policy=FRESH,
        metadata={"dagster/table_name": "recon.findings", "dagster/column_schema": table_schema("findings")},
        check_specs=[dg.AssetCheckSpec(kind.name, asset=KEY, description=f"No: {kind.title}.") for kind in KINDS],
    )
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants it bare where there are checks
        """One round of the watchdog."""
        sight = Sight(database.engine, context.instance, settings, clock.present(), sensors)
        found = looks(sight)
        keep(sight, found, context.run.run_id)
        return dg.MaterializeResult(
            metadata={
                "amiss": sum(len(one.amiss) for one in found),
                "looks": preview([{"look": one.name, "state": one.problem or "well"} for one in found]),
            },
            check_results=results(found),
        )

    return build


def results(found: Sequence[Look]) -> list[dg.AssetCheckResult]:
    """A check a look."""
    return [
        dg.AssetCheckResult(
            check_name=one.name,
            asset_key=KEY,
            passed=not one.amiss,
            severity=dg.AssetCheckSeverity.WARN,
            description=one.problem or None,
        )
        for one in found
    ]

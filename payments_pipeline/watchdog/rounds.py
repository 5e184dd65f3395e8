"""All looks of the watchdog in one round, and their findings.

Belongs here: which looks there are, what each is called and told as. Does not belong here: a look itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from sqlalchemy import Engine

from payments_pipeline.findings import Amiss, Watch, keep_watch, raise_finding
from payments_pipeline.findings.watching import UNDELIVERED
from payments_pipeline.watchdog import machinery, stores
from payments_pipeline.watchdog.sight import Sight

HEALTH_PAGE = "assets/health"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look of the watchdog saw.

    Attributes:
        amiss: by the finding's key; empty: all is well.
        what_to_do: where something is amiss.
    """

    name: str
    title: str
    amiss: Mapping[str, Amiss]
    what_to_do: str = ""

    @property
    def problem(self) -> str:
        """One line; empty when all is well."""
        return "; ".join(f"{key}: {one.evidence.get('reason', 'amiss')}" for key, one in sorted(self.amiss.items()))


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    title: str
    look: Callable[[Sight], dict[str, Amiss]]
    why: str
    what_to_do: str
    page: str = HEALTH_PAGE
    has_findings: bool = True


KINDS = (
    _Kind(
        "daemon_silent",
        "A part of dagster-daemon is not alive",
        machinery.daemons,
        "Without it no schedule, no sensor and no queued run starts, and nobody is told of anything.",
        "Look at the daemon's log and restart it; the payments-pipeline health command says when it is back.",
    ),
    _Kind(
        "nightly_run",
        "The nightly reconciliation did not run, or failed",
        machinery.night,
        "What a night does not look at stays unseen until the next.",
        "Open the run; the first step in red says what is wrong. Mend it and launch nightly_reconciliation by hand.",
    ),
    _Kind(
        "failed_runs",
        "Runs of a job fail",
        machinery.failed,
        "What the job is for is not done until a run of it succeeds.",
        "Open the run; the first step in red says what is wrong. It is over when the next run of the job succeeds.",
    ),
    _Kind(
        "provider_feed_stale",
        "A provider was not read for long",
        stores.feeds,
        "Findings of that provider neither open nor resolve; a payer without access is not noticed.",
        "Look at the last runs of ingest_changes, the provider's status page and its key.",
        "assets/provider_changes",
    ),
    _Kind(
        stores.SILENCE,
        "No webhooks any more",
        stores.webhooks,
        "",
        "",
        has_findings=False,  # the report has its own, which the watchdog's job refreshes
    ),
    _Kind(
        "sensor_silent",
        "A sensor does not tick",
        machinery.sensors,
        "What it watches happens without anybody noticing.",
        "Open the sensor's page: its last ticks say why. Turn it on, or restart dagster-daemon.",
    ),
    _Kind(
        "outbox_growing",
        "Alerts wait to be sent",
        stores.outbox,
        "Who relies on them does not know yet.",
        "Look at the last runs of deliver_alerts; a channel that is down says why there.",
    ),
    _Kind(
        "clock_skew",
        "Our clock is off",
        stores.clocks,
        "Ages, grace periods and deadlines are judged wrongly; OKX refuses requests that are 30 seconds off.",
        "Turn on NTP on this machine and the database's.",
    ),
)
_WITH_FINDINGS = {kind.name: kind for kind in KINDS if kind.has_findings}
WATCHES = frozenset({*_WITH_FINDINGS, UNDELIVERED})
"""Names under which findings go that no report makes."""


def looks(sight: Sight) -> list[Look]:
    """Look at everything; changes nothing."""
    return [Look(kind.name, kind.title, kind.look(sight), kind.what_to_do) for kind in KINDS]


def keep(sight: Sight, found: Sequence[Look], run_id: str | None) -> None:
    """Bring findings in line with what was seen: opened, refreshed, and resolved by themselves."""
    for one in found:
        if one.name in _WITH_FINDINGS:
            watch = watch_of(one.name, sight.settings.dagster_ui_url)
            with sight.engine.begin() as connection:
                keep_watch(connection, watch, one.amiss, at=sight.now, run_id=run_id)


def run_ended_badly(  # noqa: PLR0917  (what is known of a run)
    engine: Engine, ui_url: str, job: str, run_id: str, error: str, at: datetime
) -> None:
    """A finding at once, for who can't wait for the next round; of a job that failed before: seen once more."""
    night = job == machinery.NIGHTLY
    watch = watch_of("nightly_run" if night else "failed_runs", ui_url)
    status = dg.DagsterRunStatus.FAILURE
    amiss = machinery.night_failure(status, run_id) if night else machinery.run_failure(job, run_id, error)
    with engine.begin() as connection:
        raise_finding(connection, watch, "nightly" if night else job, amiss, at=at, run_id=run_id)


def watch_of(name: str, ui_url: str) -> Watch:
    """What messages say about findings of this look."""
    kind = _WITH_FINDINGS[name]
    return Watch(kind.name, kind.title, kind.why, kind.what_to_do, f"{ui_url.rstrip('/')}/{kind.page}")

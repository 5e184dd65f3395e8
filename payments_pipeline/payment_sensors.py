"""Sensors that watch payments between two nights: payers without access, crypto payments that wait for their money.

Belongs here: for each one indexed query, a pure function that decides, and a thin tick around both, as in sensors.py.
Does not belong here: what is wrong with a payment; the reports decide, in the runs that start here. What a tick
remembers only saves runs: without it the last hour is looked at once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg
import orjson

from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.intraday_jobs import CRYPTO, CRYPTO_JOB, PROBE_JOB
from payments_pipeline.jobs import ACTIVATION_REPORT, PROBED
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.repair_jobs import in_earnest
from payments_pipeline.reports import Report
from payments_pipeline.resources import ClockResource, DatabaseResource
from payments_pipeline.schedules import UNDER_WAY

RUNNING = dg.DefaultSensorStatus.RUNNING
# The daemon looks at its sensors every 5 seconds; with 5 here, one that comes a moment early would wait for 10.
PROBE_SECONDS = 4
FIRST_LOOK = timedelta(hours=1)
# A payment may be committed after its time of change: so long is it still noticed.
COMMIT_LATE = timedelta(minutes=2)
SUSPECTS_MOST = 500
# A probe that did not come to judge gets a successor, at first after this time, then after twice as long.
ANOTHER_AFTER = timedelta(minutes=2)
ANOTHER_MOST = timedelta(hours=1)
# NOWPayments keeps a payment open for a week; later deposits are the nightly run's.
CRYPTO_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A payment whose user may lack what was paid for, and when the application changed it last."""

    payment_id: str
    updated_at: datetime

    @property
    def mark(self) -> str:
        """Tells this change of this payment from all others."""
        return f"{self.payment_id}@{int(self.updated_at.timestamp() * 1_000_000)}"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a tick remembers.

    Attributes:
        until: up to when payments were looked at.
        asked: marks of suspects for which a probe was started.
        asked_at: when the last probe was started.
        attempt: how often a probe was started again because none came to judge.
    """

    until: datetime
    asked: frozenset[str] = frozenset()
    asked_at: datetime | None = None
    attempt: int = 0

    def written(self) -> str:
        """As a cursor."""
        return orjson.dumps(
            {
                "until": self.until,
                "asked": sorted(self.asked),
                "asked_at": self.asked_at,
                "attempt": self.attempt,
            }
        ).decode()

    @staticmethod
    def read(cursor: str | None) -> Memory | None:
        """From a cursor; None when there is none, or none of ours."""
        try:
            kept = orjson.loads(cursor or "")
            asked_at = kept["asked_at"] and datetime.fromisoformat(kept["asked_at"])
            until = datetime.fromisoformat(kept["until"])
            return Memory(until, frozenset(kept["asked"]), asked_at, kept["attempt"])
        except (ValueError, TypeError, KeyError):
            return None


def grace(reports: Mapping[str, Report], overrides: Mapping[str, Mapping[str, object]]) -> timedelta:
    """How long a payment is left to its webhook: the shortest of the reports that the probe runs."""
    seconds = [
        float(str({**reports[name].params, **overrides.get(name, {})}.get("grace_seconds", 0)))
        for name in PROBED
        if name in reports
    ]
    return timedelta(seconds=min(seconds, default=0))


def window(memory: Memory | None, until: datetime) -> tuple[datetime, datetime]:
    """Which changes a tick looks at, those once more that may have been committed late."""
    since = until - FIRST_LOOK if memory is None else memory.until - COMMIT_LATE
    return min(since, until), until


def probe(
    memory: Memory | None,
    suspects: Sequence[Suspect],
    judged_at: datetime | None,
    *,
    now: datetime,
    until: datetime,
    run_config: Mapping[str, object] | None = None,
) -> tuple[dg.RunRequest | dg.SkipReason, Memory]:
    """One probe for all suspects that are new, or one more where the last never came to judge.

    Args:
        suspects: in the window, oldest first.
        judged_at: time of judgement of the report's last run.
        run_config: of the probe's run.
    """
    last = memory or Memory(until)
    new = [one for one in suspects if one.mark not in last.asked]
    marks = frozenset(one.mark for one in suspects)
    if new:
        digest = sha256(",".join(sorted(one.mark for one in new)).encode()).hexdigest()[:16]
        key = f"activation:{new[-1].payment_id}+{len(new) - 1}:{digest}"
        return dg.RunRequest(run_key=key, run_config=dict(run_config or {})), Memory(until, marks, now, 0)
    unjudged = last.asked_at is not None and (judged_at is None or judged_at < last.asked_at)
    if unjudged and last.asked_at is not None:
        if now - last.asked_at < min(ANOTHER_AFTER * 2 ** min(last.attempt, 10), ANOTHER_MOST):
            return dg.SkipReason("The probe is under way."), Memory(until, marks, last.asked_at, last.attempt)
        key = f"activation:again:{int(last.asked_at.timestamp())}:{last.attempt + 1}"
        return dg.RunRequest(run_key=key, run_config=dict(run_config or {})), Memory(
            until, marks, now, last.attempt + 1
        )
    return dg.SkipReason("Every payer of this window has access, or was looked at."), Memory(until, marks)


def activation_sensor(reports: Mapping[str, Report]) -> dg.SensorDefinition:
    """The sensor that starts the activation probe."""

    @dg.sensor(
        name="activation_probe",
        job_name=PROBE_JOB,
        minimum_interval_seconds=PROBE_SECONDS,
        default_status=RUNNING,
        description=(
            "Looks every 5 seconds at payments that changed: a payer without access starts the activation probe, which "
            "judges and tells in the same run."
        ),
    )
    def activation_probe(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        clock: ClockResource,
        database: DatabaseResource,
    ) -> dg.SensorResult:
        memory, now = Memory.read(context.cursor), clock.now()
        since, until = window(memory, now - grace(reports, settings.report_params))
        asked = {"since": since, "until": until, "report": ACTIVATION_REPORT, "max_rows": SUSPECTS_MOST}
        with database.connect() as connection:
            rows = connection.execute(named("sensors/activation_suspects.sql"), asked).all()
        suspects = [Suspect(row.payment_id, row.updated_at) for row in rows if row.payment_id is not None]
        judged_at = rows[0].judged_at if rows else None
        config = in_earnest(*PROBED)
        request, kept = probe(memory, suspects, judged_at, now=now, until=until, run_config=config)
        if isinstance(request, dg.SkipReason):
            return dg.SensorResult(skip_reason=request, cursor=kept.written())
        return dg.SensorResult(run_requests=[request], cursor=kept.written())

    return activation_probe


@dg.sensor(
    job_name=CRYPTO_JOB,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description=(
        "While a crypto payment of the last days waits for its money: asks NOWPayments and OKX once a minute. On by "
        "default: it reads, tells, and repairs only what policy lets be repaired by itself."
    ),
)
def open_crypto_payments(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: ClockResource,
    database: DatabaseResource,
) -> dg.RunRequest | dg.SkipReason:
    """Crypto payments that wait for their money."""
    providers = sorted(CRYPTO & configured_providers(settings))
    if not providers:
        return dg.SkipReason("No crypto provider is configured: see .env.example.")
    now = clock.now()
    asked = {"since": now - CRYPTO_AGE, "providers": providers}
    with database.connect() as connection:
        if not connection.execute(named("sensors/open_crypto.sql"), asked).scalar_one():
            return dg.SkipReason("No crypto payment waits for its money.")
    if context.instance.get_runs(dg.RunsFilter(job_name=CRYPTO_JOB, statuses=UNDER_WAY), limit=1):
        return dg.SkipReason("The run before has not ended.")
    # By the wall clock, which ticks also where the pipeline judges as of a fixed time.
    minute = int(datetime.now(UTC).timestamp()) // 60
    return dg.RunRequest(run_key=f"crypto:{minute}", run_config=in_earnest())

"""A Dagster instance on disk, our database, and ways to say what happened in either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.watchdog import Look, Sight, looks
from payments_pipeline_tests.reports.ledger import Ledger


@dataclass
class House:
    """Attributes: now: of the next look; sensors: names with seconds between ticks."""

    engine: Engine
    settings: Settings
    instance: dg.DagsterInstance
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    sensors: dict[str, int] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)

    def sight(self) -> Sight:
        def own_clock() -> datetime:
            return datetime.now(UTC) + self.ahead

        return Sight(self.engine, self.instance, self.settings, self.now, self.sensors, own_clock)

    def amiss(self, look: str) -> dict[str, tuple[str, str]]:
        """Severity and reason by key, of one look."""
        (found,) = [one for one in self.all() if one.name == look]
        return {key: (one.severity, str(one.evidence["reason"])) for key, one in found.amiss.items()}

    def all(self) -> list[Look]:
        return looks(self.sight())

    def night(self, status: dg.DagsterRunStatus) -> str:
        """A nightly run, just now."""
        return self.instance.add_run(dg.DagsterRun(job_name="nightly_reconciliation", status=status)).run_id

    def alive(self) -> None:
        """All of the daemon says so."""
        for kind in self.instance.get_required_daemon_types():
            self.instance.add_daemon_heartbeat(DaemonHeartbeat(self.now.timestamp(), kind, "here", []))

    def ticked(self, sensor: str, at: datetime, *, on: bool = True, failed: int = 0) -> None:
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
        origin = RemoteInstigatorOrigin(repository, sensor)
        status = InstigatorStatus.DECLARED_IN_CODE if on else InstigatorStatus.STOPPED
        state = InstigatorState(
            origin, InstigatorType.SENSOR, status, SensorInstigatorData(last_tick_timestamp=at.timestamp())
        )
        self.instance.add_instigator_state(state)
        for _ in range(failed):
            self.instance.create_tick(
                TickData(
                    state.instigator_origin_id, sensor, InstigatorType.SENSOR, TickStatus.FAILURE, at.timestamp(),
                    error=SerializableErrorInfo("no", [], None), selector_id=state.selector_id,
                )
            )  # fmt: skip

    def read(self, **providers: bool) -> None:
        """All that reports need of these providers was read just now, in full or not."""
        Ledger(self.engine).read_in_full(**providers)
        self.write("UPDATE recon.coverage SET finished_at = :now WHERE finished_at < :now - interval '1 day'")

    def write(self, sql: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), {"now": self.now, **values})

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql)).all())


@pytest.fixture
def house(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[House]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield House(engine, settings, instance)

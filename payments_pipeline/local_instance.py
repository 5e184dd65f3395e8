"""A Dagster instance in memory for runs in this process, as Dagster's own ephemeral one but quicker.

Belongs here: keeping connections open. Dagster's opens one anew for every statement, four thousand of them in a night,
which is a fifth of the CPU of a small one. Does not belong here: what runs on it.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool


class _Events(InMemoryEventLogStorage):
    def __init__(self) -> None:
        super().__init__()
        self._engine = _pooled(self._engine)


class _Runs(InMemoryRunStorage):
    def __init__(self) -> None:
        super().__init__()
        self._engine = _pooled(self._engine)


def in_memory() -> dg.DagsterInstance:
    """An instance that is gone with its process; to be closed, as every other."""
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
        run_storage=_Runs(),
        event_storage=_Events(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    )


def _pooled(engine: Engine) -> Engine:
    """The same database; the connection that Dagster holds on it keeps it alive meanwhile."""
    return create_engine(engine.url, poolclass=QueuePool, connect_args={"check_same_thread": False})

"""A Dagster instance in memory for runs in this process, as Dagster's own ephemeral one but quicker.

Belongs here: keeping connections open, and what was asked before. Dagster's opens a connection anew for every statement
and sets it up with two more, four thousand times in a night; and every step of a run asks again what its inputs were
last made of. Together that is two fifths of the CPU of a small night. Does not belong here: what runs on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.base import AssetRecord
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.pool import QueuePool


class _Events(InMemoryEventLogStorage):
    """Events on one connection: Dagster's lock lets one thread at a time use it."""

    def __init__(self) -> None:
        super().__init__()
        self._engine = _pooled(self._engine)
        self._only = self._engine.connect()
        self._tables = frozenset(inspect(self._engine).get_table_names())
        self._records: dict[dg.AssetKey, AssetRecord | None] = {}

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._db_lock, self._only.begin():
            yield self._only

    def has_table(self, table_name: str) -> bool:
        return table_name in self._tables  # a schema in memory is the newest, and stays as it was made

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:  # noqa: ARG002
        return True  # the same

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[AssetRecord]:
        """What is known of these assets; of those that nothing happened to since the last time, without a query."""
        if asset_keys is None:
            return super().get_asset_records()
        unknown = [key for key in asset_keys if key not in self._records]
        if unknown:
            found = {record.asset_entry.asset_key: record for record in super().get_asset_records(unknown)}
            self._records |= {key: found.get(key) for key in unknown}
        records = (self._records[key] for key in sorted(set(asset_keys), key=dg.AssetKey.to_string))
        return [record for record in records if record is not None]

    def store_event(self, event: dg.EventLogEntry) -> None:
        super().store_event(event)  # type: ignore[no-untyped-call]
        if event.dagster_event is not None and event.dagster_event.asset_key is not None:
            self._records.pop(event.dagster_event.asset_key, None)

    def dispose(self) -> None:
        self._only.close()
        super().dispose()  # type: ignore[no-untyped-call]


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

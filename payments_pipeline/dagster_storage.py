"""Where Dagster keeps runs, events and schedules: dagster-postgres, on the project's own server.

Belongs here: finding that database, for `dagster.yaml`. Does not belong here: anything about the project's tables.
Plain `storage: postgres:` would want its address in the environment of every Dagster command, also of those that only
check definitions; this class asks the project's settings instead, as every other process does. And dagster-postgres
opens a connection anew for every statement, which costs the server more than the statement does.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import Engine, create_engine

from payments_pipeline.config import load_settings
from payments_pipeline.db.engine import dagster_storage_url

ADDRESS = "DAGSTER_POSTGRES_URL"
CHECKING = "DAGSTER_IS_DEFS_VALIDATION_CLI"  # set by `dg check defs`, which stores nothing that anybody needs


class ProjectStorage(DagsterPostgresStorage):
    """dagster-postgres at DAGSTER_POSTGRES_URL; without one, in database `dagster` beside the project's own.

    The address begins with ``postgresql+psycopg2://``: SQLAlchemy 2.1 takes the bare scheme for psycopg 3, which
    dagster-postgres can't use.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url=postgres_url, inst_data=inst_data)
        engine = _engine_for(postgres_url)
        for books in (self._event_log_storage, self._run_storage, self._schedule_storage):
            books._engine = engine  # the web server takes others, with a time-out

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]  # while checking, it is another storage
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003  (Dagster's signature; there is nothing in it)
    ) -> DagsterStorage[Any]:
        """The storage of this process; while definitions are only checked, one that is thrown away.

        Raises:
            ConfigurationError: DATABASE_URL is malformed. TransientError: the embedded server does not start.
        """
        if os.environ.get(CHECKING):
            scratch = tempfile.mkdtemp(prefix="payments_pipeline_check_")
            atexit.register(shutil.rmtree, scratch, ignore_errors=True)
            return DagsterSqliteStorage.from_local(scratch)
        return cls(postgres_url=_address(), inst_data=inst_data)


@cache
def _engine_for(address: str) -> Engine:
    """One pool for all instances of a process. A connection is asked first whether it is still there.

    Nothing waits for a connection, as before: those beyond the first few are opened when needed, and closed after it.
    """
    return create_engine(
        address, isolation_level="AUTOCOMMIT", pool_size=3, max_overflow=-1, pool_pre_ping=True, pool_recycle=3600
    )


def _address() -> str:
    given = os.environ.get(ADDRESS)
    if given:
        return given.replace("postgresql://", "postgresql+psycopg2://", 1)
    return dagster_storage_url(load_settings()).render_as_string(hide_password=False)

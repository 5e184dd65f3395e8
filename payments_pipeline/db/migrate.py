"""Brings a database up to date: Alembic revisions (each a .sql file), then the contract views."""

from __future__ import annotations

from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from payments_pipeline.db.contract import apply_contract
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, sql_root
from payments_pipeline.errors import SchemaError

# Any constant will do as long as nobody else on the server uses it: "payments_pipeline" in ASCII, cut to 63 bits.
UPGRADE_LOCK = 0x7061796D656E7473


def upgrade(engine: Engine, contract_dir: Path | None = None) -> list[str]:
    """Apply what is missing. Safe to repeat; of two at once, one works and the other waits and finds nothing to do.

    Returns:
        What was done, one line each; empty when all was in place.

    Raises:
        SchemaError: the database is newer than this code, or the contract views do not fit the application's tables.
    """
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS recon"))
        before = current_revision(connection)
        config = _config(connection)
        _require_known(before, ScriptDirectory.from_config(config))
        command.upgrade(config, "head")
        after = current_revision(connection)
        views = apply_contract(connection, contract_dir)
    done = [] if before == after else [f"migrated recon from {before or 'nothing'} to {after}"]
    return done + [f"wrote contract view recon.{view}" for view in views]


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None before the first upgrade."""
    options = {"version_table": "schema_version", "version_table_schema": "recon"}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def require_current(connection: Connection) -> None:
    """Fail early, with the remedy, on a database that is not at this code's revision.

    Raises:
        SchemaError: it is not.
    """
    scripts = ScriptDirectory.from_config(_config(connection))
    head, current = scripts.get_current_head(), current_revision(connection)
    _require_known(current, scripts)
    if current != head:
        raise SchemaError(
            f"The database is at revision {current or 'nothing'}, this code needs {head}.",
            where="recon.schema_version",
            remedy="Run: payments-pipeline db upgrade",
        )


def _require_known(revision: str | None, scripts: ScriptDirectory) -> None:
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaError(
            f"The database is at revision {revision}, which this version does not know.",
            where="recon.schema_version",
            remedy="Install the newer payments-pipeline; going back is not supported.",
        )


def run_revision(module_file: str) -> None:
    """Run the .sql file beside a revision's module, inside Alembic's transaction."""
    source = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
    connection = op.get_bind()
    connection.execute(named("migrations/shipping.sql"))
    driver_connection(connection).execute(source.encode())


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(sql_root() / "migrations"))
    config.attributes["connection"] = connection
    return config

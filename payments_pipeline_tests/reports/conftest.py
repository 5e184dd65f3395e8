"""The ledger, on one database for all reports' tests: emptied after each test, which is quicker than a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Engine, create_engine, event

from payments_pipeline_tests.conftest import TEMPLATE
from payments_pipeline_tests.emptying import emptied
from payments_pipeline_tests.reports.ledger import Ledger

# What a report reads or writes, beside the application's own tables.
_OURS = (
    "provider_transactions", "stripe_disputes", "coverage", "report_runs", "stripe_payment_intents", "stripe_payouts",
    "stripe_events", "stripe_payout_items", "stripe_transfers", "stripe_transfer_reversals",
    "stripe_balance_transactions",
    "stripe_refunds", "stripe_charges", "stripe_checkout_sessions", "rejected_objects",
    "nowpayments_payments", "okx_deposits", "deposit_matches", "deposit_match_payments",
)  # fmt: skip
_TABLES = """
    SELECT schemaname || '.' || quote_ident(tablename) AS name, schemaname = 'reports' AS made
    FROM pg_catalog.pg_tables WHERE schemaname IN ('public', 'reports')
"""


@pytest.fixture(scope="package")
def shared_engine(server: URL) -> Iterator[Engine]:
    name = f"test_reports_{os.getpid()}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    names = {"name": sql.Identifier(name), "template": sql.Identifier(TEMPLATE)}
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    engine = create_engine(server.set(database=name))
    event.listen(engine, "connect", lambda connection, _record: connection.execute("SET TIME ZONE 'UTC'"))
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(shared_engine: Engine) -> Iterator[Ledger]:
    yield Ledger(shared_engine)
    with shared_engine.begin() as connection:
        found = list(connection.exec_driver_sql(_TABLES))
        emptied(connection, [*(f"recon.{name}" for name in _OURS), *(one.name for one in found if not one.made)])
        made = ", ".join(one.name for one in found if one.made)
        if made:
            connection.exec_driver_sql(f"DROP TABLE {made}")

"""One database for all tests of the load path: emptied after each, which is quicker than a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Engine, create_engine, event

from payments_pipeline_tests.conftest import TEMPLATE
from payments_pipeline_tests.emptying import emptied

FILLED = (
    "recon.coverage, recon.watermarks, recon.feed_events, recon.backfills, recon.rejected_objects, recon.raw_json, "
    "recon.stripe_payment_intents, recon.stripe_refunds, recon.stripe_charges, recon.stripe_disputes, "
    "recon.stripe_payouts, recon.stripe_transfers, recon.stripe_transfer_reversals, recon.stripe_balance_transactions, "
    "recon.stripe_checkout_sessions, recon.stripe_subscriptions, recon.stripe_customers, recon.stripe_events, "
    "recon.stripe_payout_items, recon.nowpayments_payments, recon.okx_deposits, recon.provider_transactions, "
    "public.users, public.plans, "
    "public.payment_transactions, recon.deposit_matches, recon.deposit_match_payments"
)


@pytest.fixture(scope="package")
def shared_engine(server: URL) -> Iterator[Engine]:
    name = f"test_ingest_{os.getpid()}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    names = {"name": sql.Identifier(name), "template": sql.Identifier(TEMPLATE)}
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    engine = create_engine(server.set(database=name))
    event.listen(engine, "connect", lambda connection, _record: connection.execute("SET TIME ZONE 'UTC'"))
    yield engine
    engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    with shared_engine.begin() as connection:
        emptied(connection, FILLED.split(", "))

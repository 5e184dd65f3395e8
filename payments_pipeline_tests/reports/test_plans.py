"""How PostgreSQL runs the catalogue on a database of some size: kept in plans/, so that a lost index is seen.

`make plans` writes them anew. They are kept whole, for people to read; the test holds the scans of large tables against
them, which a change of PostgreSQL or of a join's order leaves alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from payments_pipeline.db.sql import read_sql, sql_root
from payments_pipeline.reports.marks import moment
from payments_pipeline.reports.materialise import bound_params, bound_query
from payments_pipeline.reports.scope import scoped
from payments_pipeline.reports.touched import collect
from payments_pipeline_tests.conftest import TEMPLATE
from payments_pipeline_tests.reports.effort import executed, nodes, pages
from payments_pipeline_tests.reports.ledger import shipped

PLANS = Path(__file__).parent / "plans"
# No more: of thirty thousand payments ANALYZE reads every row, so that its statistics are the same each time.
USERS = 10_000
# Both begin with the provider and serve a look-up by reference equally well: which one is taken varies with statistics.
TWINS = {"provider_transactions_pkey", "provider_transactions_compare"}
LARGE = {"payment_transactions", "users", "provider_transactions", "webhook_logs", "subscription_events"}
# A plan as at scale: PostgreSQL starts workers by the size of a table, which here is near the border.
STEADY = "SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1; SET work_mem = '32MB'; SET jit = off"

# What every business has some of, and the benchmark's rows have none: money given back, deposits that were matched.
MORE = (
    "UPDATE recon.provider_transactions SET amount_refunded = amount, state = 'refunded'"
    " WHERE provider = 'stripe' AND hashtext(provider_ref) % 50 = 0",
    "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, parent_ref, livemode, state,"
    " raw_status, amount, currency, link_method, provider_created_at, state_changed_at, read_at)"
    " SELECT provider, account, 're_' || provider_ref, 'refund', provider_ref, TRUE, 'refunded', 'succeeded', amount,"
    " currency, 'reference', state_changed_at, state_changed_at, read_at"
    " FROM recon.provider_transactions WHERE state = 'refunded'",
    "INSERT INTO recon.deposit_matches (provider, account, provider_ref, state, payment_ref, method, amount_share,"
    " deviation, outcome, evidence, digest, decided_at)"
    " SELECT provider, account, provider_ref, 'matched', payment_ref, 'exact', amount, 0, 'full', 'amount', 1, read_at"
    " FROM recon.provider_transactions WHERE kind = 'deposit'",
)

CHANGES = (
    "UPDATE public.payment_transactions SET updated_at = :as_of WHERE id % 750 = 7",
    "UPDATE recon.provider_transactions SET read_at = :as_of WHERE hashtext(provider_ref) % 750 = 7",
)
TOUCHED = [name for name, report in shipped().items() if report.scope]
# What the touched tables are made of.
COLLECTED = ("objects", "payments", "transactions", "users")


def million() -> ModuleType:
    """The benchmark's rows."""
    found = spec_from_file_location("million", sql_root().parent / "benchmarks" / "million.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def seeded(server: URL) -> Iterator[Engine]:
    name = f"test_plans_{os.getpid()}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    names = {"name": sql.Identifier(name), "template": sql.Identifier(TEMPLATE)}
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    engine = create_engine(server.set(database=name))
    event.listen(engine, "connect", lambda connection, _record: connection.execute(STEADY))
    rows = million()
    rows.fill(engine, USERS)
    with engine.begin() as filling:
        for statement in MORE:
            filling.execute(text(statement))
    rows.vacuum(engine)
    yield engine
    engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


def plan(connection: Connection, name: str, *, limited: bool = False) -> dict[str, Any]:
    report = shipped()[name]
    query = scoped(report.sql, report.scope) if limited and report.scope else None
    params = bound_params(report, {}) | {"as_of": million().AS_OF}
    found = connection.execute(bound_query(report, "EXPLAIN (FORMAT JSON) ", "", query), params).scalar_one()
    return dict(found[0]["Plan"])


def written(node: dict[str, Any], depth: int = 0) -> list[str]:
    """Node types, tables and indexes, one node a line, without costs."""
    of = [node.get(key) for key in ("Subplan Name", "Join Type", "Relation Name", "CTE Name")]
    using = f" using {node['Index Name']}" if "Index Name" in node else ""
    told = " ".join([node["Node Type"], *(word for word in of if word)]) + using
    return [f"{'  ' * depth}{told}", *(line for part in node.get("Plans", ()) for line in written(part, depth + 1))]


def scans(lines: list[str]) -> Counter[str]:
    """How often each large table is read from end to end, and each of its indexes is used."""
    found: Counter[str] = Counter()
    for line in lines:
        kind, _, index = line.strip().partition(" using ")
        table = kind.rsplit(" ", 1)[-1]
        if kind.startswith("Seq Scan") and table in LARGE:
            found[f"Seq Scan {table}"] += 1
        elif index.startswith(tuple(f"{name}_" for name in LARGE)):
            found[index] += 1
    return found


def lost(kept: list[str], now: list[str]) -> list[str]:
    """What the kept plan looked up by index and this one does not, or reads whole for the first time."""
    before, after = scans(kept), scans(now)
    whole = [scan for scan in after if scan.startswith("Seq") and after[scan] > before[scan]]
    return whole + [index for index in before if not index.startswith("Seq") and index not in after]


@pytest.mark.parametrize("name", shipped())
def test_a_report_reads_large_tables_by_the_indexes_it_did(seeded: Engine, name: str) -> None:
    path = PLANS / f"{name}.txt"
    with seeded.connect() as connection:
        lines = written(plan(connection, name))
    if os.environ.get("PLANS") == "write":
        path.write_text("\n".join(lines) + "\n")
    assert path.is_file(), "no plan is kept: make plans"
    gone = [
        index
        for index in lost(path.read_text().splitlines(), lines)
        if not (index in TWINS and TWINS & {*scans(lines)})
    ]
    assert not gone, f"{name} lost {', '.join(gone)}; if that is meant: make plans"


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("amount_mismatches", {"provider_transactions", "payment_transactions"}),
        ("unknown_payments", {"provider_transactions", "payment_transactions"}),
        ("renewal_gaps", {"users", "payment_transactions"}),
        ("wrong_tier", {"users", "payment_transactions"}),
    ],
)
def test_a_full_compare_reads_two_indexes_side_by_side_and_keeps_neither(
    seeded: Engine, name: str, sides: set[str]
) -> None:
    """Hashed, three million rows do not fit into memory, and what the index has worked out is worked out again."""
    with seeded.connect() as connection:
        found = plan(connection, name)
    merged = [
        {part["Relation Name"] for part in nodes(join) if part["Node Type"].startswith("Index")}
        for join in nodes(found)
        if join["Node Type"] == "Merge Join" and not any(part["Node Type"] == "Sort" for part in nodes(join))
    ]
    assert sides in merged


def test_words_of_the_application_are_found_without_a_look_at_every_payment(seeded: Engine) -> None:
    assert pages(executed(seeded, "unmapped_statuses", million().AS_OF)) < 200


TICKS = sorted(path.stem for path in (sql_root() / "sensors").glob("*.sql"))


@pytest.mark.parametrize("name", TICKS)
def test_a_tick_of_a_sensor_reads_no_large_table_whole(seeded: Engine, name: str) -> None:
    now = million().AS_OF
    asked = {
        "now": now, "since": now - timedelta(minutes=10), "until": now, "report": "activation_gaps", "max_rows": 500,
        "providers": ["nowpayments", "okx"], "channels": ["discord"], "max_attempts": 3,
        "kinds": ["activate_subscription"], "reports": [], "money_kinds": ["capture_payment"],
    }  # fmt: skip
    source = (sql_root() / "sensors" / f"{name}.sql").read_text()
    statement = text(f"EXPLAIN (FORMAT JSON) {source}")
    with seeded.connect() as connection:
        found = connection.execute(statement, asked).scalar_one()
    seen = scans(written(found[0]["Plan"]))
    assert not [scan for scan in seen if scan.startswith("Seq")]


def test_every_kept_plan_is_of_a_report() -> None:
    assert {path.stem for path in PLANS.glob("*.txt")} == set(shipped())
    assert {path.stem for path in (PLANS / "touched").glob("*.txt")} == {*TOUCHED, *COLLECTED}


@pytest.fixture
def touched(seeded: Engine) -> Iterator[Connection]:
    """Forty payments just changed, and what that touches is collected."""
    with seeded.connect() as connection:
        now = moment(connection)
        values = {"since": million().AS_OF - timedelta(minutes=15), "last": million().AS_OF, "as_of": million().AS_OF}
        values |= {"changed_from": now.changed_from}
        for statement in CHANGES:
            connection.execute(text(statement), {"as_of": million().AS_OF} if ":as_of" in statement else {})
        grace, last = timedelta(minutes=5), values["last"]
        found = collect(connection, changed_from=now.changed_from, last=last, as_of=last, grace=grace)
        assert found is not None
        assert found.users >= 13
        connection.info["values"] = values
        yield connection
        connection.rollback()


@pytest.mark.parametrize("name", [*TOUCHED, *COLLECTED])
def test_what_follows_changes_reads_no_large_table_whole(touched: Connection, name: str) -> None:
    if name in TOUCHED:
        lines = written(plan(touched, name, limited=True))
    else:
        made = read_sql(f"reports/touched/create_{name}.sql").split(" AS\n", 1)[1]
        values = {key: value for key, value in touched.info["values"].items() if f":{key}" in made}
        lines = written(touched.execute(text(f"EXPLAIN (FORMAT JSON) {made}"), values).scalar_one()[0]["Plan"])
    path = PLANS / "touched" / f"{name}.txt"
    if os.environ.get("PLANS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    assert [scan for scan in scans(lines) if scan.startswith("Seq")] == []
    gone = [
        index
        for index in lost(path.read_text().splitlines(), lines)
        if not (index in TWINS and TWINS & {*scans(lines)})
    ]
    assert not gone, f"{name} lost {', '.join(gone)}; if that is meant: make plans"


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("public.payment_transactions_not_paid", "out_of_sync_payments"),
        ("recon.provider_transactions_not_paid", "out_of_sync_payments"),
        ("public.payment_transactions_by_reference", "amount_mismatches"),
        ("recon.provider_transactions_compare", "amount_mismatches"),
        ("public.users_has_access", "activation_gaps"),
        ("public.payment_transactions_status_word", "stuck_authorizations"),
    ],
)
def test_a_lost_index_is_seen(seeded: Engine, index: str, name: str) -> None:
    with seeded.connect() as connection:
        connection.execute(text(f"DROP INDEX {index}"))
        now = written(plan(connection, name))
        connection.rollback()
    assert lost((PLANS / f"{name}.txt").read_text().splitlines(), now)

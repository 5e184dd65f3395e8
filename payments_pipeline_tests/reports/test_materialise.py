"""From report to table: all or nothing, also for two at once, and with totals that add up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from payments_pipeline.errors import ReportError
from payments_pipeline.reports import Report, load_reports, materialise
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, shipped

Write = Callable[[str], Report]
LIST = "SELECT v.a, v.b AS severity, v.c AS amount, v.d AS currency FROM (VALUES {}) AS v (a, b, c, d)"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(query: str, front: str = "key: [a]\n") -> Report:
        path = tmp_path / "sample.sql"
        path.write_text(f"/*---\ntitle: Sample\nseverity: LOW\n{front}---*/\n{query}\n")
        return load_reports(tmp_path)["sample"]

    return write


def table(ledger: Ledger, name: str = "sample") -> list[dict[str, Any]]:
    with ledger.engine.connect() as connection:
        return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM reports.{name}").mappings()]  # noqa: S608


def run(ledger: Ledger, report: Report, **overrides: Any) -> Any:
    return materialise(ledger.engine, report, as_of=AS_OF, overrides=overrides, run_id="run_1")


def test_totals_preview_and_history(ledger: Ledger, write: Write) -> None:
    rows = "(1, 'LOW', 1.10, 'EUR'), (2, 'HIGH', 2.20, 'EUR'), (3, NULL, 3.3, 'USD'), (4, 'LOW', 4.4, NULL)"
    result = run(ledger, write(LIST.format(rows)))
    assert (result.rows, result.by_severity) == (4, {"HIGH": 1, "LOW": 3})
    assert result.amount_at_risk == {"EUR": Decimal("3.30"), "USD": Decimal("3.3")}
    assert result.preview[0]["a"] == 2
    with ledger.engine.connect() as connection:
        line = connection.exec_driver_sql("SELECT * FROM recon.report_runs").mappings().one()
    assert (line["report"], line["rows"], line["run_id"], line["as_of"]) == ("sample", 4, "run_1", AS_OF)
    assert line["amount_at_risk"] == {"EUR": "3.30", "USD": "3.3"}
    assert line["by_severity"] == {"HIGH": 1, "LOW": 3}


def test_no_rows_leave_an_empty_table(ledger: Ledger) -> None:
    for name in shipped():
        result = ledger.run(name)
        assert (result.rows, result.amount_at_risk, result.preview) == (0, {}, [])
        assert table(ledger, name) == []


def test_the_fingerprint_depends_on_the_key_alone(ledger: Ledger, write: Write) -> None:
    query = "SELECT * FROM (VALUES ('x', 'y', {0}), ('xy', '', {0}), ('x', NULL, {0})) AS v (a, b, c)"
    seen = []
    for value in (1, 2):
        report = write(query.format(value), "key: [a, b]\n")  # type: ignore[call-arg]
        run(ledger, report)
        seen.append([row["fingerprint"] for row in table(ledger)])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 3


def test_a_failing_query_keeps_the_previous_table_and_says_why(ledger: Ledger, write: Write) -> None:
    run(ledger, write("SELECT 1 AS a"))
    with pytest.raises(ReportError) as caught:
        run(ledger, write("SELECT 1 / (u.user_id - u.user_id) AS a FROM (VALUES (1)) AS u (user_id)"))
    assert "sample.sql failed in PostgreSQL: division by zero." in str(caught.value)
    with pytest.raises(ReportError, match=r"column u\.nonsense does not exist"):
        run(ledger, write("SELECT u.nonsense AS a FROM recon.app_users AS u"))
    assert [row["a"] for row in table(ledger)] == [1]
    with ledger.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM recon.report_runs").scalar() == 1


def test_key_columns_behind_a_star_are_checked_when_it_runs(ledger: Ledger, write: Write) -> None:
    with pytest.raises(ReportError, match="key names a, which the query does not select"):
        run(ledger, write("SELECT * FROM recon.state_map"))


def test_a_severity_nobody_knows_is_refused(ledger: Ledger, write: Write) -> None:
    with pytest.raises(ReportError, match="gives severity 'URGENT'"):
        run(ledger, write("SELECT 1 AS a, 'URGENT' AS severity"))


def test_a_colon_in_text_that_reads_as_a_parameter_is_explained(ledger: Ledger, write: Write) -> None:
    with pytest.raises(ReportError, match=":lost stands in a comment or text"):
        run(ledger, write("SELECT 1 AS a, 'webhook :lost' AS b"))
    run(ledger, write("SELECT 1 AS a, 'at 12:30, 100 %, 50%% \\:lost' AS b"))
    assert table(ledger)[0]["b"] == "at 12:30, 100 %, 50%% :lost"


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"grace": 1}, "has no parameter grace"),
        ({"grace_seconds": "soon"}, "must be a number, not 'soon'"),
        ({"grace_seconds": True}, "must be a number, not True"),
    ],
)
def test_overrides_that_make_no_sense_are_refused(ledger: Ledger, overrides: dict[str, Any], what: str) -> None:
    with pytest.raises(ReportError, match=what):
        ledger.run("activation_gaps", overrides=overrides)


def test_two_at_once_leave_one_table(ledger: Ledger, write: Write) -> None:
    report = write("SELECT g.a FROM (VALUES (1), (2)) AS g (a)")
    start = threading.Barrier(4)

    def once(_: int) -> int:
        start.wait()
        return int(run(ledger, report).rows)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(once, range(4))) == [2, 2, 2, 2]
    assert len(table(ledger)) == 2
    with ledger.engine.connect() as connection:
        left = connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'reports'").scalars()
        assert "sample__next" not in set(left)


def test_a_reader_sees_the_old_table_or_the_new_one(ledger: Ledger, write: Write) -> None:
    run(ledger, write("SELECT 1 AS a"))
    report = write("SELECT 2 AS a FROM (VALUES (1), (2)) AS g (x)")
    seen, stop = set(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(len(table(ledger)))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        run(ledger, report)
    stop.set()
    reader.join()
    assert seen <= {1, 2}
    assert len(table(ledger)) == 2


def test_the_full_compare_reads_only_the_covering_indexes(ledger: Ledger) -> None:
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "INSERT INTO public.payment_transactions (payment_method, transaction_id, status, amount, currency)"
            " SELECT 'stripe', 'pi_' || i, 'succeeded', 20, 'USD' FROM generate_series(1, 3000) AS i"
        )
        connection.exec_driver_sql(
            "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
            " raw_status, amount, currency, provider_created_at, state_changed_at, read_at)"
            " SELECT 'stripe', 'acct_1', 'pi_' || i, 'payment', TRUE, 'paid', 'succeeded', 20, 'USD', now(), now(),"
            " now() FROM generate_series(1, 3000) AS i"
        )
        connection.exec_driver_sql("VACUUM ANALYZE public.payment_transactions")
        connection.exec_driver_sql("VACUUM ANALYZE recon.provider_transactions")
        compare = shipped()["amount_mismatches"].sql
        compare = compare[compare.index("SELECT DISTINCT") : compare.index("),\n\npairs")]
        for other in ("seqscan", "bitmapscan", "hashjoin", "nestloop"):
            connection.exec_driver_sql(f"SET enable_{other} = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {compare}").scalars())
        connection.exec_driver_sql("RESET ALL")
        connection.exec_driver_sql("SET TIME ZONE 'UTC'")
    assert "Merge Join" in plan
    assert "Index Only Scan using provider_transactions_compare" in plan
    assert "Index Only Scan using payment_transactions_by_reference" in plan

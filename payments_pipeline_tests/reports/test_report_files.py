"""What a report file may contain, and how plainly it is said when it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import ErrorLevel, exp

from payments_pipeline.core.states import Severity, State
from payments_pipeline.db.sql import read_sql
from payments_pipeline.errors import ReportError
from payments_pipeline.reports import load_reports
from payments_pipeline_tests.reports.ledger import Ledger, shipped

FRONT = "title: Old users\nseverity: LOW\nkey: [user_id]\n"
# Tables and views that a report may read: typed columns all, no provider's own words.
READABLE = (
    r"app_\w+", "plan_terms", "payment_verdicts", "payment_objects", "payment_retries", "live_providers",
    "provider_transactions", "state_map", "coverage", "covered_windows",
    "known_accounts", "rejected_objects", "deposit_matches", "nowpayments_payments", r"stripe_\w+",
)  # fmt: skip
QUERY = "SELECT u.user_id FROM recon.app_users AS u WHERE u.created_at < :as_of"


def drop_in(folder: Path, front: str = FRONT, query: str = QUERY, name: str = "old_users") -> Path:
    path = folder / f"{name}.sql"
    path.write_text(f"/*---\n{front}---*/\n{query}\n")
    return path


def complaint(folder: Path) -> str:
    with pytest.raises(ReportError) as caught:
        load_reports(folder)
    return str(caught.value)


def test_a_dropped_in_file_needs_title_severity_key_and_query(tmp_path: Path) -> None:
    drop_in(tmp_path, query=QUERY + ";")
    (report,) = load_reports(tmp_path).values()
    assert (report.name, report.severity, report.key) == ("old_users", Severity.LOW, ("user_id",))
    assert report.tables == ("recon.app_users",)
    assert (report.coverage, report.unconfigured, report.action, report.params) == ({}, "judge", None, {})


@pytest.mark.parametrize(
    ("front", "what"),
    [
        (FRONT + "owner: kim\n", "owner: unknown key"),
        ("severity: LOW\nkey: [user_id]\n", "title: missing"),
        (FRONT.replace("LOW", "BAD"), "severity: Input should be 'LOW', 'MEDIUM', 'HIGH' or 'CRITICAL'"),
        (FRONT.replace("[user_id]", "[]"), "key: List should have at least 1 item"),
        (FRONT.replace("[user_id]", "[payment_id]"), "key names payment_id, which the query does not select"),
        (FRONT + "columns: {username: The name.}\n", "columns describes username, which the query does not select"),
        (FRONT + "params: {days: 3}\n", "params declares days, which the query does not use"),
        (FRONT + "coverage: {stripe: [invoces]}\n", "coverage names stripe invoces, which nobody fetches"),
        ("title: [broken\n", "the front matter is not YAML"),
        ("just words\n", "the front matter is not a mapping"),
    ],
)
def test_malformed_front_matter_is_one_clear_error(tmp_path: Path, front: str, what: str) -> None:
    path = drop_in(tmp_path, front)
    text = complaint(tmp_path)
    assert what in text
    assert str(path) in text


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("", "there is no SQL after the front matter"),
        (QUERY + "; " + QUERY, "a report is one SELECT, here are 2 statements"),
        ("DELETE FROM recon.findings", "a report is one SELECT, this is DELETE"),
        ("VACUUM recon.findings", "a report is one SELECT, this is"),
        ("DROP TABLE recon.findings", "a report is one SELECT, this is DROP"),
        ("WITH g AS (DELETE FROM recon.actions RETURNING *) SELECT 1 AS user_id FROM g", "contains DELETE"),
        ("SELECT 1 AS user_id INTO public.x", "a report only reads"),
        (QUERY + " FOR UPDATE", "a report only reads"),
        ("SELECT FROM WHERE (", "the SQL does not parse"),
        (QUERY.replace(":as_of", "now()"), "it reads the wall clock; write :as_of"),
        (QUERY.replace("recon.", ""), "table app_users has no schema; write e.g. recon.app_users"),
        (QUERY + " - :days * INTERVAL '1' DAY", "the query uses :days, which params does not declare"),
        ("SELECT u.user_id, 1 AS fingerprint FROM recon.app_users AS u", "fingerprint is the name of a column"),
        ('SELECT u.user_id, 1 AS "share %" FROM recon.app_users AS u', "names a column 'share %'"),
        ("SELECT u.user_id, u.user_id FROM recon.app_users AS u", "selects user_id twice"),
    ],
)
def test_what_is_not_one_select_is_refused(tmp_path: Path, query: str, what: str) -> None:
    drop_in(tmp_path, query=query)
    assert what in complaint(tmp_path)


@pytest.mark.parametrize("name", ["2fast", "With-Dash", "a" * 51, "x1"])
def test_the_files_name_must_do_as_a_table(tmp_path: Path, name: str) -> None:
    drop_in(tmp_path, name=name)
    assert "use a-z and _ only" in complaint(tmp_path)


def test_a_file_without_front_matter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare.sql").write_text(QUERY)
    assert "does not begin with a front matter" in complaint(tmp_path)


def test_of_several_bad_files_all_are_named(tmp_path: Path) -> None:
    drop_in(tmp_path, query="", name="one")
    drop_in(tmp_path, "", name="two")
    text = complaint(tmp_path)
    assert "one.sql" in text
    assert "two.sql" in text


# The shipped reports


@pytest.mark.parametrize("name", shipped())
def test_shipped_report_is_complete_and_describes_every_column(name: str) -> None:
    report = shipped()[name]
    assert all([report.title, report.why, report.what_to_do])
    # The application's own inbox needs no provider's word.
    assert report.coverage or "recon.app_webhook_logs" in report.tables
    (tree,) = sqlglot.parse(report.sql, read="postgres")
    assert isinstance(tree, exp.Query)
    assert list(report.columns) == tree.named_selects


@pytest.mark.parametrize("name", shipped())
def test_shipped_report_reads_only_contract_and_canonical_tables(name: str) -> None:
    for table in shipped()[name].tables:
        assert re.fullmatch(rf"recon\.({'|'.join(READABLE)})", table)


def test_what_counted_before_it_went_back_is_said_by_the_verdicts_alone() -> None:
    tellers = [name for name, report in shipped().items() if re.search(r"returned_at >", report.sql)]
    readers = [name for name, report in shipped().items() if re.search(r"counted_until >", report.sql)]
    assert (tellers, readers) == ([], ["activation_gaps", "duplicate_payments", "renewal_gaps", "wrong_tier"])


@pytest.mark.parametrize("engine", ["spark", "duckdb"])
@pytest.mark.parametrize("name", shipped())
def test_shipped_report_can_be_written_for_other_engines(name: str, engine: str) -> None:
    sql = shipped()[name].sql
    (other,) = sqlglot.transpile(sql, read="postgres", write=engine, unsupported_level=ErrorLevel.RAISE)
    tree = sqlglot.parse_one(other, read=engine)
    assert isinstance(tree, exp.Query)
    assert tree.named_selects == list(shipped()[name].columns)
    assert "::" not in sql
    json_operators = (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBContains)
    assert not list(sqlglot.parse_one(sql, read="postgres").find_all(*json_operators))


def test_states_in_code_and_in_the_database_are_the_same(ledger: Ledger) -> None:
    migration = read_sql("migrations/versions/0001_recon_schema.sql")
    listed = re.search(r"state text NOT NULL CHECK \(state IN \(\s*'pending'(.*?)\)\)", migration, re.DOTALL)
    assert listed is not None
    assert {"pending", *re.findall(r"'(\w+)'", listed[1])} == set(State)
    with ledger.engine.connect() as connection:
        mapped = set(connection.exec_driver_sql("SELECT state FROM recon.state_map").scalars())
    assert mapped <= set(State)
    judged = re.findall(r"^\s+\('(\w+)', '\w+', -?\d, \d\)", shipped()["out_of_sync_payments"].sql, re.MULTILINE)
    assert set(judged) == set(State) - {State.UNKNOWN}  # what nobody understands is no disagreement

"""`payments-pipeline report NAME`: a look as of a time, to the screen or a file, that leaves everything as it was."""

from __future__ import annotations

import csv
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError, ReportError
from payments_pipeline.export import run_report
from payments_pipeline.reports import load_reports, look
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.terminal import Typed
from payments_pipeline_tests.test_demo import pointing_at

PAID = AS_OF - timedelta(hours=1)


@pytest.fixture
def one_gap(engine: Engine) -> Engine:
    """A payer without access, an hour before AS_OF, in a database of whose providers nothing was read."""
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO plans (id, name, tier, period, price, currency) VALUES (1, 'P', 'pro', 'month', 9.50, 'USD')",
            "INSERT INTO users (id, username, email) VALUES (1, '[bold]payer', 'payer@example.com')",
            "INSERT INTO payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount, "
            "currency, created_at, confirmed_at) VALUES (1, 1, 'stripe', 'pi_1', 'completed', 9.50, 'USD', :at, :at)",
        ):
            connection.execute(text(statement), {"at": PAID} if ":at" in statement else {})
    return engine


def traces(engine: Engine) -> list[int]:
    """How much a look must not add to."""
    with engine.connect() as connection:
        return [
            connection.execute(text(query)).scalar_one()
            for query in (
                "SELECT count(*) FROM recon.findings",
                "SELECT count(*) FROM recon.report_runs",
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'reports'",
            )
        ]


def test_a_look_writes_all_rows_to_a_file_and_nothing_to_the_database(
    typed: Typed, tmp_path: Path, database: URL, one_gap: Engine
) -> None:
    before = traces(one_gap)
    words = ("report", "activation_gaps", "--as-of", AS_OF.isoformat(), "--csv", "out/g.csv", "--json", "out/g.json")
    done = typed(*words, **pointing_at(database, {}))
    assert done.code == 0, done.out + done.err
    assert "1 rows in" in done.out
    with (tmp_path / "out" / "g.csv").open(newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert (row["severity"], row["user_id"], row["amount"]) == ("CRITICAL", "1", "9.50")
    assert row["paid_at"] == PAID.isoformat()
    (same,) = json.loads((tmp_path / "out" / "g.json").read_text())
    assert (same["severity"], same["user_id"], same["amount"]) == ("CRITICAL", 1, "9.50")
    assert traces(one_gap) == before


def test_on_the_screen_a_row_is_a_row_whatever_its_text(typed: Typed, database: URL, one_gap: Engine) -> None:
    done = typed("report", "activation_gaps", "--as-of", AS_OF.isoformat(), **pointing_at(database, {}))
    assert done.code == 0, done.out + done.err
    assert "1 rows" in done.out
    assert "CRITI" in done.out.replace("\n", "")


def test_a_look_at_the_past_sees_what_was_so_then(one_gap: Engine) -> None:
    report = load_reports()["activation_gaps"]
    assert len(look(one_gap, report, as_of=AS_OF, overrides={})) == 1
    assert look(one_gap, report, as_of=PAID + timedelta(seconds=60), overrides={}) == []
    assert len(look(one_gap, report, as_of=PAID + timedelta(seconds=60), overrides={"grace_seconds": 30})) == 1


def test_overrides_of_the_environment_apply(typed: Typed, database: URL, one_gap: Engine) -> None:
    environment = pointing_at(database, {"REPORT_PARAMS": '{"activation_gaps": {"grace_seconds": 7200}}'})
    done = typed("report", "activation_gaps", "--as-of", AS_OF.isoformat(), **environment)
    assert done.code == 0, done.out + done.err
    assert "0 rows" in done.out


def test_every_shipped_report_can_be_looked_at(one_gap: Engine) -> None:
    for report in load_reports().values():
        look(one_gap, report, as_of=AS_OF, overrides={})


def test_an_unknown_name_is_told_with_the_nearest_and_where_all_names_are(typed: Typed, database: URL) -> None:
    done = typed("report", "activation_gasp", **pointing_at(database, {}))
    assert done.code == 2
    assert "There is no report 'activation_gasp'" in done.err
    assert "Did you mean activation_gaps? payments-pipeline report lists all of them." in done.err
    assert "Traceback" not in done.err


def test_a_file_that_cannot_be_written_is_one_sentence(one_gap: Engine, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be written"):
        run_report(settings, "activation_gaps", as_of=AS_OF, files={"csv": tmp_path})


def test_a_report_without_rows_still_has_its_heading(one_gap: Engine, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    assert run_report(settings, "activation_gaps", as_of=PAID, files={"csv": file}) == 0
    assert file.read_text().startswith("severity,user_id,username,plan,")


def test_parquet_keeps_amounts_exact(one_gap: Engine, settings: Settings, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    run_report(settings, "activation_gaps", as_of=AS_OF, files={"parquet": tmp_path / "g.parquet"})
    frame = pd.read_parquet(tmp_path / "g.parquet")
    assert [str(amount) for amount in frame["amount"]] == ["9.50"]


def test_parquet_without_its_package_says_what_to_install(
    one_gap: Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match="pip install pyarrow"):
        run_report(settings, "activation_gaps", as_of=AS_OF, files={"parquet": tmp_path / "g.parquet"})


def test_a_query_that_would_write_is_stopped_by_the_database(one_gap: Engine, tmp_path: Path) -> None:
    (tmp_path / "sly.sql").write_text(
        "/*---\ntitle: Sly\nseverity: LOW\nkey: [n]\n---*/\n"
        "SELECT nextval('public.users_id_seq') AS n FROM recon.app_users AS u WHERE u.created_at <= :as_of\n"
    )
    with pytest.raises(ReportError, match="read-only"):
        look(one_gap, load_reports(tmp_path)["sly"], as_of=AS_OF + timedelta(days=900), overrides={})

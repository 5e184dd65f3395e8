"""The first ten minutes at a terminal: a `.env` to fill in, the list of reports, names that the shell completes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from sqlalchemy import URL

from payments_pipeline.cli_options import report_names
from payments_pipeline.reports import load_reports
from payments_pipeline_tests.terminal import Typed
from payments_pipeline_tests.test_demo import pointing_at


def test_init_writes_an_env_to_fill_in_once_and_says_what_comes_next(typed: Typed, tmp_path: Path) -> None:
    first = typed("init")
    file = tmp_path / ".env"
    assert (first.code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert "# STRIPE_API_KEY=" in file.read_text()
    assert "payments-pipeline doctor" in first.out
    file.write_text("HTTP_MAX_ATTEMPTS=3\n")
    again = typed("init")
    assert again.code == 0
    assert "stays as it is" in again.out
    assert file.read_text() == "HTTP_MAX_ATTEMPTS=3\n"
    refused = typed("init", "nowhere")
    assert refused.code == 2
    assert "can't be written" in refused.err


def test_report_without_a_name_lists_all_with_what_they_found_last(typed: Typed, database: URL) -> None:
    here = pointing_at(database, {})
    shown = typed("report", **here)
    assert shown.code == 0, shown.err
    assert all(name in shown.out for name in load_reports())
    listed = json.loads(typed("report", "--json", **here).out)
    assert {line["report"]: line["severity"] for line in listed} == {
        name: report.severity.value for name, report in load_reports().items()
    }


def test_the_shell_completes_names_of_reports() -> None:
    assert report_names("activation") == ["activation_gaps"]
    assert report_names("*") == []
    assert len(report_names("")) == len(load_reports())

"""What the pages of findings and reports show: the gravest open ones, pictures over time, how long things take."""

from __future__ import annotations

import time
import timeit
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import dagster as dg
from sqlalchemy import Engine, text

from payments_pipeline.assets.findings import findings_overview
from payments_pipeline.assets.findings_chart import bands, span
from payments_pipeline.assets.pictures import INLINE, plotted, ranked, stacked
from payments_pipeline.assets.report_chart import Past, plots, report_chart
from payments_pipeline.assets.reports import HISTORY_RUNS, report_asset
from payments_pipeline.config import Settings
from payments_pipeline.db.sql import named
from payments_pipeline.local_instance import in_memory
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def shown(engine: Engine, settings: Settings) -> dict[str, Any]:
    with in_memory() as instance:
        result = dg.materialize(
            [findings_overview({})], resources=default_resources(settings, AS_OF), instance=instance
        )
    (made,) = result.asset_materializations_for_node("findings")
    return {name: value.value for name, value in made.metadata.items()}


def test_the_page_of_a_quiet_house(engine: Engine, settings: Settings) -> None:
    page = shown(engine, settings)
    assert page["open_findings"] == "no rows"
    assert page["by_report"] == "none"
    assert (page["mean_time_to_detect"], page["mean_time_to_resolve"]) == ("nothing to go by yet",) * 2


def test_the_page_shows_what_is_open_since_when_and_how_long_things_take(engine: Engine, settings: Settings) -> None:
    ledger = Ledger(engine)
    run = {"rows": 1, "by_severity": "{}", "amount_at_risk": "{}", "seconds": 0}
    ledger.add("recon.report_runs", report="disputes", as_of=AS_OF - 9 * DAY, **run)

    def finding(key: str, opened: timedelta, paid: timedelta | None, resolved: timedelta | None = None) -> None:
        evidence = '{"reason": "who | what"' + (f', "paid_at": "{(AS_OF - paid).isoformat()}"' if paid else "") + "}"
        over = {"status": "resolved", "resolved_at": AS_OF - resolved} if resolved else {"status": "open"}
        ledger.add(
            "recon.findings", report="disputes", fingerprint=key, episode=1, severity="HIGH", evidence=evidence,
            found_evidence=evidence, opened_at=AS_OF - opened, last_seen_at=AS_OF, times_seen=1, **over,
        )  # fmt: skip

    finding("soon", 5 * DAY, 5 * DAY + HOUR, 4 * DAY)
    finding("late", 2 * DAY, 2 * DAY + 3 * HOUR)
    finding("before the first run", DAY, 20 * DAY)
    finding("does not say", DAY, None)

    page = shown(engine, settings)

    assert page["mean_time_to_detect"] == "2.0 h (mean of 2)"
    assert page["mean_time_to_resolve"] == "1.0 d (mean of 1)"
    assert page["open_findings"].splitlines()[2] == "| 2 | HIGH | disputes | 2.0 d | open | who \\| what |"
    assert page["open_findings"].count("| HIGH | disputes | ") == 3
    assert page["by_report"] == "disputes 3"
    assert "who \\| what" in page["open_findings"]
    assert words_in(page["open_over_time"])[0] == "HIGH"
    with engine.connect() as connection:
        rows = connection.execute(named("assets/open_by_day.sql"), {"now": AS_OF, "days": 7}).all()
        assert connection.execute(text("SELECT count(*) FROM recon.findings")).scalar() == 4
    days, by_severity = bands(rows)
    assert days[-1] == AS_OF
    assert by_severity["HIGH"] == [0, 0, 1, 0, 0, 1, 3, 3]
    assert by_severity["CRITICAL"] == [0] * 8


def words_in(markdown: str) -> list[str]:
    """What a picture says, read as a browser would; it stands on the page itself, not behind a button."""
    assert len(markdown) < INLINE
    address = markdown.partition("](data:image/svg+xml,")[2].removesuffix(")")
    assert not set(address) & set(" ()#&\\")
    return [text for text in ET.fromstring(unquote(address)).itertext() if text]  # noqa: S314  (our own)


def report_page(engine: Engine, settings: Settings) -> dict[str, Any]:
    with in_memory() as instance:
        result = dg.materialize(
            [report_asset(load_reports()["disputes"])], resources=default_resources(settings, AS_OF), instance=instance
        )
    (made,) = result.asset_materializations_for_node("disputes")
    return {name: value.value for name, value in made.metadata.items()}


def test_a_reports_page_shows_its_last_runs(engine: Engine, settings: Settings) -> None:
    first = report_page(engine, settings)
    assert first["chart_of_last_runs"] == "no rows in the last 1 runs"
    assert first["coverage"] == "nothing was read of a provider"
    ledger = Ledger(engine)
    for number in range(1, 40):
        ledger.add(
            "recon.report_runs", report="disputes", as_of=AS_OF + number * HOUR, rows=number, seconds=0,
            by_severity=f'{{"HIGH": {number - 1}, "LOW": 1}}', amount_at_risk="{}",
        )  # fmt: skip
    page = report_page(engine, settings)
    assert list(page)[:7] == [
        "dagster/row_count", "by_severity", "amount_at_risk", "first_rows", "chart_of_last_runs", "coverage",
        "dagster/column_schema",
    ]  # fmt: skip
    assert words_in(page["chart_of_last_runs"])[:3] == ["HIGH", "LOW", "39"]
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.execute(
            text(f"EXPLAIN {named('assets/report_history.sql').text}"), {"report": "disputes", "max_runs": 30}
        ).scalars()
        assert "report_runs_newest" in "".join(plan)


def test_a_picture_of_runs_takes_no_time_to_speak_of() -> None:
    runs = [Past(AS_OF + n * DAY, n, {"CRITICAL": n, "LOW": 0}) for n in range(HISTORY_RUNS)]
    report_chart(runs, HISTORY_RUNS)  # warm
    draw = timeit.Timer(lambda: report_chart(runs, HISTORY_RUNS), timer=time.process_time)
    best = min(draw.repeat(number=1, repeat=5))
    assert best < 0.005
    assert report_chart(runs[1:2], HISTORY_RUNS) != report_chart(runs, HISTORY_RUNS)


def test_pictures_of_wild_figures_still_stand_on_the_page() -> None:
    """All four colours and no two runs alike: the newest are shown, as many as there is room for."""
    severities = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
    runs = [
        Past(AS_OF + n * DAY, 1, {name: (n * 7919 * k) % 97 for k, name in enumerate(severities, 1)}) for n in range(30)
    ]
    told = words_in(str(report_chart(runs, 30).value))
    assert told[:4] == list(severities)
    assert f"{runs[-1].as_of:%d %b %H:%M}" in told
    assert "<b> & Co" in words_in(str(ranked("Why", "times", [("<b> & Co" * 9, 1.5)]).value))[1]
    days = [(f"2026-10-{day:02d}", float((day * 7919) % 97) - 40) for day in range(1, 31)]
    assert words_in(str(plotted("Money", "net", dict.fromkeys(("USD", "EUR", "GBP"), days)).value))[-2:] == [
        "2026-10-30", "2026-10-01",
    ]  # fmt: skip
    assert words_in(str(plotted("Money", "net", {"USD": days[:1]}).value))[-1] == "2026-10-01"
    assert "100k" in words_in(str(stacked("Rows", [("now", {"LOW": 100_000})], 30).value))


def test_what_dagster_plots_are_plain_numbers() -> None:
    told = plots({"HIGH": 2}, {"USD": Decimal("10.50")})
    assert {name: value.value for name, value in told.items()} == {"rows/HIGH": 2, "amount_at_risk/USD": 10.5}


def test_spans_read_as_people_say_them() -> None:
    assert span(5400.0, 3) == "1.5 h (mean of 3)"
    assert span(12.0, 1) == "12.0 s (mean of 1)"
    assert span(0.0, 1) == "0.0 s (mean of 1)"
    assert span(None, 0) == "nothing to go by yet"

"""A backfill from the UI: a month or any window, visible range by range, taken up where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from payments_pipeline.ingest_jobs import MONTHS, MonthConfig, RetentionConfig, WindowConfig
from payments_pipeline_tests.orchestration.stripe_desk import INTENTS, NOW, Desk, observations

MARCH = datetime(2024, 3, 1, tzinfo=UTC)
KEY = "2024-03-01"


def month(desk: Desk, **config: object) -> dg.ExecuteInProcessResult:
    values = {"resources": ["payment_intents"], "provider": "stripe", "ranges": 4, "threads": 2} | config
    run_config = dg.RunConfig(ops={"read_month": MonthConfig(**values)})  # type: ignore[arg-type]
    return desk.run("backfill_month", run_config, partition_key=KEY)


def window(desk: Desk, start: str, end: str, **config: object) -> dg.ExecuteInProcessResult:
    values = {"start": start, "end": end, "resources": ["payment_intents"], "provider": "stripe", "ranges": 2}
    run_config = dg.RunConfig(ops={"read_window": WindowConfig(**(values | config))})  # type: ignore[arg-type]
    return desk.run("backfill_window", run_config)


def failure(result: dg.ExecuteInProcessResult) -> str:
    return str(result.get_step_failure_events()[0].event_specific_data)


def test_a_month_is_read_whole_and_each_range_shows_on_the_tables_page(desk: Desk) -> None:
    _before, *inside, _after = [desk.pay(MARCH + timedelta(days=day)) for day in (-1, 0, 9, 17, 30, 31)]

    result = month(desk)

    assert result.success
    assert desk.stored() == set(inside)
    seen = observations(result)
    assert {one["asset"] for one in seen} == {INTENTS}
    assert [(one["ranges_done"], one["ranges_total"]) for one in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sum(one["objects"] for one in seen) == 4


def test_a_month_without_further_words_reads_every_resource_of_every_provider(desk: Desk) -> None:
    result = month(desk, resources=[], provider=None, ranges=1)

    assert result.success
    seen = {one["asset"] for one in observations(result)}
    assert len(seen) == 12
    assert "stripe_events" not in seen, "Stripe keeps events for a month, so of 2024 there are none to read"


def test_the_present_month_can_be_chosen() -> None:
    assert MONTHS.get_last_partition_key() == f"{datetime.now(UTC):%Y-%m}-01"


def test_what_failed_is_said_and_a_second_launch_reads_only_that(desk: Desk) -> None:
    paid = {desk.pay(MARCH + timedelta(days=day)) for day in (1, 10, 20, 29)}
    # A refused first page is asked for in another way before the range is given up.
    desk.sandbox.faults.server_error("stripe", "/v1/payment_intents", times=2)

    first = month(desk, threads=1)
    assert not first.success
    assert "1 of 1 lists were not read in full" in failure(first)
    assert "Launch it again with the same window" in failure(first)
    assert len(desk.stored()) == 3

    second = month(desk, ranges=1)
    assert second.success
    assert [one["objects"] for one in observations(second)] == [1]
    assert desk.stored() == paid


def test_any_window_can_be_read(desk: Desk) -> None:
    (inside, _after) = [desk.pay(MARCH + timedelta(hours=hour)) for hour in (5, 13)]

    assert window(desk, "2024-03-01", "2024-03-01T12:00:00Z").success

    assert desk.stored() == {inside}


@pytest.mark.parametrize(
    ("start", "end", "config", "told"),
    [
        ("2024-04-01", "2024-03-01", {}, "which is not before its end"),
        ("2024-04-01", "2999-01-01", {}, "lies in the future"),
        ("soon", "2024-03-01", {}, "'soon' is not a time"),
        ("2024-03-01", "2024-04-01", {"provider": "paypal"}, "There is no provider 'paypal'"),
        ("2024-03-01", "2024-04-01", {"provider": "okx", "resources": []}, "okx has no credentials"),
        ("2024-03-01", "2024-04-01", {"resources": ["deposits"]}, "stripe has no resource 'deposits'"),
        ("2024-03-01", "2024-04-01", {"account": "eu"}, "no account called 'eu'"),
        ("2024-03-01", "2024-04-01", {"provider": None}, "not whose"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(
    desk: Desk, start: str, end: str, config: dict[str, object], told: str
) -> None:
    result = window(desk, start, end, **config)

    assert not result.success
    assert told in failure(result)
    assert desk.all("SELECT 1 FROM recon.coverage") == []


def test_json_is_dropped_only_in_earnest_and_only_of_what_was_read_long_ago(desk: Desk) -> None:
    old = desk.pay(MARCH)
    assert window(desk, "2024-03-01", "2024-03-02").success
    desk.now += timedelta(days=40)
    new = desk.pay(MARCH + timedelta(days=5))
    assert window(desk, "2024-03-06", "2024-03-07").success

    def drop(**config: object) -> set[str]:
        values = RetentionConfig(**config)  # type: ignore[arg-type]
        assert desk.run("retention", dg.RunConfig(ops={"drop_old_json": values})).success
        return desk.stored("raw_json")

    assert drop(dry_run=False) == {old, new}, "RAW_JSON_DAYS is not set"
    assert drop(days=30) == {old, new}, "a dry run"
    assert drop(days=30, dry_run=False) == {new}
    assert desk.stored() == {old, new}


def test_without_raw_json_every_way_in_stores_rows_alone(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"keep_raw_json": False})
    desk.pay(MARCH)
    desk.pay(NOW - timedelta(days=3))

    assert window(desk, "2024-03-01", "2024-03-02").success
    assert desk.run("ingest_changes").success
    desk.pay(NOW - timedelta(days=2))
    assert desk.run("nightly_reconciliation").success

    assert len(desk.stored()) == 3
    assert desk.stored("raw_json") == set()

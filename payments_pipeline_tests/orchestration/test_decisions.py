"""What sensors and checks decide, without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from payments_pipeline.assets.pictures import INLINE
from payments_pipeline.assets.presentation import amounts, counts, glance, preview, sparkline
from payments_pipeline.remediation.rounds import DueRepair
from payments_pipeline.repair_sensors import (
    DueAction,
    ToPropose,
    approved_request,
    proposal_cursor,
    proposal_request,
    repair_request,
)
from payments_pipeline.resources import ClockResource
from payments_pipeline.sensors import DueNotifications, alert_request
from payments_pipeline.ticks import SUCCESSOR_AFTER

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def _waiting(attempts: int = 0, newest_id: int = 9, due: datetime = NOW) -> DueNotifications:
    return DueNotifications(3, 7, newest_id, attempts, due, due)


def _key(request: dg.RunRequest | dg.SkipReason) -> str:
    assert isinstance(request, dg.RunRequest)
    assert request.run_key is not None
    return request.run_key


def _repair(finding_id: int = 1, episode: int = 1, attempts: int = 0) -> DueRepair:
    return DueRepair(finding_id, episode, attempts, NOW)


def test_nothing_in_the_outbox_starts_nothing() -> None:
    assert isinstance(alert_request(None, NOW), dg.SkipReason)


def test_the_same_outbox_asks_for_the_same_run_until_something_happens() -> None:
    first = _key(alert_request(_waiting(), NOW))

    assert _key(alert_request(_waiting(), NOW + timedelta(seconds=15))) == first
    assert _key(alert_request(_waiting(newest_id=10), NOW)) != first
    assert _key(alert_request(_waiting(attempts=1), NOW)) != first


def test_a_retry_that_cost_no_attempt_still_gets_its_own_run() -> None:
    """A channel that asks for patience does not use up an attempt, but the message is due at another time."""
    later = NOW + timedelta(seconds=30)

    assert _key(alert_request(_waiting(due=later), later)) != _key(alert_request(_waiting(), later))


def test_a_run_that_died_before_it_did_anything_gets_a_successor() -> None:
    assert _key(alert_request(_waiting(), NOW + SUCCESSOR_AFTER)) != _key(alert_request(_waiting(), NOW))
    assert _key(repair_request([_repair()], NOW + SUCCESSOR_AFTER)) != _key(repair_request([_repair()], NOW))


def test_repair_key_carries_finding_episode_and_attempt() -> None:
    assert _key(repair_request([_repair(12, 2, 1)], NOW)) == f"repair:{int(NOW.timestamp())}:12.2.1:0"
    assert _key(repair_request([_repair(12, 3, 0)], NOW)) == f"repair:{int(NOW.timestamp())}:12.3.0:0"


def test_many_repairs_are_one_run_whatever_their_order() -> None:
    findings = [_repair(1), _repair(2), _repair(3)]

    assert _key(repair_request(findings, NOW)) == _key(repair_request(findings[::-1], NOW))
    assert _key(repair_request(findings, NOW)) != _key(repair_request([*findings[:2], _repair(3, attempts=1)], NOW))


def test_repair_run_of_the_sensor_is_in_earnest_and_signed_by_policy() -> None:
    request = repair_request([_repair()], NOW)

    assert isinstance(request, dg.RunRequest)
    config = request.run_config["ops"]["repair_live_findings"]["config"]
    assert config["dry_run"] is False
    assert config["actor"] == "policy"


def test_approved_actions_are_one_run_and_an_attempt_more_is_another() -> None:
    first, second = DueAction(3, 0, NOW), DueAction(4, 0, NOW)
    key = _key(approved_request([first, second], NOW, ["expire_payment"]))
    assert key == _key(approved_request([second, first], NOW, ["expire_payment"]))
    assert key != _key(approved_request([first, replace(second, attempts=1)], NOW))
    assert key != _key(approved_request([first, second], NOW + SUCCESSOR_AFTER))
    request = approved_request([first], NOW, ["expire_payment"])
    assert isinstance(request, dg.RunRequest)
    config = request.run_config["ops"]["apply_approved"]["config"]
    assert (config["action_ids"], config["kinds"], config["dry_run"]) == ([3], ["expire_payment"], False)


def test_findings_are_planned_when_they_are_new_and_all_again_once_an_hour() -> None:
    found = ToPropose(4, 17, NOW)
    cursor = proposal_cursor(found, NOW)
    assert isinstance(proposal_request(found, None, NOW), dg.RunRequest)
    assert isinstance(proposal_request(found, cursor, NOW), dg.SkipReason)
    assert isinstance(proposal_request(replace(found, newest_id=18), cursor, NOW), dg.RunRequest)
    assert isinstance(proposal_request(found, cursor, NOW + timedelta(hours=1)), dg.RunRequest)
    assert isinstance(proposal_request(None, cursor, NOW), dg.SkipReason)


def test_preview_keeps_markdown_tables_whole() -> None:
    text = preview([{"name": "a|b\nc", "note": "x" * 100, "none": None}]).md_str

    assert text is not None
    assert text.splitlines()[0] == "| name | note | none |"
    assert "a\\|b c" in text
    assert len(text.splitlines()) == 3
    assert preview([]).md_str == "no rows"


def test_a_glance_is_short_enough_for_the_page_and_begins_with_what_people_look_at() -> None:
    rows = [
        {
            "fingerprint": "f" * 32, "user_id": str(number), "severity": "HIGH", "note": "n" * 100, "nothing": None,
            "blank": "", "found": ["a", "b"], "plan": "pro", "tier": "pro", "since": NOW,
        }
        for number in range(50)
    ]  # fmt: skip
    text = glance(rows).md_str

    assert text is not None
    assert len(text) < INLINE
    lines = text.splitlines()
    assert lines[0] == "| severity | user_id | fingerprint | note | plan |"
    assert lines[2].startswith("| HIGH | 0 | ")
    assert len(lines) > 4
    assert glance([{"note": "n" * 100}], ["plan"]).md_str == f"| note |\n| --- |\n| {'n' * 17}… |"
    wide = "w" * 18
    assert glance([{"a": wide, "b": wide, "c": wide, "d": "two words", "e": 1}]).md_str == (
        f"| a | b | d | e |\n| --- | --- | --- | --- |\n| {wide} | {wide} | two words | 1 |"
    )
    assert glance([]).md_str == "no rows"
    assert glance([{"severity": None, "note": ""}]).md_str == "| severity | note |\n| --- | --- |\n|  |  |"
    merry = glance([{f"{'c' * 60}{number}": "🎉" * 30 for number in range(9)}] * 10).md_str
    assert merry is not None
    assert len(merry.splitlines()) > 2
    assert len(merry.encode("utf-16-le")) // 2 < INLINE


@pytest.mark.parametrize("show", [preview, glance])
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![](//a.example/b)", "!\\[](//a.example/b)"),
        ("<img src=//b.cd>", "\\<img src=//b.cd>"),
        ("a\\|b", "a\\\\\\|b"),
        ("a\rb\r\nc", "a b c"),
        ("`a", "\\`a"),
    ],
)
def test_what_a_customer_wrote_is_shown_as_text_within_its_cell(
    show: Callable[[Sequence[dict[str, str]]], dg.MarkdownMetadataValue], written: str, shown: str
) -> None:
    assert show([{"note": written}]).md_str == f"| note |\n| --- |\n| {shown} |"


def test_numbers_read_as_people_write_them() -> None:
    from decimal import Decimal

    assert amounts({"USD": Decimal("1234.50"), "BTC": Decimal("0.00000001")}) == "0.00000001 BTC, 1,234.50 USD"
    assert amounts({}) == "none"
    raw = {"JPY": Decimal("29970.00"), "ETH": Decimal("7.0523407407407407"), "XRP": Decimal("94.50"), "USD": Decimal(5)}
    assert amounts(raw) == "7.05234074 ETH, 29,970 JPY, 5.00 USD, 94.50 XRP"
    assert counts({"LOW": 1, "CRITICAL": 2, "HIGH": 0}) == "CRITICAL 2, LOW 1"
    assert sparkline([0, 5, 10]) == "▁▄█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""


def test_the_same_ids_in_another_database_are_another_run() -> None:
    ours, theirs = _repair(1), replace(_repair(1), opened_at=NOW - timedelta(seconds=1))

    assert _key(repair_request([ours], NOW)) != _key(repair_request([theirs], NOW))


def test_readings_are_stamped_with_the_present_also_when_judging_as_of_the_past() -> None:
    past = ClockResource(as_of="2020-01-01T00:00:00+00:00")
    future = ClockResource(as_of="2999-01-01T00:00:00+00:00")

    assert past.present() > past.now()
    assert future.present() == future.now()

"""What we notice about ourselves is a finding like any other; undelivered messages are one a channel; the summary."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from payments_pipeline.findings import Amiss, Watch, clear_finding, keep_watch, queue_daily_summary, raise_finding
from payments_pipeline.findings.watching import watch_undelivered
from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.plain import plain
from payments_pipeline.remediation.audit import verify
from payments_pipeline.triage import resolve
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes

HOUR = timedelta(hours=1)
STALE = Watch("stale_feeds", "A feed is stale", "Late changes are not seen.", "Look at the provider.")
UI = "https://dagster.example.com"


def statuses(desk: Desk) -> list[tuple[str, int, str]]:
    return [(row["evidence"]["key"], row["episode"], row["status"]) for row in desk.findings()]


def test_a_watch_raises_sees_again_and_clears_one_finding_and_leaves_others_alone(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        for key in ("stripe", "okx"):
            assert raise_finding(connection, STALE, key, Amiss("HIGH", {"since": AS_OF}), at=AS_OF) == changes(opened=1)
        assert raise_finding(connection, STALE, "okx", Amiss("HIGH"), at=AS_OF + HOUR) == changes(refreshed=1)
    with desk.engine.begin() as connection:
        assert clear_finding(connection, STALE, "okx", at=AS_OF + HOUR)
        assert not clear_finding(connection, STALE, "okx", at=AS_OF + HOUR)
    assert statuses(desk) == [("stripe", 1, "open"), ("okx", 1, "resolved")]
    assert [(row["kind"], row["body"]["title"]) for row in desk.outbox()] == [
        ("opened", "A feed is stale"), ("opened", "A feed is stale"), ("resolved", "A feed is stale"),
    ]  # fmt: skip


def test_a_watch_that_names_all_that_is_amiss_resolves_the_rest(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        keep_watch(connection, STALE, {"stripe": Amiss("HIGH"), "okx": Amiss("LOW")}, at=AS_OF)
    with desk.engine.begin() as connection:
        assert keep_watch(connection, STALE, {"okx": Amiss("CRITICAL")}, at=AS_OF + HOUR) == changes(
            refreshed=1, resolved=1
        )
    assert sorted(row["severity"] for row in desk.findings()) == ["CRITICAL", "HIGH"]
    assert [row["kind"] for row in desk.outbox()] == ["opened", "opened", "risen", "resolved"]


def test_what_a_person_resolved_is_raised_again_only_with_other_words(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        raise_finding(connection, STALE, "okx", Amiss("HIGH", {"reason": "401", "minutes": 5}), at=AS_OF)
    resolve(desk.engine, 1, actor="kim", reason="known", at=AS_OF)
    with desk.engine.begin() as connection:
        again = Amiss("HIGH", {"reason": "401", "minutes": 9})
        assert raise_finding(connection, STALE, "okx", again, at=AS_OF + HOUR) == changes()
        other = Amiss("HIGH", {"reason": "500", "minutes": 9})
        assert raise_finding(connection, STALE, "okx", other, at=AS_OF + HOUR) == changes(reopened=1)


def test_messages_that_were_given_up_are_one_finding_a_channel_until_they_are_sent(desk: Desk) -> None:
    for thing in ("a", "b"):
        desk.anomaly(thing)
    desk.refresh()
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE recon.notifications SET state = 'dead', channel = 'mail', last_error = 'The service is gone.'")
        )
    assert watch_undelivered(desk.engine, at=AS_OF, ui_url=UI) == changes(opened=1)
    assert watch_undelivered(desk.engine, at=AS_OF + HOUR, ui_url=UI) == changes(refreshed=1)
    finding = desk.findings()[2]
    assert (finding["report"], finding["severity"]) == ("undelivered_notifications", "HIGH")
    assert (finding["evidence"]["channel"], finding["evidence"]["messages"]) == ("mail", 2)
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE recon.notifications SET state = 'sent' WHERE channel = 'mail'"))
    assert watch_undelivered(desk.engine, at=AS_OF + 2 * HOUR, ui_url=UI) == changes(resolved=1)


def test_the_daily_summary_tells_what_changed_and_what_is_open(desk: Desk) -> None:
    for thing in ("old", "gone", "kept"):
        desk.anomaly(thing)
    desk.refresh(AS_OF - timedelta(days=3))
    desk.gone("gone")
    desk.anomaly("new", severity="CRITICAL", amount=5, currency="EUR")
    desk.refresh(AS_OF)
    resolve(desk.engine, 1, actor="kim", reason="known", at=AS_OF)
    desk.ledger.coverage("stripe", "refunds", complete=False)
    assert queue_daily_summary(desk.engine, as_of=AS_OF, ui_url=UI, run_id="run_9")
    assert not queue_daily_summary(desk.engine, as_of=AS_OF, ui_url=UI)
    message = desk.outbox()[-1]
    body = message["body"]
    assert (message["channel"], message["kind"], message["severity"]) == ("*", "summary", "LOW")
    assert body["title"] == "Daily summary: 1 opened, 2 closed, 2 open"
    assert (body["opened"], body["closed"]) == ({"CRITICAL": 1}, {"by themselves": 1, "by a person": 1})
    assert body["open_by_age"] == {"less than a day": 1, "less than a week": 1}
    assert body["amount_at_risk"] == {"EUR": "5", "USD": "20"}
    assert body["coverage"] == "1 of 2 resources were read in full"
    assert "report amiss" in body["durations"]
    subject, words = plain(Message(1, "summary", "LOW", body))
    assert "Daily summary" in subject
    assert "less than a week: 1" in words
    with desk.engine.connect() as connection:
        assert f"1 rows, head {verify(connection).head}" in words

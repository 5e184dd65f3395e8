"""Who is told what, and when: routes, quiet hours, channels that stand in for others, backlogs told as digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import ConfigurationError
from payments_pipeline.notify.apprise_channel import AppriseChannel
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.outbox import MAX_ATTEMPTS, Delivery, deliver
from payments_pipeline.notify.routes import DeliveryPlan, Route, quiet_hours
from payments_pipeline.notify.routing import DOWN_AFTER, HOLD_BACK
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.notify.conftest import Wrist, notify, shown
from payments_pipeline_tests.notify.sink import Sink

OpenOne = Callable[..., int]
Channels = dict[str, Channel]
EVERYTHING = DeliveryPlan()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def both(channels: Channels, sink: Sink) -> Channels:
    return channels | {"mail": AppriseChannel("mail", sink.address, timeout=1.0)}


def run(engine: Engine, channels: Channels, clock: Wrist, plan: DeliveryPlan = EVERYTHING) -> Delivery:
    return deliver(engine, channels, clock=clock, plan=plan, limit=500, patience=0, sleep=clock.sleep)


def soften(engine: Engine, severity: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.notifications SET severity = :severity"), {"severity": severity})


def test_every_channel_is_told_once(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    finding(channel="*")
    assert run(engine, both, clock).sent == 2
    assert run(engine, both, clock).sent == 0
    assert (len(shown(sandbox)), len(sink.calls)) == (1, 1)


def test_routes_choose_by_severity_and_report(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    finding("a", channel="*")
    soften(engine, "MEDIUM")
    finding("b", channel="*", report="stuck_authorizations")
    plan = DeliveryPlan({"discord": Route(reports=("activation_gaps",)), "mail": Route("HIGH")})
    run(engine, both, clock, plan)
    assert [message["embeds"][0]["footer"]["text"].split(" · ")[0] for message in shown(sandbox)] == ["activation_gaps"]
    assert ["stuck_authorizations" in body["message"] for _, body in sink.calls] == [True]


def test_what_is_grave_and_no_route_wants_goes_to_the_first_channel_with_its_end(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    plan = DeliveryPlan({"discord": Route("CRITICAL"), "mail": Route(reports=("refunds",))})
    one = finding("a", channel="*")
    soften(engine, "HIGH")
    assert run(engine, both, clock, plan).sent == 1
    with engine.begin() as connection:
        notify(connection, "resolved", one, "*")
    finding("b", channel="*")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE recon.notifications SET severity = 'MEDIUM' WHERE finding_id <> :a"), {"a": one}
        )
    assert run(engine, both, clock, plan).sent == 1
    assert [message["embeds"][0]["title"] for message in shown(sandbox)] == ["Resolved · Paid but not active"]
    assert sink.calls == []


def test_channel_that_told_of_a_finding_tells_its_end_and_only_discord_what_people_do(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    one = finding(channel="*")
    run(engine, both, clock)
    with engine.begin() as connection:
        notify(connection, "acknowledged", one, "*", handled_by="kim", handled_reason="On it")
    run(engine, both, clock)
    assert shown(sandbox)[0]["embeds"][0]["title"].startswith("Acknowledged · CRITICAL")
    assert shown(sandbox)[0]["embeds"][0]["description"] == "Acknowledged by kim: On it"
    assert len(sink.calls) == 1
    with engine.begin() as connection:
        notify(connection, "resolved", one, "*", resolution="Over.")
    run(engine, both, clock, DeliveryPlan({"mail": Route("HIGH", reports=("other",))}))
    assert len(sink.calls) == 1, "mail can not edit: it waits whether the finding comes back"
    assert shown(sandbox)[0]["embeds"][0]["title"].startswith("Resolved")
    clock.now += HOLD_BACK
    run(engine, both, clock)
    assert sink.titles[1:] == ["Resolved · Paid but not active"]
    assert len(shown(sandbox)) == 1


def test_what_people_do_with_a_finding_of_a_digest_posts_nothing(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    one = finding(channel="elsewhere")
    with engine.begin() as connection:
        notify(connection, "acknowledged", one, "*", handled_by="kim")
    assert run(engine, channels, clock) == Delivery(unconfigured=1)
    assert shown(sandbox) == []


def test_rise_rings_again_with_a_new_message_and_removes_the_old_one(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    one = finding(channel="*")
    run(engine, channels, clock)
    (first,) = [message["id"] for message in shown(sandbox)]
    with engine.begin() as connection:
        notify(connection, "risen", one, "*")
    run(engine, channels, clock)
    (second,) = [message["id"] for message in shown(sandbox)]
    assert first != second


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("22:00-07:00", "UTC", "2026-11-01T23:30", "2026-11-02T07:00"),
        ("22:00-07:00", "UTC", "2026-11-02T06:59", "2026-11-02T07:00"),
        ("22:00-07:00", "UTC", "2026-11-01T12:00", None),
        ("22:00-07:00", "Europe/Zurich", "2026-11-01T21:30", "2026-11-02T06:00"),
        ("12:00-13:30", "UTC", "2026-11-01T13:29", "2026-11-01T13:30"),
        ("22:00-07:00", "Europe/Zurich", "2026-10-24T22:30", "2026-10-25T06:00"),
        ("22:00-02:30", "Europe/Zurich", "2026-10-25T00:15", "2026-10-25T00:30"),
        ("22:00-02:30", "Europe/Zurich", "2026-10-25T01:15", "2026-10-25T01:30"),
        ("22:00-02:30", "Europe/Zurich", "2026-03-29T00:45", "2026-03-29T01:30"),
    ],
)
def test_quiet_hours_end_when_they_say(hours: str, zone: str, now: str, until: str | None) -> None:
    quiet = quiet_hours(hours, zone)
    assert quiet is not None
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert quiet.until(moment) == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


@pytest.mark.parametrize(
    ("hours", "zone"), [("late", "UTC"), ("22-7", "UTC"), ("25:00-07:00", "UTC"), ("22:00-07:00", "Mars/Dome")]
)
def test_quiet_hours_that_are_none_are_refused(hours: str, zone: str) -> None:
    with pytest.raises(ConfigurationError, match="QUIET_HOURS"):
        quiet_hours(hours, zone)


def test_quiet_hours_hold_back_what_is_below_high(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    plan = DeliveryPlan(quiet=quiet_hours("10:00-14:00", "UTC"))
    finding("a", channel="*")
    soften(engine, "MEDIUM")
    finding("b", channel="*")
    assert run(engine, channels, clock, plan).sent == 1
    clock.now = AS_OF + timedelta(hours=2)
    assert run(engine, channels, clock, plan).sent == 1


def test_what_becomes_grave_in_quiet_hours_is_told_at_once_with_what_was_held_back(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    plan = DeliveryPlan(quiet=quiet_hours("10:00-22:00", "UTC"))
    one = finding(channel="*")
    soften(engine, "MEDIUM")
    assert run(engine, both, clock, plan).sent == 0
    clock.now += timedelta(minutes=30)
    with engine.begin() as connection:
        notify(connection, "risen", one, "*")
    assert run(engine, both, clock, plan) == Delivery(sent=2)
    assert [message["embeds"][0]["title"] for message in shown(sandbox)] == ["CRITICAL · Paid but not active"]
    assert sink.titles == ["CRITICAL · Paid but not active"]
    clock.now += timedelta(days=1)
    assert run(engine, both, clock, plan).sent == 0


def test_deleted_webhook_is_stood_in_for_by_the_next_channel_at_once(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    only_discord = DeliveryPlan({"mail": Route("CRITICAL", reports=("nothing",))})
    finding("a", channel="*")
    sandbox.state.discord.gone = True
    assert run(engine, both, clock, only_discord).sent == 1
    assert "Instead of: discord" in sink.calls[0][1]["message"]
    sandbox.state.discord.gone = False
    clock.now += timedelta(minutes=2)
    run(engine, both, clock, only_discord)
    assert (len(shown(sandbox)), len(sink.calls)) == (1, 1), "each of them once, also when it is back"


def test_what_waits_for_a_channel_that_is_no_longer_configured_is_told_by_the_next(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    only_discord, mail = DeliveryPlan({"mail": Route(reports=("nothing",))}), {"mail": both["mail"]}
    one = finding("a", channel="*")
    with engine.begin() as connection:
        notify(connection, "acknowledged", one, "*", handled_by="kim")
    sandbox.faults.server_error("discord", times=None)
    run(engine, both, clock, only_discord)
    assert run(engine, mail, clock) == Delivery(unconfigured=2)
    clock.now += DOWN_AFTER
    assert run(engine, mail, clock) == Delivery(sent=1)
    assert "Instead of: discord" in sink.calls[0][1]["message"]
    assert run(engine, mail, clock) == Delivery(), "told once, and nothing waits for ever"


def test_channel_that_fails_for_long_is_stood_in_for_but_not_for_small_things(
    engine: Engine, both: Channels, clock: Wrist, sandbox: Sandbox, sink: Sink, finding: OpenOne
) -> None:
    only_discord = DeliveryPlan({"mail": Route(reports=("nothing",))})
    finding("a", channel="*")
    soften(engine, "MEDIUM")
    finding("b", channel="*")
    sandbox.faults.server_error("discord", times=None)
    while clock.now < AS_OF + DOWN_AFTER:
        assert sink.calls == []
        run(engine, both, clock, only_discord)
        clock.now += timedelta(minutes=4)
    run(engine, both, clock, only_discord)
    assert len(sink.calls) == 1


def test_backlog_of_an_outage_is_one_digest_a_report(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for number in range(30):
        finding(f"a{number}", channel="*")
    for number in range(3):
        finding(f"b{number}", channel="*", report="stuck_authorizations")
    outage = sandbox.faults.server_error("discord", times=None)
    run(engine, channels, clock)
    assert outage.fired == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.findings SET status = 'resolved' WHERE finding_id IN (4, 5)"))
        notify(connection, "resolved", 4, "*")
    sandbox.faults.clear()
    clock.now += timedelta(hours=2)
    run(engine, channels, clock)
    embeds = [message["embeds"][0] for message in shown(sandbox)]
    assert len(embeds) == 4
    (digest,) = [embed for embed in embeds if any(field["name"] == "Findings" for field in embed["fields"])]
    facts = {field["name"]: field["value"] for field in digest["fields"]}
    assert (facts["Findings"], facts["Over again"]) == ("28", "2")
    assert told_by(engine) == dict.fromkeys(range(1, 34), 1)


def test_a_storm_over_many_reports_is_a_digest_each_at_once_and_single_ones_stay_single(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for report in ("stuck_authorizations", "refunds", "disputes"):
        for number in range(15):
            finding(f"{report}{number}", channel="*", report=report)
    for number in range(2):
        finding(f"b{number}", channel="*", report="missing_payments")
    run(engine, channels, clock)
    assert len(shown(sandbox)) == 3 + 2
    assert told_by(engine) == dict.fromkeys(range(1, 48), 1)


def test_few_messages_of_many_reports_are_no_storm(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    for report in ("stuck_authorizations", "refunds"):
        for number in range(5):
            finding(f"{report}{number}", channel="*", report=report)
    run(engine, channels, clock)
    assert len(shown(sandbox)) == 10


def test_message_given_up_waits_for_a_person(
    engine: Engine, channels: Channels, clock: Wrist, sandbox: Sandbox, finding: OpenOne
) -> None:
    finding(channel="*")
    sandbox.faults.server_error("discord", times=None)
    for _ in range(MAX_ATTEMPTS):
        run(engine, channels, clock)
        clock.now += timedelta(hours=2)
    with engine.connect() as connection:
        states = connection.execute(text("SELECT state FROM recon.notifications ORDER BY notification_id")).scalars()
        assert list(states) == ["routed", "dead"]


def told_by(engine: Engine) -> dict[int, int]:
    """How many messages that were shown tell of each finding."""
    sql = """
        SELECT f.finding_id, count(n.notification_id) AS told
        FROM recon.findings f
        LEFT JOIN recon.notifications n
            ON n.state = 'sent' AND (n.kind = 'digest' AND f.finding_id = any(n.covers)
                OR n.kind IN ('opened', 'reopened') AND n.finding_id = f.finding_id)
        GROUP BY f.finding_id
    """
    with engine.connect() as connection:
        rows: Any = connection.execute(text(sql)).all()
    return {row.finding_id: row.told for row in rows}

"""What comes and goes is one message, in a channel that can edit as in one that can't; a flood is one digest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from payments_pipeline.notify.apprise_channel import AppriseChannel
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.discord import DiscordChannel
from payments_pipeline.notify.outbox import deliver
from payments_pipeline.notify.render import GREEN, ORANGE
from payments_pipeline.notify.routes import DeliveryPlan, Route
from payments_pipeline.notify.routing import HOLD_BACK
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes
from payments_pipeline_tests.notify.sink import Sink

MINUTE = timedelta(minutes=1)


class Rooms:
    """A Discord and a mailbox, and one round of delivery to both."""

    def __init__(self, desk: Desk, sandbox: Sandbox, mail: Sink) -> None:
        self.desk, self.sandbox, self.mail = desk, sandbox, mail
        self.plan = DeliveryPlan()
        self.channels: dict[str, Channel] = {
            "discord": DiscordChannel(sandbox.environment()["DISCORD_WEBHOOK_URL"], timeout=2.0),
            "mail": AppriseChannel("mail", mail.address, timeout=2.0),
        }

    def at(self, now: datetime) -> None:
        self.desk.refresh(now)
        deliver(self.desk.engine, self.channels, clock=lambda: now, plan=self.plan, limit=1000, patience=0)

    @property
    def embeds(self) -> list[dict[str, object]]:
        return [message["embeds"][0] for message in self.sandbox.state.discord.messages.values()]


@pytest.fixture
def rooms(desk: Desk) -> Iterator[Rooms]:
    with Sandbox(SandboxState()) as sandbox, Sink() as mail:
        yield Rooms(desk, sandbox, mail)


def many(desk: Desk, number: int) -> None:
    with desk.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO public.anomaly (thing, provider, user_id, amount, currency, count, seen_at)"
                " SELECT 'thing ' || n, 'stripe', n, 20, 'USD', 1, :at FROM generate_series(1, :number) AS n"
            ),
            {"number": number, "at": AS_OF},
        )


def nothing(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        connection.execute(text("TRUNCATE public.anomaly"))


def test_a_finding_that_flaps_ten_times_in_an_hour_is_one_message(rooms: Rooms) -> None:
    for flap in range(10):
        rooms.desk.anomaly("a")
        rooms.at(AS_OF + flap * 6 * MINUTE)
        assert rooms.embeds[0]["color"] == ORANGE
        nothing(rooms.desk)
        rooms.at(AS_OF + (flap * 6 + 3) * MINUTE)
        assert rooms.embeds[0]["color"] == GREEN
    assert len(rooms.embeds) == 1
    assert rooms.mail.titles == ["HIGH · Things amiss"]
    rooms.at(AS_OF + 90 * MINUTE)
    assert rooms.mail.titles == ["HIGH · Things amiss", "Resolved · Things amiss"]
    assert [row["episode"] for row in rooms.desk.findings()] == list(range(1, 11)), "history is kept all the same"


def test_a_rise_is_told_to_whom_it_concerns_and_rings_once_however_often_it_flaps(rooms: Rooms) -> None:
    rooms.plan = DeliveryPlan({"mail": Route("CRITICAL")})
    for flap in range(3):
        for step, severity in enumerate(("MEDIUM", "HIGH", "CRITICAL")):
            nothing(rooms.desk)
            rooms.desk.anomaly("a", severity=severity)
            rooms.at(AS_OF + (flap * 10 + step) * MINUTE)
            assert len(rooms.embeds) == 1
            assert str(rooms.embeds[0]["title"]).startswith(severity)
        nothing(rooms.desk)
        rooms.at(AS_OF + (flap * 10 + 3) * MINUTE)
    assert len([call for call in rooms.sandbox.requests if call.method == "POST"]) == 3, "opened, and each rise once"
    assert rooms.mail.titles == ["CRITICAL · Things amiss"]


def test_a_finding_that_is_back_after_the_flap_window_is_told_anew(rooms: Rooms) -> None:
    rooms.desk.anomaly("a")
    rooms.at(AS_OF)
    nothing(rooms.desk)
    rooms.at(AS_OF + MINUTE)
    rooms.desk.anomaly("a")
    rooms.at(AS_OF + 62 * MINUTE)
    assert [embed["color"] for embed in rooms.embeds] == [GREEN, ORANGE]


def test_a_finding_that_flaps_for_days_is_told_anew_each_day(rooms: Rooms) -> None:
    for flap in range(32):
        rooms.desk.anomaly("a")
        rooms.desk.refresh(AS_OF + flap * 50 * MINUTE)
        nothing(rooms.desk)
        rooms.desk.refresh(AS_OF + (flap * 50 + 25) * MINUTE)
    threads = {row["thread_id"] for row in rooms.desk.outbox()}
    assert len(threads) == 2


def test_a_flood_that_flaps_is_one_digest(rooms: Rooms) -> None:
    for flap in range(4):
        many(rooms.desk, 30)
        rooms.at(AS_OF + flap * 6 * MINUTE)
        nothing(rooms.desk)
        rooms.at(AS_OF + (flap * 6 + 3) * MINUTE)
    assert len(rooms.embeds) == 1
    rooms.at(AS_OF + 21 * MINUTE + HOLD_BACK)
    assert [embed["color"] for embed in rooms.embeds] == [ORANGE, GREEN]


def test_of_a_flood_that_is_back_in_part_the_rest_is_told_as_over(rooms: Rooms) -> None:
    many(rooms.desk, 30)
    rooms.at(AS_OF)
    nothing(rooms.desk)
    rooms.at(AS_OF + MINUTE)
    many(rooms.desk, 4)
    rooms.at(AS_OF + 2 * MINUTE)
    rooms.at(AS_OF + MINUTE + HOLD_BACK)
    (_, over) = rooms.embeds
    facts = {field["name"]: field["value"] for field in over["fields"]}  # type: ignore[attr-defined]
    assert facts["Findings"] == "26"


def test_ten_thousand_findings_at_once_are_one_digest_and_each_is_told_once(rooms: Rooms) -> None:
    many(rooms.desk, 10_000)
    begun = time.monotonic()
    rooms.at(AS_OF)
    assert time.monotonic() - begun < 20
    assert len(rooms.embeds) == 1
    assert rooms.desk.refresh(AS_OF + MINUTE) == changes(refreshed=10_000)
    nothing(rooms.desk)
    rooms.at(AS_OF + 2 * MINUTE)
    rooms.at(AS_OF + 2 * MINUTE + HOLD_BACK)
    assert len(rooms.embeds) == 2
    told = rooms.desk.all(
        "SELECT n.body ->> 'change' AS change, count(DISTINCT c.id) AS findings FROM recon.notifications AS n"
        " CROSS JOIN LATERAL unnest(n.covers) AS c (id) WHERE n.channel = 'discord' AND n.state = 'sent' GROUP BY 1"
    )
    assert {row["change"]: row["findings"] for row in told} == {"opened": 10_000, "resolved": 10_000}

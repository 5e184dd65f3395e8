"""Nothing lost, nothing doubled: a Discord that misbehaves in every way, senders that are killed, two at a time.

In the end each episode stands exactly once in the channel. `make soak-alerts` does the same for longer.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from payments_pipeline.findings.telling import Teller
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.notify.sender import send_for_ever

FINDINGS = int(os.environ.get("STORM_FINDINGS", "12"))
SECONDS = float(os.environ.get("STORM_SECONDS", "2"))
SEED = int(os.environ.get("STORM_SEED", "1"))
KINDS = ("rate_limited", "server_error", "hang", "cut_body", "invalid_json", "empty_body")
FRAME = '{"report": "activation_gaps", "title": "Paid, but without access", "why": "It hurts."}'


class Storm:
    """The faults, the senders and the kills of one random history."""

    def __init__(self, engine: Engine, sandbox: Sandbox, database: str) -> None:
        self.engine, self.sandbox, self.random = engine, sandbox, random.Random(SEED)
        self.begin = datetime.now(UTC)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["payments_pipeline_tests.notify.sender"])
        self._arguments = (database, sandbox.environment()["DISCORD_WEBHOOK_URL"], self.begin)
        self.senders = [self._sender(), self._sender()]
        self.kills = 0

    def _sender(self) -> Any:
        sender = self._context.Process(target=send_for_ever, args=self._arguments, daemon=True)
        sender.start()
        return sender

    def kill_one(self) -> None:
        place = self.random.randrange(len(self.senders))
        self.stop(place)
        self.senders[place] = self._sender()
        self.kills += 1

    def stop(self, place: int) -> None:
        self.senders[place].kill()
        self.senders[place].join()

    def spoil(self) -> None:
        kind: Any = self.random.choice(KINDS)
        self.sandbox.faults.add(
            Fault(
                "discord",
                kind,
                times=self.random.randint(1, 3),
                retry_after=self.random.choice([0.05, 2.0]),
                seconds=0.7,
                applied=kind != "rate_limited" and self.random.random() < 0.6,
                method=self.random.choice([None, "POST", "PATCH"]),
            )
        )
        self.sandbox.state.discord.gone = self.random.random() < 0.1


def test_every_episode_stands_in_the_channel_exactly_once_whatever_dies(engine: Engine, database: Any) -> None:
    url = database.render_as_string(hide_password=False)
    with Sandbox(SandboxState()) as sandbox:
        storm = Storm(engine, sandbox, url)
        rage(storm)
        calm(storm)
        for place in range(len(storm.senders)):
            storm.stop(place)
        told = Counter(
            match
            for message in sandbox.state.discord.messages.values()
            for embed in message["embeds"]
            for match in re.findall(r"finding (\d+) · episode 1", embed["footer"]["text"])
        )
        colours = {embed["color"] for message in sandbox.state.discord.messages.values() for embed in message["embeds"]}
    gathered = covered(engine)
    expected = {str(number): 1 for number in range(1, FINDINGS + 1)}
    assert storm.kills > 1
    wrong = [int(number) for number in expected if (told + gathered)[number] != 1]
    assert wrong == [], f"seed {SEED}, {storm.kills} kills: {history(engine, wrong)}"
    assert dict(told + gathered) == expected
    assert len(colours) > 1, "some were resolved on the way"


def rage(storm: Storm) -> None:
    """Findings open and are resolved while everything fails."""
    opened, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end or opened < FINDINGS:
        for _ in range(storm.random.randint(0, 6)):
            if opened < FINDINGS:
                opened += 1
                tell(storm, opened, "opened")
                if storm.random.random() < 0.3:
                    tell(storm, opened, "resolved")
        storm.spoil()
        time.sleep(storm.random.uniform(0.05, 0.4))
        if storm.random.random() < 0.5:
            storm.kill_one()


def calm(storm: Storm) -> None:
    """Everything works again; wait until the outbox is empty."""
    storm.sandbox.faults.clear()
    storm.sandbox.state.discord.gone = False
    with storm.engine.begin() as connection:  # the hour that a webhook that was gone is left alone, at most
        connection.execute(text("DELETE FROM recon.channel_pauses"))
        connection.execute(text("UPDATE recon.notifications SET next_attempt_at = created_at WHERE state = 'pending'"))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with storm.engine.connect() as connection:
            waiting = connection.execute(
                text("SELECT count(*) FROM recon.notifications WHERE state IN ('pending', 'sending')")
            ).scalar_one()
        if not waiting:
            return
        time.sleep(0.1)
    raise AssertionError(f"{waiting} messages still wait")


def tell(storm: Storm, number: int, kind: str) -> None:
    """One change, in the transaction that writes its notification."""
    now = storm.begin
    with storm.engine.begin() as connection:
        if kind == "opened":
            connection.execute(
                text(
                    "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, evidence, opened_at,"
                    " last_seen_at, times_seen)"
                    " VALUES ('activation_gaps', :key, 1, 'open', 'CRITICAL', '{}', :at, :at, 1)"
                ),
                {"key": str(number), "at": now},
            )
        else:
            connection.execute(
                text("UPDATE recon.findings SET status = 'resolved', resolution = 'Over.' WHERE fingerprint = :key"),
                {"key": str(number)},
            )
        Teller(connection, "activation_gaps", FRAME, now)._each([number], kind)


def covered(engine: Engine) -> Counter[str]:
    """Findings whose opening digests tell of; each digest that was sent stands in the channel.

    A digest can't be edited: the end of what it told of is a message of its own, or part of a later digest, and is not
    counted here.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
                SELECT f.finding
                FROM recon.notifications AS d
                CROSS JOIN unnest(d.covers) AS f (finding)
                WHERE d.kind = 'digest' AND d.channel = 'discord' AND d.state = 'sent'
                    AND NOT EXISTS (  -- this digest, or a message of its own, tells of the end of what one before told
                        SELECT 1 FROM recon.notifications AS e
                        INNER JOIN recon.notifications AS r
                            ON r.finding_id = f.finding AND r.channel = 'discord' AND r.kind = 'resolved'
                            AND r.notification_id > e.notification_id
                        WHERE e.kind = 'digest' AND e.state = 'sent' AND f.finding = any(e.covers)
                            AND (e.notification_id < d.notification_id
                                OR (e.notification_id = d.notification_id AND r.state = 'sent'))
                    )
            """)
        ).scalars()
        return Counter(str(row) for row in rows)


def history(engine: Engine, findings: list[int]) -> list[Any]:
    """What the outbox knows of these findings."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT notification_id, channel, kind, state, attempts, thread_id, message_id, last_error, covers"
                " FROM recon.notifications WHERE thread_id = any(:findings) OR covers && CAST(:findings AS bigint[])"
                " ORDER BY notification_id"
            ),
            {"findings": findings},
        )
        return [tuple(row) for row in rows]

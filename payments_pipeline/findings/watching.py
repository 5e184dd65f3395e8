"""Findings that no report makes: what we notice about ourselves, such as messages that could not be delivered.

Belongs here: raising, keeping and clearing such findings with the lifecycle that reports' findings have: episodes, one
message, acknowledging, snoozing. Does not belong here: what is amiss; each watch is told its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Connection, Engine

from payments_pipeline.db.sql import named
from payments_pipeline.findings.lifecycle import FindingChanges, Judgement, judge, lock, resolve_one, stage_unreadable
from payments_pipeline.findings.trust import EVERYBODY


@dataclass(frozen=True, slots=True)
class Watch:
    """A source of findings that is no report.

    Attributes:
        name: as `report` of its findings; no report's name.
        title, why, what_to_do: as a report's front matter has them.
        link: where its messages point to, e.g. a page of the UI.
    """

    name: str
    title: str
    why: str
    what_to_do: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Amiss:
    """One thing that is amiss now.

    Attributes:
        severity: LOW, MEDIUM, HIGH or CRITICAL.
        evidence: what people see; `provider`, `user_id`, `payment_id`, `amount`, `currency` and `reason` are understood
            as in a report's row. Words of it that change make a resolution by a person void; numbers and times do not.
    """

    severity: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def raise_finding(
    connection: Connection, watch: Watch, key: str, amiss: Amiss, *, at: datetime, run_id: str | None = None
) -> FindingChanges:
    """Open the finding `key` of this watch, or see it once more; others are left alone.

    Args:
        connection: the caller's transaction.
        key: identity of the anomaly within the watch, e.g. ``discord``.
        at: time of the change, UTC and aware.
    """
    judgement = _judgement(connection, watch, at, run_id, complete=False)
    _stage(connection, {key: amiss})
    return judge(connection, judgement)


def clear_finding(connection: Connection, watch: Watch, key: str, *, at: datetime) -> bool:
    """Resolve the live finding `key` of this watch; False when there is none."""
    judgement = _judgement(connection, watch, at, None, complete=False)
    _stage(connection, {})
    return resolve_one(connection, judgement, key)


def keep_watch(
    connection: Connection, watch: Watch, amiss: Mapping[str, Amiss], *, at: datetime, run_id: str | None = None
) -> FindingChanges:
    """Bring this watch's findings in line with all that is amiss now, by key; what is not named is resolved."""
    judgement = _judgement(connection, watch, at, run_id, complete=True)
    _stage(connection, amiss)
    return judge(connection, judgement)


UNDELIVERED = "undelivered_notifications"


def watch_undelivered(engine: Engine, *, at: datetime, ui_url: str, run_id: str | None = None) -> FindingChanges:
    """One finding a channel whose messages were given up, for as long as there are any.

    A finding a channel, not a message: its own alert goes to the same channels, and one that is given up in turn makes
    no further finding.
    """
    watch = Watch(
        UNDELIVERED,
        "Alerts that could not be delivered",
        "Messages to this channel were given up. Who relies on it does not know of what they told.",
        "Correct the channel's address, then send them again: payments-pipeline outbox requeue CHANNEL.",
        f"{ui_url.rstrip('/')}/jobs",
    )
    with engine.begin() as connection:
        dead = connection.execute(named("findings/undelivered.sql")).mappings().all()
        amiss = {
            row["channel"]: Amiss("HIGH", {key: value for key, value in row.items() if value is not None})
            for row in dead
        }
        return keep_watch(connection, watch, amiss, at=at, run_id=run_id)


def _judgement(connection: Connection, watch: Watch, at: datetime, run_id: str | None, *, complete: bool) -> Judgement:
    lock(connection, watch.name)
    frame = {
        "report": watch.name, "title": watch.title, "why": watch.why, "what_to_do": watch.what_to_do,
        "report_url": watch.link, "run_id": run_id,
    }  # fmt: skip
    told = orjson.dumps({key: value for key, value in frame.items() if value is not None}).decode()
    return Judgement(watch.name, None, at, told, EVERYBODY, {}, run_id, complete)


def _stage(connection: Connection, amiss: Mapping[str, Amiss]) -> None:
    stage_unreadable(connection, {})
    connection.execute(named("findings/stage_create.sql"))
    connection.execute(named("findings/stage_clear.sql"))
    for key, one in amiss.items():
        words = sorted((name, str(value)) for name, value in one.evidence.items() if isinstance(value, str | bool))
        evidence = {"key": key, "severity": one.severity} | dict(one.evidence)
        connection.execute(
            named("findings/stage_one.sql"),
            {
                "key": key,
                "severity": one.severity,
                "evidence": orjson.dumps(evidence, default=_text).decode(),
                "material": hashlib.sha256(orjson.dumps(words)).hexdigest(),
            },
        )


def _text(value: object) -> str:
    """What JSON has no form for: exact numbers as text; times are written by orjson itself."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)

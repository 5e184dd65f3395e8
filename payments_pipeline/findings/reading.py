"""Reads findings back: those that are live, and one with its whole story.

Belongs here: reading. Does not belong here: laying it out for people (present_findings.py), changing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Finding:
    """A live finding. `evidence` is the report's row: fractions as text, times as ISO 8601 in UTC."""

    finding_id: int
    report: str
    fingerprint: str
    episode: int
    status: str
    severity: str
    provider: str | None
    user_ref: str | None
    payment_ref: str | None
    amount: Decimal | None
    currency: str | None
    action: str | None
    evidence: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    times_seen: int


@dataclass(frozen=True, slots=True)
class FindingStory:
    """One finding as it was found, as it is now, and all that happened to it.

    Attributes:
        finding: every column of recon.findings; `found_evidence` and `found_severity` are as it was opened.
        coverage: the certificates by which it was believed when it was opened.
        episodes: all episodes of the same anomaly, this one included: finding_id, episode, status, opened_at,
            resolved_at, resolution.
        events: what people and repairs did, from the audit trail, oldest first.
        messages: what was told in which channel, by this finding's own message or in a digest.
    """

    finding: Mapping[str, Any]
    coverage: Sequence[Mapping[str, Any]]
    episodes: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which live findings; None: all. `user` is the application's id."""

    report: str | None = None
    severity: str | None = None
    user: str | None = None


EVERY = Wanted()


def live_findings(connection: Connection, wanted: Wanted = EVERY, limit: int = 1000) -> list[Finding]:
    """Findings that are not resolved, the gravest and oldest first."""
    asked = {**asdict(wanted), "most": limit}
    return [Finding(**row) for row in connection.execute(named("findings/live.sql"), asked).mappings()]


def count_live(connection: Connection, wanted: Wanted = EVERY) -> int:
    """How many findings `live_findings` would give without a limit."""
    return int(connection.execute(named("findings/count_live.sql"), asdict(wanted)).scalar_one())


def finding_story(connection: Connection, finding_id: int) -> FindingStory:
    """One finding with its proof and its history.

    Raises:
        PermanentError: there is no such finding.
    """
    asked = {"finding_id": finding_id}
    found = connection.execute(named("findings/story_finding.sql"), asked).mappings().one_or_none()
    if found is None:
        raise PermanentError(
            f"There is no finding {finding_id}.", where="recon.findings", remedy="payments-pipeline findings list"
        )

    def rows(name: str) -> list[Mapping[str, Any]]:
        return [dict(row) for row in connection.execute(named(f"findings/story_{name}.sql"), asked).mappings()]

    return FindingStory(dict(found), rows("coverage"), rows("episodes"), rows("events"), rows("messages"))

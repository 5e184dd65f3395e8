"""Closes or snoozes a finding because a person says so; nothing else changes.

Belongs here: the steps of these two repairs. Does not belong here: what closing and snoozing do, and how long they last
(findings/handling.py, the same for an action as for a command: triage.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.findings.handling import locked, resolve_in, snooze_in
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback


class _FindingKind:
    """What both have in common."""

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the finding, and its report before it: a refresh comes before or after."""
        del writeback
        locked(connection, int(target["finding_id"]))

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """``finding``: its report, status, episode; ``until`` as asked."""
        del as_of, desk
        place = {"finding_id": int(target["finding_id"])}
        row = connection.execute(named("remediation/read_finding.sql"), place).mappings().one_or_none()
        found = None if row is None else {key: jsonable(value) for key, value in row.items()}
        return {"finding_id": target["finding_id"], "until": target.get("until"), "finding": found}

    def stake(self, facts: Facts) -> Money | None:
        """None: no money moves."""
        del facts
        return None

    def _live(self, facts: Facts) -> str | None:
        finding = facts["finding"]
        if finding is None:
            return f"There is no finding {facts['finding_id']}."
        return "The finding is resolved already." if finding["status"] == "resolved" else None

    def _effect(self, facts: Facts, status: str) -> Facts:
        what = f"finding {facts['finding_id']} of {facts['finding']['report']}"
        return {"what": what, "field": "status", "before": facts["finding"]["status"], "after": status}


class ResolveFinding(_FindingKind):
    """Closes a finding because a person says that it is over; nothing else changes."""

    name = "resolve_finding"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``finding_id``."""
        return _target(evidence)

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Still live."""
        del as_of
        return self._live(facts)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The finding's status."""
        del as_of
        return [self._effect(facts, "resolved")]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Resolved, by whom and why."""
        del writeback
        resolve_in(connection, int(facts["finding_id"]), actor=order.actor, reason=order.reason, at=order.at)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Resolved."""
        del before
        return None if after["finding"]["status"] == "resolved" else "The finding is not resolved."


class SnoozeFinding(_FindingKind):
    """Lets a finding wait until a time that a person names; nothing else changes."""

    name = "snooze_finding"

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``finding_id`` and ``until``, a time."""
        target = _target(evidence)
        if target is None or _moment(evidence.get("until")) is None:
            return None
        return target | {"until": str(evidence["until"])}

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Still live, until some time to come."""
        until = _moment(facts["until"])
        if until is None or until <= as_of:
            return "The time until which it should wait has passed."
        return self._live(facts)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The finding's status and time."""
        del as_of
        when = {"what": self._effect(facts, "")["what"], "field": "snoozed_until", "before": None}
        return [self._effect(facts, "snoozed"), when | {"after": facts["until"]}]

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Snoozed until then, by whom and why."""
        del writeback
        until = _moment(facts["until"])
        assert until is not None  # noqa: S101  (checked)
        finding = int(facts["finding_id"])
        snooze_in(connection, finding, actor=order.actor, reason=order.reason, at=order.at, until=until)

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Snoozed."""
        del before
        return None if after["finding"]["status"] == "snoozed" else "The finding is not snoozed."


def _target(evidence: Mapping[str, Any]) -> dict[str, str] | None:
    number = str(evidence.get("finding_id") or "")
    return {"finding_id": number} if number.isascii() and number.isdigit() else None


def _moment(value: object) -> datetime | None:
    """A time as written, in UTC unless it says otherwise; None when it is none."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None

"""Closes or snoozes a finding because a person says so; nothing else changes.

Belongs here: the steps of these two repairs. Does not belong here: the life of findings (findings/), or the commands
by which people do the same without a proposal (triage.py, which also says when a finding that was closed comes back).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PreconditionError
from payments_pipeline.findings.lifecycle import known_frame
from payments_pipeline.findings.lifecycle import lock as lock_report
from payments_pipeline.findings.telling import Teller
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable
from payments_pipeline.remediation.kinds import Money, Order, Writeback


class _FindingKind:
    """What both have in common."""

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the findings of its report: no run changes them meanwhile."""
        del writeback
        place = {"finding_id": int(target["finding_id"])}
        report = connection.execute(named("findings/report_of.sql"), place).scalar()
        if report is not None:
            lock_report(connection, report)

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
    """A person says that it is over."""

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
        _handle(connection, "resolve_by_person", facts, order, status="resolved", more={})

    def verify(self, before: Facts, after: Facts) -> str | None:
        """Resolved."""
        del before
        return None if after["finding"]["status"] == "resolved" else "The finding is not resolved."


class SnoozeFinding(_FindingKind):
    """A person says that it may wait."""

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
        """Snoozed until then."""
        del writeback
        more = {"status": "snoozed", "until": _moment(facts["until"])}
        _handle(connection, "handle", facts, order, status="snoozed", more=more)

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
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _handle(
    connection: Connection, statement: str, facts: Facts, order: Order, *, status: str, more: Mapping[str, Any]
) -> None:
    """Write it down, and have its message edited."""
    place: dict[str, Any] = {"finding_id": int(facts["finding_id"])}
    values = place | {"at": order.at, "actor": order.actor, "reason": order.reason} | dict(more)
    changed = connection.execute(named(f"findings/{statement}.sql"), values).one_or_none()
    if changed is None:
        raise PreconditionError("The finding is not live any more.", where=f"finding {place['finding_id']}")
    frame = known_frame(connection, changed.report)
    Teller(connection, changed.report, frame, order.at).handled(place["finding_id"], status)

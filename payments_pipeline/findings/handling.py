"""What a person does with one finding, in the caller's transaction: the finding, and what is told of it.

Belongs here: who may go from which status to which. Does not belong here: the audit row of it, which its two callers
write as their own trail wants it (triage.py for people's commands, remediation/findings_by_hand.py for actions).
Locks are taken in the order of a refresh: the report's first, then the finding's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from payments_pipeline.core.people import given
from payments_pipeline.core.people import named as named_actor
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.findings.lifecycle import known_frame, lock
from payments_pipeline.findings.telling import Teller


@dataclass(frozen=True, slots=True)
class Handled:
    """Every column of the finding before and after; after reopening it is the new episode's."""

    before: Row[Any]
    after: Row[Any]


def locked(connection: Connection, finding_id: int) -> Row[Any] | None:
    """The finding, so that a refresh of its report comes before or after this transaction; None: there is none."""
    report = connection.execute(named("findings/report_of.sql"), {"finding_id": finding_id}).scalar()
    if report is None:
        return None
    lock(connection, report)
    connection.execute(named("findings/lock_finding.sql"), {"finding_id": finding_id})
    return connection.execute(named("findings/story_finding.sql"), {"finding_id": finding_id}).one()


def acknowledge_in(connection: Connection, finding_id: int, *, actor: str, reason: str | None, at: datetime) -> Handled:
    """See `triage.acknowledge`."""
    return _handle(connection, finding_id, "acknowledged", actor=actor, reason=reason, at=at, until=None)


def snooze_in(
    connection: Connection, finding_id: int, *, actor: str, reason: str | None, at: datetime, until: datetime
) -> Handled:  # fmt: skip
    """See `triage.snooze`."""
    if until <= at:
        raise PermanentError(
            f"{until.isoformat()} has passed already.", where=f"finding {finding_id}", remedy="Name a time to come."
        )
    return _handle(connection, finding_id, "snoozed", actor=actor, reason=reason, at=at, until=until)


def resolve_in(connection: Connection, finding_id: int, *, actor: str, reason: str, at: datetime) -> Handled:
    """See `triage.resolve`."""
    values = {
        "finding_id": finding_id,
        "actor": named_actor(actor),
        "reason": given(reason, f"finding {finding_id}"),
        "at": at,
    }
    before = _live(connection, finding_id, "resolved")
    after = connection.execute(named("findings/resolve_by_person.sql"), values).one()
    _tell(connection, after, finding_id, "resolved", at)
    return Handled(before, after)


def reopen_in(connection: Connection, finding_id: int, *, actor: str, reason: str, at: datetime) -> Handled:
    """See `triage.reopen`."""
    values = {
        "finding_id": finding_id,
        "actor": named_actor(actor),
        "reason": given(reason, f"finding {finding_id}"),
        "at": at,
    }
    before = _known(connection, finding_id)
    opened = connection.execute(named("findings/reopen_by_person.sql"), values).one_or_none()
    if opened is None:
        raise PreconditionError(
            f"Finding {finding_id} is not the last, resolved episode of its anomaly.",
            where=before.report,
            remedy=f"payments-pipeline findings show {finding_id} lists the episodes.",
        )
    _tell(connection, opened, opened.finding_id, "opened", at)
    return Handled(before, opened)


def _handle(
    connection: Connection, finding_id: int, status: str, *, actor: str, reason: str | None, at: datetime,
    until: datetime | None,
) -> Handled:  # fmt: skip
    values = {"finding_id": finding_id, "actor": named_actor(actor), "reason": reason, "at": at}
    before = _live(connection, finding_id, status)
    after = connection.execute(named("findings/handle.sql"), values | {"status": status, "until": until}).one()
    _tell(connection, after, finding_id, status, at)
    return Handled(before, after)


def _live(connection: Connection, finding_id: int, wanted: str) -> Row[Any]:
    found = _known(connection, finding_id)
    if found.status == "resolved":
        raise PreconditionError(
            f"Finding {finding_id} is resolved already: it can't be {wanted}.",
            where=found.report,
            remedy=f"payments-pipeline findings show {finding_id} tells by whom; reopen it if it is not over.",
        )
    return found


def _known(connection: Connection, finding_id: int) -> Row[Any]:
    found = locked(connection, finding_id)
    if found is None:
        raise PermanentError(
            f"There is no finding {finding_id}.", where="recon.findings", remedy="payments-pipeline findings list"
        )
    return found


def _tell(connection: Connection, finding: Row[Any], finding_id: int, kind: str, at: datetime) -> None:
    frame = known_frame(connection, finding.report)
    Teller(connection, finding.report, frame, at).handled(finding_id, kind)

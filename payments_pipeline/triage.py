"""What people do with findings: acknowledge, snooze, resolve, reopen. Each is one transaction with its audit row.

Belongs here: who may go from which status to which, and writing it down. Does not belong here: what the reconciliation
does by itself (findings/), or repairs (remediation/). The message of the finding is edited by the outbox afterwards.

A finding that a person resolved stays resolved for as long as its row is there as it was: the next run does not bring
it back. It opens as a new episode when the row was gone (in a complete coverage) and is there again, when a word or the
amount of the row has changed, or when it has become graver. Times, ages and counts of a row do not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.findings.lifecycle import known_frame, lock
from payments_pipeline.findings.telling import Teller
from payments_pipeline.remediation.audit import append

_KEPT = ("status", "severity", "snoozed_until", "resolved_at", "resolved_by", "resolution")


def acknowledge(engine: Engine, finding_id: int, *, actor: str, reason: str | None, at: datetime) -> None:
    """Somebody looks after it: no repair by itself, no further alert; it still resolves by itself.

    Args:
        actor: who; stands in the message and the audit trail.
        at: now, UTC and aware.

    Raises:
        PermanentError: no such finding, or no actor is named.
        PreconditionError: it is resolved already.
    """
    _handle(engine, finding_id, "acknowledged", actor=actor, reason=reason, at=at, until=None)


def snooze(engine: Engine, finding_id: int, *, actor: str, reason: str | None, at: datetime, until: datetime) -> None:
    """Nothing of it until then; it opens and is told again by itself, if it is still there, or if it rises to HIGH.

    Raises:
        PermanentError: `until` is not after `at`; no such finding; no actor is named.
        PreconditionError: it is resolved already.
    """
    if until <= at:
        raise PermanentError(
            f"{until.isoformat()} has passed already.", where=f"finding {finding_id}", remedy="Name a time to come."
        )
    _handle(engine, finding_id, "snoozed", actor=actor, reason=reason, at=at, until=until)


def resolve(engine: Engine, finding_id: int, *, actor: str, reason: str, at: datetime) -> None:
    """A person says it is over, and why. See the module's text for when it comes back.

    Raises:
        PermanentError: no reason or actor is given; no such finding.
        PreconditionError: it is resolved already.
    """
    if not reason.strip():
        raise PermanentError(
            "A resolution needs a reason.", where=f"finding {finding_id}", remedy="Say why it is over."
        )
    with engine.begin() as connection:
        before = _live(connection, finding_id, "resolved")
        after = connection.execute(
            named("findings/resolve_by_person.sql"),
            {"finding_id": finding_id, "actor": _named(actor), "reason": reason, "at": at},
        ).one()
        _tell(connection, after, finding_id, "resolved", at)
        _record(connection, "finding resolved", before, after, actor=actor, reason=reason, at=at)


def reopen(engine: Engine, finding_id: int, *, actor: str, reason: str, at: datetime) -> int:
    """Open the anomaly again, as a new episode with the evidence of the last one.

    The next run with complete coverage resolves it by itself when the report does not have the row.

    Returns:
        finding_id of the new episode.

    Raises:
        PermanentError: no such finding; no reason or actor is given.
        PreconditionError: an episode of it is live.
    """
    if not reason.strip():
        raise PermanentError("Reopening needs a reason.", where=f"finding {finding_id}", remedy="Say what is not over.")
    with engine.begin() as connection:
        before = _locked(connection, finding_id)
        opened = connection.execute(
            named("findings/reopen_by_person.sql"),
            {"finding_id": finding_id, "actor": _named(actor), "reason": reason, "at": at},
        ).one_or_none()
        if opened is None:
            raise PreconditionError(
                f"Finding {finding_id} is not the last, resolved episode of its anomaly.",
                where=before.report,
                remedy=f"payments-pipeline findings show {finding_id} lists the episodes.",
            )
        _tell(connection, opened, opened.finding_id, "opened", at)
        _record(connection, "finding reopened", before, opened, actor=actor, reason=reason, at=at)
        return int(opened.finding_id)


def _handle(
    engine: Engine, finding_id: int, status: str, *, actor: str, reason: str | None, at: datetime,
    until: datetime | None,
) -> None:  # fmt: skip
    values = {"finding_id": finding_id, "actor": _named(actor), "reason": reason, "at": at}
    with engine.begin() as connection:
        before = _live(connection, finding_id, status)
        after = connection.execute(named("findings/handle.sql"), values | {"status": status, "until": until}).one()
        _tell(connection, after, finding_id, status, at)
        _record(connection, f"finding {status}", before, after, actor=actor, reason=reason, at=at)


def _live(connection: Connection, finding_id: int, wanted: str) -> Row[Any]:
    found = _locked(connection, finding_id)
    if found.status == "resolved":
        raise PreconditionError(
            f"Finding {finding_id} is resolved already: it can't be {wanted}.",
            where=found.report,
            remedy=f"payments-pipeline findings show {finding_id} tells by whom; reopen it if it is not over.",
        )
    return found


def _locked(connection: Connection, finding_id: int) -> Row[Any]:
    """The finding, with its report's lock held: a refresh comes before or after, never between."""
    report = connection.execute(named("findings/report_of.sql"), {"finding_id": finding_id}).scalar()
    if report is None:
        raise PermanentError(
            f"There is no finding {finding_id}.", where="recon.findings", remedy="payments-pipeline findings list"
        )
    lock(connection, report)
    return connection.execute(named("findings/story_finding.sql"), {"finding_id": finding_id}).one()


def _tell(connection: Connection, finding: Row[Any], finding_id: int, kind: str, at: datetime) -> None:
    frame = known_frame(connection, finding.report)
    Teller(connection, finding.report, frame, at).handled(finding_id, kind)


def _record(
    connection: Connection, event: str, before: Row[Any], after: Row[Any], *, actor: str, reason: str | None,
    at: datetime,
) -> None:  # fmt: skip
    append(
        connection,
        at=at,
        actor=actor,
        event=event,
        finding_id=after.finding_id,
        user_ref=after.user_ref,
        payment_ref=after.payment_ref,
        reason=reason,
        before=_facts(before),
        after=_facts(after),
        details={"report": after.report, "episode": after.episode},
    )


def _facts(finding: Row[Any]) -> Mapping[str, Any]:
    return {name: getattr(finding, name) for name in _KEPT}


def _named(actor: str) -> str:
    if not actor.strip():
        raise PermanentError("Nobody is named as the one who does it.", where="actor", remedy="Pass who does it.")
    return actor

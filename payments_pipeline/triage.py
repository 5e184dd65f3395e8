"""What people do with findings: acknowledge, snooze, resolve, reopen. Each is one transaction with its audit row.

Belongs here: the transaction, and writing it down. Does not belong here: who may go from which status to which
(findings/handling.py), what the reconciliation does by itself (findings/), or repairs (remediation/). The message of
the finding is edited by the outbox afterwards.

A finding that a person resolved stays resolved for as long as its row is there as it was: the next run does not bring
it back. It opens as a new episode when the row was gone (in a complete coverage) and is there again, when a word or the
amount of the row has changed, or when it has become graver. Times, ages and counts of a row do not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from payments_pipeline.findings.handling import Handled, acknowledge_in, reopen_in, resolve_in, snooze_in
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
    with engine.begin() as connection:
        done = acknowledge_in(connection, finding_id, actor=actor, reason=reason, at=at)
        _record(connection, "finding acknowledged", done, actor=actor, reason=reason, at=at)


def snooze(engine: Engine, finding_id: int, *, actor: str, reason: str | None, at: datetime, until: datetime) -> None:
    """Nothing of it until then; it opens and is told again by itself, if it is still there, or if it rises to HIGH.

    Raises:
        PermanentError: `until` is not after `at`; no such finding; no actor is named.
        PreconditionError: it is resolved already.
    """
    with engine.begin() as connection:
        done = snooze_in(connection, finding_id, actor=actor, reason=reason, at=at, until=until)
        _record(connection, "finding snoozed", done, actor=actor, reason=reason, at=at)


def resolve(engine: Engine, finding_id: int, *, actor: str, reason: str, at: datetime) -> None:
    """A person says it is over, and why. See the module's text for when it comes back.

    Raises:
        PermanentError: no reason or actor is given; no such finding.
        PreconditionError: it is resolved already.
    """
    with engine.begin() as connection:
        done = resolve_in(connection, finding_id, actor=actor, reason=reason, at=at)
        _record(connection, "finding resolved", done, actor=actor, reason=reason, at=at)


def reopen(engine: Engine, finding_id: int, *, actor: str, reason: str, at: datetime) -> int:
    """Open the anomaly again, as a new episode with the evidence of the last one.

    The next run with complete coverage resolves it by itself when the report does not have the row.

    Returns:
        finding_id of the new episode.

    Raises:
        PermanentError: no such finding; no reason or actor is given.
        PreconditionError: an episode of it is live.
    """
    with engine.begin() as connection:
        done = reopen_in(connection, finding_id, actor=actor, reason=reason, at=at)
        _record(connection, "finding reopened", done, actor=actor, reason=reason, at=at)
        return int(done.after.finding_id)


def _record(connection: Connection, event: str, done: Handled, *, actor: str, reason: str | None, at: datetime) -> None:
    append(
        connection,
        at=at,
        actor=actor,
        event=event,
        finding_id=done.after.finding_id,
        user_ref=done.after.user_ref,
        payment_ref=done.after.payment_ref,
        reason=reason,
        before=_facts(done.before),
        after=_facts(done.after),
        details={"report": done.after.report, "episode": done.after.episode},
    )


def _facts(finding: Row[Any]) -> Mapping[str, Any]:
    return {name: getattr(finding, name) for name in _KEPT}

"""The audit trail: who did what to whom, and why; appended, never changed, each row with the hash of the one before.

Belongs here: adding a row, and proving the chain. Does not belong here: deciding what is worth a row. The chain shows
any row that was changed, put in or taken out by somebody who did not compute all later hashes anew. Rows cut off at its
end, and a chain computed anew, show only against a `head` noted elsewhere, or where a repair is left without its row.
Policies changed by SQL have no row; they show as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.people import tidy
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError
from payments_pipeline.remediation.facts import canonical, jsonable

GENESIS = "0" * 64
_HASHED = (
    "audit_id", "at", "actor", "event", "action_id", "finding_id", "user_ref", "payment_ref", "reason", "before",
    "after", "details",
)  # fmt: skip
_JSON = ("before", "after", "details")
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """Result of `verify`.

    Attributes:
        rows: rows that were read and found in order.
        broken_at: audit_id of the first row that does not fit; None when all fit.
        head: hash of the last row that fits, to be noted outside this database.
        unaudited: repairs that count as verified and have no row that says so; at most 20.
        beside: changes of policies and limits that no row tells of: made by SQL, past the commands; at most 20.
        noted: whether the head that was noted before is the hash of one of the rows; None: none was given.
    """

    rows: int
    broken_at: int | None
    head: str
    unaudited: tuple[int, ...] = ()
    noted: bool | None = None
    beside: tuple[str, ...] = ()

    @property
    def trouble(self) -> str | None:
        """What is wrong, in words; None when nothing is."""
        if self.broken_at is not None:
            return f"BROKEN at row {self.broken_at}; {self.rows} rows before it are whole."
        if self.noted is False:
            return "CUT OFF OR WRITTEN ANEW: no row has the noted head."
        if self.unaudited:
            return f"ROWS ARE MISSING: nothing tells of the verified actions {', '.join(map(str, self.unaudited))}."
        if self.beside:
            return (
                f"POLICY WAS CHANGED BESIDE THE COMMANDS: {'; '.join(self.beside)}. Look at recon.policy_versions; if "
                "it was meant, enter it with: payments-pipeline actions policy-record."
            )
        return None


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    event: str,
    action_id: int | None = None,
    finding_id: int | None = None,
    user_ref: str | None = None,
    payment_ref: str | None = None,
    reason: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Add one row in the caller's transaction, which holds the chain's lock until it ends: append last.

    Args:
        connection: in a READ COMMITTED transaction (the end of the chain is read after the lock is won).
        actor: who did it; never empty.

    Returns:
        audit_id.

    Raises:
        PermanentError: nobody is named as the actor.
    """
    if not (who := tidy(actor)):
        raise PermanentError("An audit row needs an actor.", where=event, remedy="Pass who does it.")
    connection.execute(named("remediation/audit_lock.sql"))
    last = connection.execute(named("remediation/audit_last.sql")).one_or_none()
    row: dict[str, Any] = {
        "audit_id": 1 if last is None else last.audit_id + 1,
        "at": at,
        "actor": who,
        "event": event,
        "action_id": action_id,
        "finding_id": finding_id,
        "user_ref": user_ref,
        "payment_ref": payment_ref,
        "reason": reason,
        "before": before,
        "after": after,
        "details": details or {},
    }
    row = {key: value if key == "at" else jsonable(value) for key, value in row.items()}
    previous = GENESIS if last is None else last.hash
    stored = {key: canonical(row[key]) if key in _JSON and row[key] is not None else row[key] for key in row}
    chain = {"previous_hash": previous, "hash": _hash(previous, row)}
    connection.execute(named("remediation/audit_insert.sql"), stored | chain)
    return int(row["audit_id"])


def verify(connection: Connection, *, head: str | None = None) -> AuditCheck:
    """Recompute the chain from its first row; memory stays flat however long it is.

    Args:
        head: as noted before; rows may have followed it since.
    """
    previous, rows = GENESIS, 0
    wanted = None if head is None else head.strip().lower()
    noted = None if wanted is None else wanted == GENESIS
    unaudited = tuple(connection.execute(named("remediation/unaudited.sql")).scalars())
    found = connection.execute(named("remediation/policies_beside.sql")).all()
    beside = tuple(f"version {row.policy_version_id}, {row.change} of {row.changed_table} by {row.database_user}"
                   for row in found[:MOST_TOLD])  # fmt: skip
    statement = named("remediation/audit_chain.sql").execution_options(stream_results=True, yield_per=1000)
    with connection.execute(statement) as links:
        for record in links.mappings():
            link = dict(record)
            fits = link["audit_id"] == rows + 1 and link["previous_hash"] == previous
            if not fits or link["hash"] != _hash(previous, link):
                return AuditCheck(rows, int(link["audit_id"]), previous, unaudited, noted, beside)
            previous, rows = link["hash"], rows + 1
            noted = noted if wanted is None else noted or previous == wanted
    return AuditCheck(rows, None, previous, unaudited, noted, beside)


def _hash(previous: str, row: Mapping[str, Any]) -> str:
    content = canonical({key: row[key] for key in _HASHED})
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()

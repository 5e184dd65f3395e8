"""Changing what may happen by itself: one policy with its limits, in one transaction with its audit row.

Belongs here: what a command may change, and who must agree: what only tightens holds at once, what loosens a kind of
repair that people must approve waits for a second person. Does not belong here: what a policy means (policy.py), what
loosens one (policy_loosening.py), whether a report is known (repairs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.core.people import given, person, same
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.facts import canonical, jsonable
from payments_pipeline.remediation.policy import EVERY_REPORT, Policies, Policy, policies, policy_for
from payments_pipeline.remediation.policy_loosening import approvals_matter, loosened
from payments_pipeline.remediation.policy_writing import LIMIT_FIELDS, POLICY_FIELDS, Limits, write

REQUEST_LASTS = timedelta(days=7)
"""So long a change waits for a second person."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What became of a change that was asked for.

    Attributes:
        request_id: under this number it waits for a second person; None: it holds.
        loosens: what it allows that was not allowed before, in words.
    """

    request_id: int | None
    loosens: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    kind: str
    report: str
    changes: Mapping[str, Any]
    limits: Limits

    @property
    def key(self) -> dict[str, str]:
        return {"action": self.kind, "report": self.report}

    def stored(self) -> str:
        """As JSON: spans of time as seconds, sums as texts."""
        changes = {name: _seconds(value) for name, value in self.changes.items()}
        return canonical({"changes": changes, "limits": self.limits})


def change_policy(
    engine: Engine,
    kind: str,
    *,
    actor: str,
    as_of: datetime,
    report: str = EVERY_REPORT,
    changes: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> PolicyChange:
    """Change the policy of a kind, or of one report's actions of that kind; a new one begins as a copy of the kind's.

    What loosens it, where approvals matter for the kind, is kept until a second person confirms it.

    Args:
        changes: some of POLICY_FIELDS.
        limits: what changes of the limits on sums; a currency's other limits stay.

    Raises:
        PermanentError: a field or kind is unknown, the database refuses a value, or one person alone must not do it.
    """
    wanted = _Wanted(kind, report, dict(changes or {}), dict(limits or {}))
    _refuse_unknown(wanted)
    who = person(actor)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            found, loosens = _written(connection, wanted, who, as_of)
            if not loosens:
                _tell(connection, wanted, who, as_of, found)
                return PolicyChange(None)
            transaction.rollback()
    except DBAPIError as error:
        raise _refused_by_database(kind, error) from error
    with engine.begin() as connection:
        return PolicyChange(_asked(connection, wanted, who, as_of, (*found, loosens)), loosens)


def confirm_policy(engine: Engine, request_id: int, *, actor: str, as_of: datetime) -> None:
    """Agree to a change that somebody else has asked for; from now on it holds.

    Raises:
        PermanentError: there is no such request, or nobody is named.
        PreconditionError: whoever asked confirms, it is decided or lapsed, or the policy has changed since.
    """
    who = person(actor)
    try:
        with engine.begin() as connection:
            row = _waiting(connection, request_id, as_of)
            if same(row.asked_by) == same(who):
                raise PreconditionError(
                    f"{who} asked for change {request_id} of policy.", remedy="Somebody else must confirm it."
                )
            wanted = _Wanted(row.action, row.report, _restored(row.changes["changes"]), _sums(row.changes["limits"]))
            found, loosens = _written(connection, wanted, who, as_of)
            if _terms(found[0]) != row.before or loosens != row.loosens:
                raise PreconditionError(
                    f"The policy has changed since change {request_id} was asked for.", remedy="Ask for it anew."
                )
            _decide(connection, request_id, "confirmed", who, as_of)
            _tell(connection, wanted, who, as_of, found, request=request_id, asked_by=row.asked_by)
    except DBAPIError as error:
        raise _refused_by_database(f"change {request_id}", error) from error


def refuse_policy(engine: Engine, request_id: int, *, actor: str, as_of: datetime, reason: str) -> None:
    """Decide that a change is not to be made; whoever asked for it may, too.

    Raises:
        PermanentError: there is no such request, nobody is named, or no reason. PreconditionError: it is decided or
            lapsed.
    """
    who, why = person(actor), given(reason, f"change {request_id} of policy")
    with engine.begin() as connection:
        row = _waiting(connection, request_id, as_of)
        _decide(connection, request_id, "refused", who, as_of)
        key = {"action": row.action, "report": row.report, "request": request_id, "asked_by": row.asked_by}
        audit.append(connection, at=as_of, actor=who, event="policy.refused", reason=why, details=key)


def record_policy(engine: Engine, *, actor: str, as_of: datetime, reason: str) -> int:
    """Enter in the audit trail what was changed in the policies by SQL, past the commands. Returns how many versions.

    Raises:
        PermanentError: nobody is named, or no reason.
    """
    who, why = person(actor), given(reason, "policies changed by SQL")
    with engine.begin() as connection:
        connection.execute(named("remediation/policies_lock.sql"))
        rows = connection.execute(named("remediation/policies_beside.sql")).mappings().all()
        if rows:
            told = [{**row, "at": jsonable(row["at"])} for row in rows]
            versions = [row["policy_version_id"] for row in rows]
            audit.append(connection, at=as_of, actor=who, event="policy.recorded", reason=why,
                         details={"versions": versions, "changes": jsonable(told)})  # fmt: skip
    return len(rows)


def _written(connection: Connection, wanted: _Wanted, who: str, as_of: datetime) -> tuple[tuple[Policy, Policy], str]:
    """The policy before and after, written; and what it loosens, where that takes two people, else nothing."""
    connection.execute(named("remediation/policies_lock.sql"))
    known = policies(connection)
    before = policy_for(known, wanted.kind, wanted.report)
    write(connection, wanted.key, wanted.changes, wanted.limits, actor=who, at=as_of)
    now = policies(connection)
    looser = _loosened_anywhere(known, now, wanted) if approvals_matter(known, wanted.kind) else []
    return (before, now[wanted.kind, wanted.report]), "; ".join(looser)


def _loosened_anywhere(known: Policies, now: Policies, wanted: _Wanted) -> list[str]:
    """In words, for this policy and every other of its kind: a limit of the kind holds for each report without one.

    What is tighter for the kind may be looser there: a report with limits had two approvals for any other currency.
    """
    words: list[str] = []
    for kind, report in sorted(now):
        if kind == wanted.kind:
            looser = loosened(policy_for(known, kind, report), now[kind, report])
            words += looser if report == wanted.report else [f"{report}: {one}" for one in looser]
    return words


def _tell(
    connection: Connection, wanted: _Wanted, who: str, as_of: datetime, found: tuple[Policy, Policy], **more: Any
) -> None:
    before, after = found
    versions = list(connection.execute(named("remediation/policy_versions_of_mine.sql")).scalars())
    audit.append(connection, at=as_of, actor=who, event="policy.changed", reason=wanted.kind, before=_terms(before),
                 after=_terms(after), details={**wanted.key, "versions": versions, **more})  # fmt: skip


def _asked(
    connection: Connection, wanted: _Wanted, who: str, as_of: datetime, found: tuple[Policy, Policy, str]
) -> int:
    before, after, loosens = found
    row = {
        **wanted.key,
        "changes": wanted.stored(),
        "before": canonical(_terms(before)),
        "after": canonical(_terms(after)),
        "loosens": loosens,
        "actor": who,
        "at": as_of,
        "expires_at": as_of + REQUEST_LASTS,
    }
    request = int(connection.execute(named("remediation/insert_policy_request.sql"), row).scalar_one())
    audit.append(connection, at=as_of, actor=who, event="policy.asked", reason=wanted.kind, before=_terms(before),
                 after=_terms(after), details={**wanted.key, "request": request, "loosens": loosens})  # fmt: skip
    return request


def _waiting(connection: Connection, request_id: int, as_of: datetime) -> Any:
    row = connection.execute(named("remediation/lock_policy_request.sql"), {"request_id": request_id}).one_or_none()
    if row is None:
        raise PermanentError(f"There is no change {request_id} of policy.", where="recon.policy_requests")
    if row.state != "waiting" or row.expires_at <= as_of:
        how = row.state if row.state != "waiting" else f"lapsed since {row.expires_at}"
        raise PreconditionError(f"Change {request_id} of policy is {how}.", remedy="Ask for it anew.")
    return row


def _decide(connection: Connection, request_id: int, state: str, who: str, as_of: datetime) -> None:
    row = {"request_id": request_id, "state": state, "actor": who, "at": as_of}
    connection.execute(named("remediation/decide_policy_request.sql"), row)


def _refuse_unknown(wanted: _Wanted) -> None:
    named_limits = {name for one in wanted.limits.values() for name in one}
    unknown = sorted({*wanted.changes} - {*POLICY_FIELDS} | named_limits - {*LIMIT_FIELDS})
    if unknown or not (wanted.changes or wanted.limits):
        known = ", ".join((*POLICY_FIELDS, *LIMIT_FIELDS))
        raise PermanentError(f"Not a field of a policy: {unknown}.", remedy=f"One of {known}.")


def _refused_by_database(what: str, error: DBAPIError) -> PermanentError:
    return PermanentError(f"Policy for {what} can't be so: {str(error.orig).splitlines()[0]}.", where="recon.policies")


def _terms(policy: Policy) -> dict[str, Any]:
    """What is in force, as JSON, by the names of the columns; its number is left out: that alone is no other policy."""
    limits = {
        currency: dict(zip(LIMIT_FIELDS, (one.per_run, one.per_day, one.second_approval_above), strict=True))
        for currency, one in policy.limits.items()
    }
    fields = {name: getattr(policy, name) for name in (*POLICY_FIELDS, "report")}
    return dict(jsonable(fields | {"limits": limits}))


def _seconds(value: Any) -> Any:
    return int(value.total_seconds()) if isinstance(value, timedelta) else value


def _restored(changes: Mapping[str, Any]) -> dict[str, Any]:
    seconds = changes.get("expires_after")
    return dict(changes) | ({} if seconds is None else {"expires_after": timedelta(seconds=seconds)})


def _sums(limits: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Decimal]]:
    return {currency: {name: Decimal(value) for name, value in one.items()} for currency, one in limits.items()}

"""Changing what may happen by itself: one policy with its limits, in one transaction with its audit row.

Belongs here: what a command may change, and what one person alone may not. Does not belong here: what a policy means
(policy.py), whether a report is known (repairs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.core.people import person
from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.facts import jsonable
from payments_pipeline.remediation.policy import EVERY_REPORT
from payments_pipeline.remediation.registry import MONEY_KINDS

POLICY_FIELDS = ("mode", "approvals", "max_per_run", "max_per_day", "expires_after")
LIMIT_FIELDS = ("max_amount_per_run", "max_amount_per_day", "second_approval_above")
SECOND_AT_MOST = Decimal(500)
"""Major units. No command lets one approval do for more, unless more stands there already."""
BY_SQL = "That is a decision for who may write to the database."

Limits = Mapping[str, Mapping[str, Decimal]]
"""By currency: some of LIMIT_FIELDS."""


def change_policy(
    engine: Engine,
    kind: str,
    *,
    actor: str,
    as_of: datetime,
    report: str = EVERY_REPORT,
    changes: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> None:
    """Change the policy of a kind, or of one report's actions of that kind; a new one begins as a copy of the kind's.

    Args:
        changes: some of POLICY_FIELDS.
        limits: what changes of the limits on sums; a currency's other limits stay.

    Raises:
        PermanentError: a field or kind is unknown, the database refuses a value, or one person alone must not do it.
    """
    wanted, sums = dict(changes or {}), dict(limits or {})
    unknown = sorted({*wanted} - {*POLICY_FIELDS} | {name for one in sums.values() for name in one} - {*LIMIT_FIELDS})
    if unknown or not (wanted or sums):
        known = ", ".join((*POLICY_FIELDS, *LIMIT_FIELDS))
        raise PermanentError(f"Not a field of a policy: {unknown}.", remedy=f"One of {known}.")
    key, who = {"action": kind, "report": report}, person(actor)
    try:
        with engine.begin() as connection:
            before = _policy(connection, key)
            base = before or _policy(connection, key | {"report": EVERY_REPORT})
            if base is None:
                raise PermanentError(f"There is no policy for {kind}.", where="recon.policies", remedy="Name a kind.")
            values = {name: wanted.get(name, base[name]) for name in POLICY_FIELDS}
            _refuse_without_approval(kind, wanted, values)
            connection.execute(named("remediation/store_policy.sql"), key | values | {"at": as_of, "actor": who})
            for currency, changed in sums.items():
                _store_limit(connection, key, currency, changed)
            after = _policy(connection, key)
            audit.append(connection, at=as_of, actor=who, event="policy.changed", reason=kind,
                         before=jsonable(before), after=jsonable(after), details=key)  # fmt: skip
    except DBAPIError as error:
        raise PermanentError(
            f"Policy for {kind} can't be so: {str(error.orig).splitlines()[0]}.", where="recon.policies"
        ) from error


def _refuse_without_approval(kind: str, changes: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Money never changes hands by one person's word: no command makes it so, neither by mode nor by approvals."""
    if kind not in MONEY_KINDS or not {"mode", "approvals"} & set(changes) or values["mode"] == "off":
        return
    if int(values["approvals"]) < 1:
        raise PermanentError(
            f"{kind} moves money: it needs one approval at least, whatever its mode.",
            where="recon.policies",
            remedy=f"Leave one approval or two. {BY_SQL}",
        )


def _store_limit(
    connection: Connection, key: Mapping[str, str], currency: str, changed: Mapping[str, Decimal]
) -> None:  # fmt: skip
    """One currency's limits. Where it had none, any sum needed two approvals, and so it stays until said otherwise."""
    kinds = _limits(connection, {**key, "report": EVERY_REPORT})
    nothing = {"max_amount_per_run": None, "max_amount_per_day": None, "second_approval_above": Decimal()}
    now = _limits(connection, key).get(currency) or kinds.get(currency) or nothing
    allowed = now["second_approval_above"]
    above = changed.get("second_approval_above")
    if key["action"] in MONEY_KINDS and above is not None and allowed is not None and above > allowed:
        most = max(allowed, SECOND_AT_MOST)
        if above > most:
            raise PermanentError(
                f"{key['action']} moves money: above {most} {currency} two people must agree.",
                where="recon.policy_limits",
                remedy=f"Leave the second approval at {most} or below. {BY_SQL}",
            )
    connection.execute(named("remediation/store_limit.sql"), {**key, "currency": currency, **now, **changed})


def _policy(connection: Connection, key: Mapping[str, str]) -> dict[str, Any] | None:
    rows = connection.execute(named("remediation/policies.sql")).mappings()
    found = next((row for row in rows if (row["action"], row["report"]) == (key["action"], key["report"])), None)
    if found is None:
        return None
    return {name: found[name] for name in (*POLICY_FIELDS, "version")} | {"limits": _limits(connection, key)}


def _limits(connection: Connection, key: Mapping[str, str]) -> dict[str, dict[str, Decimal | None]]:
    """Those of this policy itself, by currency."""
    rows = connection.execute(named("remediation/policy_limits.sql")).mappings()
    return {
        row["currency"]: {name: row[name] for name in LIMIT_FIELDS}
        for row in rows
        if (row["action"], row["report"]) == (key["action"], key["report"])
    }

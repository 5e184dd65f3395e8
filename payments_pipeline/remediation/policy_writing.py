"""Writes one policy with its limits; what no command writes, whoever agrees.

Belongs here: the rows, and the bounds that commands keep. Does not belong here: who must agree (policy_change.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError
from payments_pipeline.remediation.policy import EVERY_REPORT
from payments_pipeline.remediation.registry import MONEY_KINDS

POLICY_FIELDS = ("mode", "approvals", "max_per_run", "max_per_day", "expires_after")
LIMIT_FIELDS = ("max_amount_per_run", "max_amount_per_day", "second_approval_above")
SECOND_AT_MOST = Decimal(500)
"""Major units. No command lets one approval do for more, unless more stands there already."""
BY_SQL = "That is a decision for who may write to the database."

Limits = Mapping[str, Mapping[str, Decimal]]
"""By currency: some of LIMIT_FIELDS."""


def write(
    connection: Connection,
    key: Mapping[str, str],
    changes: Mapping[str, Any],
    limits: Limits,
    *,
    actor: str,
    at: datetime,
) -> None:
    """Write what changes; the rest stays, or is copied from the kind's policy where the report had none of its own.

    Args:
        key: ``action`` and ``report``.

    Raises:
        PermanentError: the kind has no policy, or no command may write this.
    """
    base = _policy(connection, key) or _policy(connection, {**key, "report": EVERY_REPORT})
    if base is None:
        raise PermanentError(f"There is no policy for {key['action']}.", where="recon.policies", remedy="Name a kind.")
    values = {name: changes.get(name, base[name]) for name in POLICY_FIELDS}
    _refuse_without_approval(key["action"], changes, values)
    connection.execute(named("remediation/store_policy.sql"), {**key, **values, "at": at, "actor": actor})
    for currency, changed in limits.items():
        _store_limit(connection, key, currency, changed)


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
    return None if found is None else {name: found[name] for name in POLICY_FIELDS}


def _limits(connection: Connection, key: Mapping[str, str]) -> dict[str, dict[str, Decimal | None]]:
    """Those of this policy itself, by currency."""
    rows = connection.execute(named("remediation/policy_limits.sql")).mappings()
    return {
        row["currency"]: {name: row[name] for name in LIMIT_FIELDS}
        for row in rows
        if (row["action"], row["report"]) == (key["action"], key["report"])
    }

"""Policy: what may happen by itself, who must agree, and how much at most; data in the database, pure rules here.

Belongs here: reading policies and the rules on them. Does not belong here: counting what was done (gate.py), changing a
policy (oversight.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.remediation.kinds import Money

EVERY_REPORT = ""
BY_ITSELF = "policy"
"""Actor of what happens without anybody asking for it."""
TWO = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """Caps on one currency, in major units; None: no such cap."""

    per_run: Decimal | None
    per_day: Decimal | None
    second_approval_above: Decimal | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What may happen by itself.

    Attributes:
        mode: off, propose or auto.
        approvals: how many people must agree, 0 to 2.
        max_per_run, max_per_day: actions at most; None: no such cap.
        report: whose actions it is about; empty: those of every report that has no policy of its own.
        limits: by currency.
    """

    mode: str
    approvals: int
    max_per_run: int
    max_per_day: int | None = None
    report: str = EVERY_REPORT
    expires_after: timedelta = timedelta(days=7)
    version: int = 0
    limits: Mapping[str, Limit] = field(default_factory=dict)

    def needed(self, stake: Money | None) -> int:
        """How many people must agree to this sum. One in a currency without a limit can't be compared: two."""
        if stake is None or not self.limits:
            return self.approvals
        limit = self.limits.get(stake.currency)
        if limit is None:
            return TWO
        above = limit.second_approval_above is not None and stake.amount > limit.second_approval_above
        return TWO if above else self.approvals

    def limit(self, stake: Money | None) -> Limit | None:
        """The caps on this sum's currency, if there are any."""
        return None if stake is None else self.limits.get(stake.currency)


OFF = Policy("off", 0, 0)
Policies = Mapping[tuple[str, str], Policy]


def policies(connection: Connection) -> Policies:
    """Every policy, by kind and report. A report's policy has the kind's limits in each currency without its own."""
    limits: dict[tuple[str, str], dict[str, Limit]] = defaultdict(dict)
    for row in connection.execute(named("remediation/policy_limits.sql")):
        limit = Limit(row.max_amount_per_run, row.max_amount_per_day, row.second_approval_above)
        limits[row.action, row.report][row.currency] = limit
    return {
        (row.action, row.report): Policy(
            row.mode, row.approvals, row.max_per_run, row.max_per_day, row.report, row.expires_after, row.version,
            {**limits[row.action, EVERY_REPORT], **limits[row.action, row.report]},
        )
        for row in connection.execute(named("remediation/policies.sql"))
    }  # fmt: skip


def policy_for(known: Policies, kind: str, report: str | None) -> Policy:
    """The report's own policy for this kind, else that for every report; a kind without one is off."""
    return known.get((kind, report or EVERY_REPORT)) or known.get((kind, EVERY_REPORT)) or OFF


class Tally:
    """What one run has applied so far, held against the caps of a run."""

    def __init__(self) -> None:
        self._actions: Counter[tuple[str, str]] = Counter()
        self._amounts: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)

    @property
    def total(self) -> int:
        """Actions of all kinds."""
        return self._actions.total()

    def refusal(self, kind: str, policy: Policy, stake: Money | None) -> str | None:
        """Which cap of the run one more would exceed; None: none."""
        if self._actions[kind, policy.report] >= policy.max_per_run:
            return f"This run has made {policy.max_per_run} of {kind}, as many as policy allows."
        limit = policy.limit(stake)
        if stake is not None and limit is not None and limit.per_run is not None:
            sum_of_run = self._amounts[kind, policy.report, stake.currency] + stake.amount
            if sum_of_run > limit.per_run:
                return f"With it this run of {kind} would move {sum_of_run} {stake.currency}, above {limit.per_run}."
        return None

    def count(self, kind: str, policy: Policy, stake: Money | None) -> None:
        """One more was begun."""
        self._actions[kind, policy.report] += 1
        if stake is not None:
            self._amounts[kind, policy.report, stake.currency] += stake.amount

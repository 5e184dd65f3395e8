"""What a change of policy lets happen that was not allowed before. Pure.

Belongs here: comparing two policies. Does not belong here: who must agree to it (policy_change.py), what a policy means
for an action (policy.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from payments_pipeline.remediation.policy import TWO, Limit, Policies, Policy
from payments_pipeline.remediation.registry import MONEY_KINDS

_MODES = ("off", "propose", "auto")
_NO_LIMIT = Limit(None, None, None)
_TWO_FOR_ANY_SUM = Limit(None, None, Decimal())


def approvals_matter(known: Policies, kind: str) -> bool:
    """Whether one person alone may not loosen the policies of this kind: money moves by it, or people must agree."""
    return kind in MONEY_KINDS or any(
        policy.approvals > 0 or policy.limits for (action, _), policy in known.items() if action == kind
    )


def loosened(before: Policy, after: Policy) -> list[str]:
    """What `after` allows beyond `before`, in words; empty when it only tightens.

    Args:
        before: what was in force for the same actions, be it the kind's or the report's own.
    """
    return list(_loosened(before, after))


def _loosened(before: Policy, after: Policy) -> Iterator[str]:
    if _MODES.index(after.mode) > _MODES.index(before.mode):
        yield f"mode {before.mode} -> {after.mode}"
    if after.approvals < before.approvals:
        yield f"approvals {before.approvals} -> {after.approvals}"
    for name in ("max_per_run", "max_per_day"):
        old, new = getattr(before, name), getattr(after, name)
        if _higher(old, new):
            yield f"{name} {_word(old)} -> {_word(new)}"
    if after.expires_after > before.expires_after:
        yield f"expires_after {before.expires_after} -> {after.expires_after}"
    if after.report != before.report and after.mode != "off":
        yield f"caps of its own for {after.report}, beside those of the kind"
    for currency in sorted({*before.limits, *after.limits}):
        yield from _looser_limit(currency, _limit(before, currency), _limit(after, currency))


def _looser_limit(currency: str, before: Limit, after: Limit) -> Iterator[str]:
    pairs = {
        "a run": (before.per_run, after.per_run),
        "a day": (before.per_day, after.per_day),
        f"{TWO} approvals above": (before.second_approval_above, after.second_approval_above),
    }
    for name, (old, new) in pairs.items():
        if _higher(old, new):
            yield f"{currency} {name} {_word(old)} -> {_word(new)}"


def _limit(policy: Policy, currency: str) -> Limit:
    """The caps on a currency; where others have some and this one has none, any sum needs two approvals."""
    return policy.limits.get(currency, _TWO_FOR_ANY_SUM if policy.limits else _NO_LIMIT)


def _higher(before: Decimal | int | None, after: Decimal | int | None) -> bool:
    """None is no cap at all."""
    return before is not None and (after is None or after > before)


def _word(value: object) -> str:
    return "none" if value is None else str(value)

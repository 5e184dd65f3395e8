"""Whom a report may believe: absence needs proof. Pure.

Belongs here: from certificates to trust, and which certificates prove a row. Does not belong here: reading them
(ingest/coverage.py) or acting on them (lifecycle.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.reports import Report

ANY_PROVIDER = "*"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a report can't believe now.

    Attributes:
        untrusted: providers whose rows neither open nor resolve anything.
        any_untrusted: the same for rows that name no provider.
    """

    untrusted: frozenset[str]
    any_untrusted: bool


EVERYBODY = Trust(frozenset(), any_untrusted=False)


def trust(report: Report, coverage: Iterable[Coverage], configured: Collection[str]) -> Trust:
    """Who may be believed: a provider that was read in full, or whose credentials the report can do without.

    Args:
        coverage: the newest certificate of each provider, account and resource.
        configured: providers with credentials.
    """
    certificates: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for certificate in coverage:
        certificates[certificate.provider, certificate.resource].append(certificate.complete)

    def believed(provider: str) -> bool:
        if provider not in configured:
            return report.unconfigured == "judge"
        needed = [certificates[provider, resource] for resource in report.coverage[provider]]
        return all(complete and all(complete) for complete in needed)

    untrusted = frozenset(provider for provider in report.coverage if not believed(provider))
    nobody_reads = bool(report.coverage) and not set(report.coverage) & set(configured)
    return Trust(untrusted, bool(untrusted & set(configured)) or (nobody_reads and bool(untrusted)))


def proof(report: Report, coverage: Iterable[Coverage]) -> dict[str, list[int]]:
    """Ids of the certificates that a row of `report` rests on, by the row's provider; `ANY_PROVIDER`: it names none."""
    found: dict[str, list[int]] = {ANY_PROVIDER: []}
    for one in coverage:
        if one.coverage_id is not None and one.resource in report.coverage.get(one.provider, ()):
            found.setdefault(one.provider, []).append(one.coverage_id)
            found[ANY_PROVIDER].append(one.coverage_id)
    return found

"""The lifecycle of findings: what opens, refreshes, reopens and resolves them, and what is told of it.

Belongs here: one transaction that brings recon.findings and the outbox in line with the rows of a report, or of a watch
over ourselves; reading findings back. Does not belong here: what an anomaly is (the report's SQL), what people do with
a finding (triage.py), sending (notify/), or repairing (remediation/).
"""

from payments_pipeline.findings.lifecycle import FindingChanges, refresh, wake_snoozed
from payments_pipeline.findings.reading import Finding, Wanted, count_live, finding_story, live_findings
from payments_pipeline.findings.summary import queue_daily_summary
from payments_pipeline.findings.telling import DIGEST_ABOVE
from payments_pipeline.findings.trust import Trust, trust
from payments_pipeline.findings.watching import Amiss, Watch, clear_finding, keep_watch, raise_finding

__all__ = [
    "DIGEST_ABOVE",
    "Amiss",
    "Finding",
    "FindingChanges",
    "Trust",
    "Wanted",
    "Watch",
    "clear_finding",
    "count_live",
    "finding_story",
    "keep_watch",
    "live_findings",
    "queue_daily_summary",
    "raise_finding",
    "refresh",
    "trust",
    "wake_snoozed",
]

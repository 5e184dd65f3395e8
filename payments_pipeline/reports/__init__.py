"""Reports as files: finds sql/reports/*.sql, reads their front matter, runs them into tables of schema reports.

Belongs here: what a report file is and how it becomes a table. Does not belong here: what follows from a row
(findings/), or any report's rule (its .sql file).
"""

from payments_pipeline.reports.front_matter import Report, load_reports
from payments_pipeline.reports.intraday import IntradayResult, refresh_intraday
from payments_pipeline.reports.look import Looked, look, looking
from payments_pipeline.reports.materialise import ReportResult, materialise, stored_totals

__all__ = [
    "IntradayResult",
    "Looked",
    "Report",
    "ReportResult",
    "load_reports",
    "look",
    "looking",
    "materialise",
    "refresh_intraday",
    "stored_totals",
]

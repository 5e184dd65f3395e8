"""Our side of bench_reports.py: the three reports, in full. As a program: its own peak memory in MB for a database URL.

Imports nothing of the peers, whose libraries would count as ours.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path

from million import AS_OF
from sqlalchemy import Engine, text

from payments_pipeline.db.engine import engine_for
from payments_pipeline.reports import load_reports, materialise

# Report -> the column that peers' rows are compared by.
KEYS = {"activation_gaps": "user_id", "out_of_sync_payments": "payment_id", "stuck_authorizations": "provider_ref"}
# Read once, as a Dagster process does when it loads its definitions.
REPORTS = load_reports()


def ours(engine: Engine) -> dict[str, set[str]]:
    """The shipped reports, materialised; their rows' keys."""
    found = {}
    for name, key in KEYS.items():
        run(engine, name, AS_OF)
        with engine.connect() as connection:
            rows = connection.execute(text(f"SELECT CAST({key} AS text) FROM reports.{name}"))
            found[name] = set(rows.scalars())
    return found


def run(engine: Engine, name: str, as_of: datetime) -> float:
    """Materialise one report; returns its seconds."""
    return materialise(engine, REPORTS[name], as_of=as_of, overrides={}, run_id=None).seconds


if __name__ == "__main__":
    ours(engine_for(sys.argv[1]))
    # Of this program alone: getrusage would tell the peak of whoever started it.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    sys.stdout.write(f"{int(peak[1]) / 1024:.1f}" if peak else "nan")

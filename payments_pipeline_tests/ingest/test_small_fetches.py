"""Fetches whose new objects wait in memory and go straight into the tables, and what makes them take the long way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import WrongAccountError
from payments_pipeline.ingest import snapshot as fetching
from payments_pipeline.ingest import staging
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Page, Window
from payments_pipeline_tests.ingest.provider import ACCOUNT, AS_OF, WINDOW, OneList, Refunds, refund

LATER = AS_OF + timedelta(minutes=5)
BEFORE = Window(WINDOW.start - timedelta(days=90), WINDOW.start)


def load(
    engine: Engine,
    refunds: Refunds,
    at: datetime = AS_OF,
    *,
    keep_raw: bool = True,
    mode: str = "sweep",
    window: Window = WINDOW,
) -> Coverage:
    return snapshot(
        engine, OneList(refunds), ACCOUNT, "refunds", window,
        as_of=AS_OF, mode=mode, run_id=None, clock=lambda: at, keep_raw=keep_raw,
    )  # fmt: skip


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT t.object_id, t.status, r.body ->> 'status' FROM recon.stripe_refunds AS t "
                "LEFT JOIN recon.raw_json AS r USING (account, object_id) ORDER BY t.object_id"
            )
        )
        return [tuple(row) for row in found]


class Interrupted(Refunds):
    """Another fetch reads the same objects, later, and stores them while this one is between two pages."""

    def __init__(self, engine: Engine, later: list[Any], *pages: list[Any], elsewhere: Window = WINDOW) -> None:
        super().__init__(pages)
        self._engine, self._later, self._elsewhere = engine, later, elsewhere

    def pages(self, window: Window) -> Iterator[Page]:
        first, *rest = super().pages(window)
        yield first
        assert load(self._engine, Refunds([self._later], read_at=LATER), LATER, window=self._elsewhere).complete
        yield from rest


class Unstorable(Refunds):
    """One object's row holds nothing where the table needs something: only the server notices."""

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        values = super().row(obj)
        return (values[0], None, *values[2:]) if obj["id"] == "re_00002" else values


@pytest.mark.parametrize("mode", ["sweep", "backfill"])
@pytest.mark.parametrize("elsewhere", [WINDOW, BEFORE])  # where the other fetch says that it looked
def test_objects_that_another_fetch_stored_meanwhile_are_neither_doubled_nor_set_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, mode: str, elsewhere: Window
) -> None:
    monkeypatch.setattr(fetching, "BATCH", 1)
    news = [refund(1, status="failed"), refund(2), refund(3)]
    interrupted = Interrupted(engine, news, [refund(1), refund(2)], [refund(3)], elsewhere=elsewhere)
    made = load(engine, interrupted, mode=mode)
    assert made.complete
    assert stored(engine) == [
        ("re_00001", "failed", "failed"), ("re_00002", "succeeded", "succeeded"),
        ("re_00003", "succeeded", "succeeded"),
    ]  # fmt: skip


def test_a_backfill_meets_objects_that_are_stored_under_another_creation_time(engine: Engine) -> None:
    load(engine, Refunds([[refund(1, created=1780000000), refund(2, created=1780000000)]]), window=BEFORE)
    made = load(
        engine,
        Refunds([[refund(1, status="failed"), refund(2, created=1780000000), refund(3)]], read_at=LATER),
        LATER,
        mode="backfill",
    )
    assert (made.rows_written, made.complete) == (2, True)
    assert [row[1] for row in stored(engine)] == ["failed", "succeeded", "succeeded"]
    again = load(
        engine, Refunds([[refund(2, status="failed", created=1780000000)]], read_at=AS_OF), mode="sweep", window=BEFORE
    )
    assert again.rows_written == 0, "an older reading undid what the backfill confirmed"


def test_a_row_that_the_server_refuses_is_set_aside_and_the_others_are_stored(engine: Engine) -> None:
    made = load(engine, Unstorable([[refund(1), refund(2), refund(3)]]))
    assert [row[0] for row in stored(engine)] == ["re_00001", "re_00003"]
    assert (made.rejected, made.complete) == (1, True)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT object_id, body ->> 'id' FROM recon.rejected_objects"))
        assert found.all() == [("re_00002", "re_00002")]


def test_rows_that_no_longer_fit_in_memory_are_put_down(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BATCH", 2)
    monkeypatch.setattr(staging, "WAITING", 3)
    pages = [[refund(number), refund(number + 1)] for number in range(1, 9, 2)]
    made = load(engine, Refunds([*pages, [refund(1, status="failed")]]))
    assert (made.rows_written, made.complete) == (8, True)
    assert stored(engine)[0] == ("re_00001", "failed", "failed")


def test_what_a_refused_fetch_had_put_down_is_not_stored_by_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BATCH", 1)
    monkeypatch.setattr(staging, "WAITING", 0)
    assert not load(engine, Refunds([[refund(1)], [refund(2)]], WrongAccountError("another account"))).complete
    assert load(engine, Refunds([[refund(3)]])).rows_written == 1
    assert [row[0] for row in stored(engine)] == ["re_00003"]


def test_raw_json_that_was_not_kept_at_first_is_stored_once_it_is(engine: Engine) -> None:
    assert load(engine, Refunds([[refund(1)]]), keep_raw=False).rows_written == 1
    assert load(engine, Refunds([[refund(1)]], read_at=LATER), LATER, keep_raw=False).rows_written == 0
    assert stored(engine) == [("re_00001", "succeeded", None)]
    assert load(engine, Refunds([[refund(1)]], read_at=LATER), LATER).rows_written == 1
    assert stored(engine) == [("re_00001", "succeeded", "succeeded")]


def test_a_fetch_without_news_writes_next_to_no_wal(engine: Engine) -> None:
    many = Refunds([[refund(number) for number in range(500)]])
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION pg_walinspect"))
    began = now_in_wal(engine)
    load(engine, many)
    assert written(engine, began) > 100_000
    load(engine, many)
    amounts = []
    for _ in range(5):
        began = now_in_wal(engine)
        assert load(engine, many).rows_written == 0
        amounts.append(written(engine, began))
    assert min(amounts) < 10_000, amounts  # a checkpoint makes the next change of a page write all of it


def now_in_wal(engine: Engine) -> str:
    """Where the WAL ends, all of it flushed."""
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT pg_logical_emit_message(FALSE, 'here', '', TRUE)")).scalar_one())


def written(engine: Engine, began: str) -> int:
    """Bytes of WAL about this database's pages; others write to the same server at the same time."""
    statement = text(
        "SELECT coalesce(sum(w.record_length), 0) FROM ("
        " SELECT DISTINCT b.start_lsn, b.record_length"
        " FROM pg_get_wal_block_info(CAST(:began AS pg_lsn), CAST(:ended AS pg_lsn), FALSE) AS b"
        " INNER JOIN pg_database AS d ON b.reldatabase = d.oid WHERE d.datname = current_database()) AS w"
    )
    ended = now_in_wal(engine)
    with engine.connect() as connection:
        return int(connection.execute(statement, {"began": began, "ended": ended}).scalar_one())

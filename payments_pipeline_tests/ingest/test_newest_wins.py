"""Whatever the order in which readings arrive, the newest one stands, and what is gone is marked, not dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import PaymentsPipelineError, TransientError, WrongAccountError
from payments_pipeline.ingest import snapshot as module
from payments_pipeline.ingest import unlisted
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline.providers.base import Page, Window
from payments_pipeline_tests.ingest.provider import ACCOUNT, AS_OF, WINDOW, OneList, Refunds, refund


def at(seconds: float) -> datetime:
    return AS_OF + timedelta(seconds=seconds)


class Timed(Refunds):
    """Pages that were read at different times; single objects are what `now` holds."""

    def __init__(self, pages: Sequence[tuple[datetime, Sequence[Any]]], now: Sequence[Any] | None = None) -> None:
        super().__init__([objects for _at, objects in pages])
        self._timed = pages
        self._now = {obj["id"]: obj for obj in now} if now is not None else None
        self.now_at = at(60)
        self.asked: list[str] = []

    def pages(self, window: Window) -> Iterator[Page]:  # noqa: ARG002
        for read_at, objects in self._timed:
            yield Page(objects, read_at)

    def read(self, object_id: str) -> Page | None:
        self.asked.append(object_id)
        if self._now is None:
            raise TransientError("The provider does not answer.", remedy="Wait.")
        obj = self._now.get(object_id)
        return None if obj is None else Page([obj], self.now_at)


def listed(engine: Engine, source: Refunds, began: datetime | None = None, window: Window = WINDOW) -> Coverage:
    """A snapshot; `began` is what the clock shows throughout."""
    return snapshot(
        engine, OneList(source), ACCOUNT, "refunds", window,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: began or at(0),
    )  # fmt: skip


def load(engine: Engine, read_at: datetime, *objects: Any) -> Coverage:
    return listed(engine, Timed([(read_at, objects)], now=objects), read_at)


def again(engine: Engine, source: Refunds, ids: Sequence[str], clock_at: datetime | None = None) -> Coverage:
    return reread(
        engine, OneList(source), ACCOUNT, "refunds", ids,
        as_of=AS_OF, mode="reread", run_id="run-1", clock=lambda: clock_at or at(60),
    )  # fmt: skip


def one(engine: Engine, columns: str = "status") -> Any:
    with engine.connect() as connection:
        row = connection.execute(text(f"SELECT {columns} FROM recon.stripe_refunds ORDER BY object_id")).fetchone()  # noqa: S608
    return None if row is None else tuple(row) if len(row) > 1 else row[0]


def body(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(text("SELECT body ->> 'status' FROM recon.raw_json ORDER BY object_id")).scalar()


def test_a_state_that_a_later_list_found_unchanged_is_not_undone_by_an_older_reading(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    assert load(engine, at(10), refund(1)).rows_written == 0
    assert load(engine, at(5), refund(1, status="failed")).rows_written == 0
    assert (one(engine), body(engine)) == ("succeeded", "succeeded")
    load(engine, at(11), refund(1, status="failed"))
    assert one(engine) == "failed"


def test_a_state_that_a_later_single_read_found_unchanged_is_not_undone_by_an_older_reading(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    made = again(engine, Timed([], now=[refund(1)]), ["re_00001"])
    assert (made.objects, made.rows_written, made.complete) == (1, 0, True)
    load(engine, at(30), refund(1, status="failed"))
    assert one(engine) == "succeeded"
    load(engine, at(61), refund(1, status="failed"))
    assert one(engine) == "failed"


def test_what_a_list_confirms_counts_from_when_each_page_was_read_not_from_its_end(engine: Engine) -> None:
    early, late = refund(1), refund(2, created=1793520000)
    load(engine, at(0), early, late)
    listed(engine, Timed([(at(3), [early]), (at(10), [late])], now=[]))
    load(engine, at(7), refund(1, status="failed"), late | {"status": "failed"})
    assert one(engine) == "failed"
    assert load(engine, at(7), early, late).rows_written == 1  # the second page was read later than this
    with engine.connect() as connection:
        states = connection.execute(text("SELECT status FROM recon.stripe_refunds ORDER BY object_id")).scalars().all()
    assert states == ["succeeded", "succeeded"]


def test_a_list_that_broke_off_confirms_nothing(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    listed(engine, Refunds([[refund(1)]], TransientError("500"), at(10)), at(10))
    load(engine, at(5), refund(1, status="failed"))
    assert one(engine) == "failed"


def test_a_reading_that_arrived_during_the_fetch_is_settled_by_asking_once_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    load(engine, at(0), refund(1), refund(2))

    class Overtaken(Timed):
        def pages(self, window: Window) -> Iterator[Page]:
            yield from super().pages(window)  # the first page has been compared with what is stored by now
            load(engine, at(5), refund(1, status="failed"), refund(2))

    source = Overtaken([(at(10), [refund(1)]), (at(11), [refund(2)])], now=[refund(1), refund(2)])
    made = listed(engine, source, at(9))
    assert source.asked == ["re_00001"]
    assert (one(engine), made.rows_written, made.complete) == ("succeeded", 1, True)


def test_an_object_that_is_gone_keeps_its_last_row_and_is_marked(engine: Engine) -> None:
    load(engine, at(0), refund(1), refund(2))
    made = again(engine, Timed([], now=[refund(2)]), ["re_00001", "re_00002", "re_00001"])
    assert (made.mode, made.pages, made.objects, made.rows_written, made.complete) == ("reread", 2, 2, 1, True)
    assert (made.window_from, made.window_to) == (AS_OF, AS_OF)
    assert one(engine, "status, vanished_at") == ("succeeded", at(60))
    assert body(engine) == "succeeded"


def test_an_older_reading_does_not_bring_back_what_is_gone_and_a_newer_one_does(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    again(engine, Timed([], now=[]), ["re_00001"])
    load(engine, at(30), refund(1))
    load(engine, at(31), refund(1, status="failed"))
    assert one(engine, "status, vanished_at") == ("succeeded", at(60))
    load(engine, at(61), refund(1))
    assert one(engine, "status, vanished_at") == ("succeeded", None)


def test_an_older_absence_does_not_mark_what_was_seen_later(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    load(engine, at(90), refund(1))
    made = again(engine, Timed([], now=[]), ["re_00001"])
    assert made.rows_written == 0
    assert one(engine, "vanished_at IS NULL") is True


@pytest.mark.parametrize("way", ["list", "reread"])
def test_an_object_said_to_be_deleted_keeps_its_last_row_and_is_marked(engine: Engine, way: str) -> None:
    load(engine, at(0), refund(1))
    shell, stranger = {"id": "re_00001", "deleted": True}, {"id": "re_00002", "deleted": True}
    if way == "list":
        made = listed(engine, Timed([(at(60), [shell, stranger])], now=[shell, stranger]), at(59))
    else:
        made = again(engine, Timed([], now=[shell, stranger]), ["re_00001", "re_00002"])
    assert (made.objects, made.rejected, made.rows_written, made.complete) == (2, 0, 1, True)
    assert one(engine, "status, vanished_at") == ("succeeded", at(60))


def test_stored_objects_that_a_complete_list_leaves_out_are_asked_for_singly(engine: Engine) -> None:
    load(engine, at(0), refund(1), refund(2), refund(3))
    source = Timed([(at(10), [refund(3)])], now=[refund(2, status="failed")])
    made = listed(engine, source, at(10))
    assert sorted(source.asked) == ["re_00001", "re_00002"]
    assert (made.objects, made.rows_written, made.complete) == (1, 2, True)
    with engine.connect() as connection:
        states = connection.execute(
            text("SELECT status, vanished_at FROM recon.stripe_refunds ORDER BY object_id")
        ).fetchall()
    assert [tuple(row) for row in states] == [("succeeded", at(10)), ("failed", None), ("succeeded", None)]
    source = Timed([(at(70), [refund(2, status="failed"), refund(3)])], now=[])
    assert listed(engine, source, at(70)).rows_written == 0
    assert source.asked == []


def test_nothing_is_asked_for_after_a_list_that_broke_off_or_outside_its_window(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    broken = Timed([], now=[])
    broken.pages = Refunds([], TransientError("500")).pages  # type: ignore[method-assign]
    listed(engine, broken, at(10))
    elsewhere = Timed([], now=[])
    listed(engine, elsewhere, at(10), Window(WINDOW.start, WINDOW.start + timedelta(days=1)))
    assert (broken.asked, elsewhere.asked) == ([], [])


def test_what_was_created_after_a_list_began_is_not_missed_in_it(engine: Engine) -> None:
    load(engine, at(0), refund(1, created=int(at(20).timestamp())))
    source = Timed([(at(10), [])], now=[])
    assert listed(engine, source, at(10), Window(WINDOW.start, at(3600))).complete
    assert source.asked == []


def test_too_many_missing_objects_are_said_and_settled_over_several_fetches(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlisted, "ASKED_AT_MOST", 2)
    load(engine, at(0), *(refund(number) for number in range(5)))
    ends = [listed(engine, Timed([(at(seconds), [])], now=[]), at(seconds)) for seconds in (10, 20, 30)]
    assert [(made.complete, made.rows_written) for made in ends] == [(False, 2), (False, 2), (True, 1)]
    assert ends[0].error is not None
    assert ends[0].error.startswith("More than 2 stored objects are no longer listed")


def test_a_provider_that_fails_while_asked_singly_leaves_the_rest_and_says_so(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    made = listed(engine, Timed([(at(10), [refund(2)])], now=None), at(10))
    assert (made.complete, made.rows_written) == (False, 1)
    assert made.error == "The provider does not answer. What to do: Wait."
    assert one(engine, "vanished_at IS NULL") is True


class Failing(Timed):
    """Answers for the first id only."""

    def __init__(self, error: PaymentsPipelineError) -> None:
        super().__init__([], now=[refund(number, status="failed") for number in range(500)])
        self._failure = error

    def read(self, object_id: str) -> Page | None:
        if object_id != "re_00000":
            self.asked.append(object_id)
            raise self._failure
        return super().read(object_id)


def test_single_reads_stop_at_the_first_failure_and_keep_what_was_read(engine: Engine) -> None:
    load(engine, at(0), *(refund(number) for number in range(3)))
    source = Failing(TransientError("stripe answered 500.", remedy="Wait."))
    made = again(engine, source, [f"re_{number:05}" for number in range(500)])
    assert (made.complete, made.objects, made.rows_written) == (False, 1, 1)
    assert made.error == "stripe answered 500. What to do: Wait."
    assert len(source.asked) < 10
    assert one(engine) == "failed"


def test_single_reads_of_another_account_write_nothing(engine: Engine) -> None:
    load(engine, at(0), refund(0))
    made = again(engine, Failing(WrongAccountError("re_00001 is in live mode.")), ["re_00000", "re_00001"])
    assert (made.complete, made.rows_written) == (False, 0)
    assert one(engine) == "succeeded"


def test_a_poisoned_object_read_singly_is_set_aside(engine: Engine) -> None:
    made = again(engine, Timed([], now=[refund(1, amount=None), refund(2)]), ["re_00001", "re_00002"])
    assert (made.objects, made.rejected, made.rows_written, made.complete) == (2, 1, 1, True)


def test_an_object_that_reads_as_stored_again_is_no_longer_rejected(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    load(engine, at(10), refund(1, amount=None))
    assert load(engine, at(20), refund(1)).rows_written == 0
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.rejected_objects")).scalar() == 0


def test_confirmations_are_forgotten_when_no_older_reading_can_be_under_way(engine: Engine) -> None:
    for seconds in (0, 10, 86400 * 3):
        load(engine, at(seconds), refund(1))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.confirmations")).scalar() == 1


def test_a_body_without_its_row_is_replaced(engine: Engine) -> None:
    load(engine, at(0), refund(1))
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE recon.stripe_refunds"))
    assert load(engine, at(10), refund(1, status="failed")).rows_written == 1
    assert (one(engine), body(engine)) == ("failed", "failed")


def test_without_raw_json_the_rows_alone_are_written(engine: Engine) -> None:
    for seconds, status in ((0, "pending"), (10, "failed")):
        snapshot(
            engine, OneList(Timed([(at(seconds), [refund(1, status=status)])], now=[])), ACCOUNT, "refunds", WINDOW,
            as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: at(0), keep_raw=False,
        )  # fmt: skip
        assert (one(engine), body(engine)) == (status, None)


def test_once_raw_json_is_no_longer_kept_a_changed_row_leaves_no_outdated_words(engine: Engine) -> None:
    load(engine, at(0), refund(1, status="pending"))
    snapshot(
        engine, OneList(Timed([(at(10), [refund(1, status="failed")])], now=[])), ACCOUNT, "refunds", WINDOW,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: at(9), keep_raw=False,
    )  # fmt: skip
    assert (one(engine), body(engine)) == ("failed", None)

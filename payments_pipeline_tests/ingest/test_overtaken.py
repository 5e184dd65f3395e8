"""A fetch that was held up does not bring back to life what a later list no longer knew."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from payments_pipeline.ingest import overtaken
from payments_pipeline.providers.base import Page, Window
from payments_pipeline_tests.ingest.provider import refund
from payments_pipeline_tests.ingest.test_newest_wins import Timed, again, at, listed, load, one


class HeldUp(Timed):
    """A list whose pages are read, and then something else happens before the fetch goes on."""

    meanwhile: Callable[[], object]

    def pages(self, window: Window) -> Iterator[Page]:
        yield from super().pages(window)
        self.meanwhile()


def test_what_a_later_complete_list_no_longer_had_is_asked_for_and_marked(engine: Engine) -> None:
    source = HeldUp([(at(0), [refund(1)])], now=[])
    source.meanwhile = lambda: listed(engine, Timed([(at(10), [])], now=[]), at(10))
    made = listed(engine, source, at(0))
    assert source.asked == ["re_00001"]
    assert made.complete
    assert one(engine, "status, vanished_at IS NOT NULL") == ("succeeded", True)


def test_what_the_provider_has_after_all_is_stored_as_it_is_now(engine: Engine) -> None:
    source = HeldUp([(at(0), [refund(1)])], now=[refund(1, status="failed")])
    source.meanwhile = lambda: listed(engine, Timed([(at(10), [])], now=[]), at(10))
    assert listed(engine, source, at(0)).complete
    assert one(engine, "status, vanished_at") == ("failed", None)


def test_what_can_not_be_asked_for_again_is_left_out_and_said(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overtaken, "ASKED_AT_MOST", 0)
    source = HeldUp([(at(0), [refund(1)])], now=[])
    source.meanwhile = lambda: listed(engine, Timed([(at(10), [])], now=[]), at(10))
    made = listed(engine, source, at(0))
    assert (made.complete, one(engine)) == (False, None)
    assert "run again" in (made.error or "")


def test_a_single_reading_that_was_held_up_is_asked_for_once_more(engine: Engine) -> None:
    class Slow(Timed):
        def read(self, object_id: str) -> Page | None:
            if not self.asked:
                super().read(object_id)
                listed(engine, Timed([(at(10), [])], now=[]), at(10))
                return Page([refund(1)], at(0))
            return super().read(object_id)

    source = Slow([], now=[])
    again(engine, source, ["re_00001"])
    assert source.asked == ["re_00001", "re_00001"]
    assert one(engine, "status, vanished_at IS NOT NULL") == ("succeeded", True)


def test_a_list_of_another_time_or_an_earlier_one_contradicts_nothing(engine: Engine) -> None:
    elsewhere = Window(at(-864000), at(-432000))
    source = HeldUp([(at(5), [refund(1)])], now=[])
    source.meanwhile = lambda: (
        listed(engine, Timed([(at(10), [])], now=[]), at(10), elsewhere),
        listed(engine, Timed([(at(4), [])], now=[]), at(4)),
    )
    listed(engine, source, at(5))
    assert (source.asked, one(engine)) == ([], "succeeded")


def test_a_later_list_that_broke_off_contradicts_nothing(engine: Engine) -> None:
    load(engine, at(0), refund(2))
    source = HeldUp([(at(1), [refund(1)])], now=[refund(1), refund(2)])
    source.meanwhile = lambda: listed(engine, Timed([(at(10), [])]), at(10))
    listed(engine, source, at(1))
    assert one(engine) == "succeeded"

"""Which times nobody can speak of, and what all certificates of a resource together are worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine

from payments_pipeline.errors import WrongAccountError
from payments_pipeline.ingest.coverage import Coverage, latest, stored
from payments_pipeline.ingest.gaps import gaps
from payments_pipeline.ingest.same_mode import assert_same_mode
from payments_pipeline.ingest.windows import settled, slices, split
from payments_pipeline.providers.base import Account, Window

DAY = timedelta(days=1)
START = datetime(2026, 10, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + number * DAY


def window(first: float, last: float) -> Window:
    return Window(day(first), day(last))


def certify(
    engine: Engine, first: float, last: float, *, complete: bool = True, mode: str = "backfill",
    read_at: datetime | None = None, **more: Any,
) -> Coverage:  # fmt: skip
    values: dict[str, Any] = {
        "provider": "stripe", "account": "acct_1", "livemode": False, "resource": "refunds", "mode": mode,
        "window_from": day(first), "window_to": day(last), "as_of": day(100), "pages": 1, "objects": 1,
        "rows_written": 1, "rejected": 0, "complete": complete, "error": None if complete else f"{mode} failed",
        "run_id": None, "started_at": read_at or day(100), "finished_at": read_at or day(100),
    }  # fmt: skip
    with engine.begin() as connection:
        return stored(connection, Coverage(**values | more))


def found(engine: Engine, first: float = 0, last: float = 10, **since: datetime) -> list[Window]:
    with engine.connect() as connection:
        return gaps(connection, "stripe", "acct_1", "refunds", window(first, last), **since)


def standing(engine: Engine) -> tuple[bool, str | None]:
    with engine.connect() as connection:
        (one,) = latest(connection)
    return one.complete, one.error


def test_what_was_never_read_is_one_gap(engine: Engine) -> None:
    assert found(engine) == [window(0, 10)]
    assert found(engine, 3, 3) == []


def test_adjoining_and_overlapping_certificates_leave_only_the_times_between_them(engine: Engine) -> None:
    for first, last in ((1, 3), (3, 4), (2, 5), (7, 8)):
        certify(engine, first, last)
    assert found(engine) == [window(0, 1), window(5, 7), window(8, 10)]
    certify(engine, -5, 20)
    assert found(engine) == []


def test_a_failed_fetch_a_reread_and_another_account_cover_nothing(engine: Engine) -> None:
    certify(engine, 0, 10, complete=False)
    certify(engine, 0, 10, mode="reread")
    certify(engine, 0, 10, account="acct_2")
    certify(engine, 0, 10, resource="charges")
    assert found(engine) == [window(0, 10)]


def test_a_list_does_not_speak_of_what_was_created_after_it_began(engine: Engine) -> None:
    certify(engine, 0, 10, read_at=day(6) + timedelta(seconds=30, milliseconds=400))
    assert found(engine) == [Window(day(6) + timedelta(seconds=30), day(10))]
    certify(engine, 8, 10, read_at=day(7))
    assert len(found(engine)) == 1


def test_certificates_of_before_can_be_left_out(engine: Engine) -> None:
    certify(engine, 0, 5, read_at=day(50))
    certify(engine, 5, 6, read_at=day(60))
    assert found(engine, since=day(55)) == [window(0, 5), window(6, 10)]


def test_a_failed_sweep_is_not_outshone_by_a_later_incremental_run(engine: Engine) -> None:
    certify(engine, 0, 90, mode="sweep")
    certify(engine, 1, 91, mode="sweep", complete=False)
    certify(engine, 90.9, 91.1, mode="incremental")
    assert standing(engine) == (False, "sweep failed")
    certify(engine, 2, 92, mode="sweep")
    assert standing(engine) == (True, None)


def test_a_short_sweep_does_not_make_good_a_long_one(engine: Engine) -> None:
    certify(engine, 1, 91, mode="sweep", complete=False)
    certify(engine, 85, 92, mode="sweep")
    assert standing(engine)[0] is False


def test_a_failed_incremental_run_is_made_good_by_the_next_over_the_same_time(engine: Engine) -> None:
    certify(engine, 0, 1, mode="incremental", complete=False)
    certify(engine, 0.5, 2, mode="incremental")
    assert standing(engine) == (False, "incremental failed")
    certify(engine, 0, 2, mode="incremental")
    assert standing(engine) == (True, None)


def test_a_failed_reread_stands_until_a_complete_one(engine: Engine) -> None:
    certify(engine, 0, 0, mode="reread", complete=False)
    certify(engine, 0, 9, mode="incremental")
    assert standing(engine) == (False, "reread failed")
    certify(engine, 9, 9, mode="reread")
    assert standing(engine) == (True, None)


def test_old_backfills_do_not_speak_against_what_is_swept_every_night(engine: Engine) -> None:
    certify(engine, 0, 1, complete=False)
    certify(engine, 1, 2)
    assert standing(engine) == (False, "backfill failed")
    certify(engine, 50, 90, mode="sweep")
    assert standing(engine) == (True, None)


@pytest.mark.parametrize(("mode", "reads"), [("sweep", 60), ("incremental", 60), ("sweep", 89)])
def test_what_has_left_a_short_list_meanwhile_is_owed_by_nobody(engine: Engine, mode: str, reads: float) -> None:
    certify(engine, reads - 30, reads, mode=mode, complete=False, reach_from=day(reads - 30))
    certify(engine, reads - 28, reads, mode=mode, reach_from=day(reads - 29))
    assert standing(engine) == (False, f"{mode} failed"), "a day of what could still be read was not"
    certify(engine, reads - 28, reads, mode=mode, reach_from=day(reads - 28))
    assert standing(engine) == (True, None)
    assert found(engine, reads - 30, reads) == [window(reads - 30, reads - 28)], "it stays a gap"


def test_sweeps_whose_ends_are_set_back_by_a_clock_that_is_ahead_are_as_long_as_any_other(engine: Engine) -> None:
    certify(engine, 1, 91, mode="sweep", complete=False, as_of=day(91))
    certify(engine, 2.5, 91.9, mode="sweep", as_of=day(92))
    assert standing(engine)[0] is False
    certify(engine, 2, 91.9, mode="sweep", as_of=day(92))
    assert standing(engine) == (True, None)


def test_a_hole_in_the_feed_longer_than_any_sweep_is_closed_by_a_sweep_and_lists_over_the_rest(engine: Engine) -> None:
    certify(engine, 0, 120, mode="feed", complete=False, as_of=day(150))
    certify(engine, 0, 150, mode="incremental", as_of=day(150))
    assert standing(engine) == (False, "feed failed"), "lists over a hole find no change of what is older"
    certify(engine, 61, 151, mode="sweep", as_of=day(151))
    assert standing(engine) == (True, None)


def test_a_hole_in_the_feed_of_which_nobody_listed_the_oldest_part_stays(engine: Engine) -> None:
    certify(engine, 0, 120, mode="feed", complete=False, as_of=day(150))
    certify(engine, 61, 151, mode="sweep", as_of=day(151))
    assert standing(engine) == (False, "feed failed")
    certify(engine, 0, 61)
    assert standing(engine) == (True, None)


@pytest.mark.parametrize("livemode", [True, False])
def test_an_account_read_in_one_mode_is_refused_in_the_other(engine: Engine, livemode: bool) -> None:
    certify(engine, 0, 1, livemode=livemode)
    with engine.connect() as connection:
        assert_same_mode(connection, Account("stripe", "acct_1", livemode))
        with pytest.raises(WrongAccountError, match="mode before"):
            assert_same_mode(connection, Account("stripe", "acct_1", not livemode))


def test_certificates_of_fetches_that_stored_nothing_tell_no_mode(engine: Engine) -> None:
    nothing: dict[str, Any] = {"rows_written": 0, "resource": "charges"}
    certify(engine, 0, 1, livemode=True)
    certify(engine, 0, 1, livemode=False, objects=0, **nothing)
    certify(engine, 0, 1, livemode=False, complete=False, **nothing)
    certify(engine, 0, 1, livemode=False, mode="reread", **nothing)
    with engine.connect() as connection:
        assert_same_mode(connection, Account("stripe", "acct_1", True))
        with pytest.raises(WrongAccountError, match="live mode before"):
            assert_same_mode(connection, Account("stripe", "acct_1", False))


@pytest.mark.parametrize("grain", [timedelta(seconds=1), timedelta(hours=1), DAY])
@pytest.mark.parametrize("ranges", [1, 2, 7, 64, 1000])
def test_ranges_meet_exactly_and_none_is_cut_finer_than_the_list_can_tell(ranges: int, grain: timedelta) -> None:
    odd = Window(day(0.123456), day(9.87654))
    pieces = split([odd], ranges, grain, side_by_side=2)
    assert pieces[0].end == odd.end
    assert pieces[-1].start == odd.start
    assert all(newer.start == older.end for newer, older in pairwise(pieces))
    assert all((piece.start - START) % grain == timedelta() for piece in pieces[:-1])
    assert len(pieces) <= ranges + (2 * 3 if ranges >= 3 * 2 else 0)


def test_the_last_pieces_are_short_so_that_no_reader_is_left_alone_with_a_long_one() -> None:
    pieces = split([window(0, 20)], 20, timedelta(seconds=1), side_by_side=3)
    assert [piece.end - piece.start for piece in pieces] == [DAY] * 17 + [DAY / 4] * 12
    assert pieces[-1].start == day(0)


def test_few_pieces_stay_as_they_are() -> None:
    assert len(split([window(0, 5)], 5, timedelta(seconds=1), side_by_side=3)) == 5


def test_what_is_left_of_a_window_shares_the_ranges_by_length() -> None:
    pieces = split([window(0, 1), window(4, 13)], 10, timedelta(seconds=1))
    assert len(pieces) == 10
    assert {piece.end - piece.start for piece in pieces} == {DAY}
    assert split([], 10, DAY) == []


def test_a_window_ends_where_the_present_second_begins_and_begins_where_the_list_does() -> None:
    now = day(5) + timedelta(milliseconds=700)
    assert settled(window(0, 10), now=now).end == day(5)
    assert settled(window(0, 10), now=now, history=DAY).start == now - DAY + timedelta(hours=1)
    assert settled(window(8, 9), now=now) == window(8, 8)


def test_slices_cover_the_window_oldest_first() -> None:
    assert slices(window(0, 2.5), DAY) == [window(0, 1), window(1, 2), window(2, 2.5)]
    assert slices(window(1, 1), DAY) == [window(1, 1)]

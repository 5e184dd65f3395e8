"""What a list found unchanged is protected from older readings, and from nothing that the list could not know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest.confirmed import INSTANT, Answer, spoken_of
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline_tests.ingest.provider import ACCOUNT, AS_OF, WINDOW, OneList, refund
from payments_pipeline_tests.ingest.test_newest_wins import Timed, at

SECOND = int(AS_OF.timestamp()) - 10_000


def listed(engine: Engine, began: float, *pages: tuple[float, Sequence[Any]]) -> Coverage:
    """A list whose pages were read some seconds after AS_OF."""
    source = Timed([(at(seconds), objects) for seconds, objects in pages], now=[])
    return snapshot(
        engine, OneList(source), ACCOUNT, "refunds", WINDOW,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: at(began),
    )  # fmt: skip


def vanished(engine: Engine, object_id: str, seconds: float) -> None:
    source = Timed([], now=[])
    source.now_at = at(seconds)
    reread(
        engine, OneList(source), ACCOUNT, "refunds", [object_id],
        as_of=AS_OF, mode="reread", run_id=None, clock=lambda: at(seconds),
    )  # fmt: skip


def stored(engine: Engine) -> dict[str, tuple[str, bool]]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT object_id, status, vanished_at IS NULL FROM recon.stripe_refunds"))
        return {row[0]: (row[1], row[2]) for row in found}


def test_what_came_back_within_the_second_between_two_pages_is_not_taken_for_gone(engine: Engine) -> None:
    first, back, last = (refund(number, created=SECOND) for number in (1, 2, 3))
    assert listed(engine, 0, (0, [first, back, last])).complete
    vanished(engine, "re_00002", 1)
    # It is back after the first page, where it stands, and the second page can't know.
    assert listed(engine, 2, (2, [first]), (6, [last])).complete
    assert listed(engine, 4, (4, [first, back, last])).rows_written == 1
    assert stored(engine)["re_00002"] == ("succeeded", True)


def test_a_change_within_the_second_between_two_pages_is_not_undone_by_the_second_page(engine: Engine) -> None:
    one, other = refund(1, created=SECOND), refund(2, created=SECOND)
    listed(engine, 0, (0, [one, other]))
    listed(engine, 2, (2, [one]), (6, [other]))
    listed(engine, 4, (4, [one | {"status": "failed"}, other]))
    assert stored(engine)["re_00001"] == ("failed", True)


def test_an_object_that_a_list_could_not_read_is_not_confirmed_by_its_neighbours(engine: Engine) -> None:
    newer, poisoned, older = (refund(number, created=SECOND - number) for number in (1, 2, 3))
    listed(engine, 0, (0, [newer, poisoned, older]))
    made = listed(engine, 9, (10, [newer, poisoned | {"amount": None}, older]))
    assert (made.complete, made.rejected) == (True, 1)
    listed(engine, 5, (5, [newer, poisoned | {"status": "failed"}, older]))
    assert stored(engine)["re_00002"] == ("failed", True)


def test_all_of_a_complete_list_counts_from_its_beginning_at_least(engine: Engine) -> None:
    one, other = refund(1, created=SECOND), refund(2, created=SECOND)
    listed(engine, 0, (0, [one, other]))
    listed(engine, 5, (6, [one]), (7, [other]))
    listed(engine, 4, (4, [one | {"status": "failed"}, other | {"status": "failed"}]))
    assert stored(engine) == {"re_00001": ("succeeded", True), "re_00002": ("succeeded", True)}


def moment(second: int) -> datetime:
    return AS_OF + timedelta(seconds=second)


def answer(
    number: int, same: tuple[int, int], stored: tuple[int, int] | None = None, *, unsure: bool = False
) -> Answer:
    brought = stored or same
    return Answer(
        at(number), (moment(same[0]), moment(same[1])), (moment(brought[0]), moment(brought[1])), unsure=unsure
    )


def test_answers_that_share_no_second_speak_of_all_that_they_brought() -> None:
    assert list(spoken_of([answer(1, (7, 9)), answer(2, (4, 6)), answer(3, (1, 3))])) == [
        (at(1), moment(7), moment(9)),
        (at(2), moment(4), moment(6)),
        (at(3), moment(1), moment(3)),
    ]


@pytest.mark.parametrize(
    ("first", "second", "spoken"),
    [
        ((6, 9), (4, 6), (moment(4), moment(6) - INSTANT)),  # newest first
        ((4, 6), (6, 9), (moment(6) + INSTANT, moment(9))),  # oldest first
        ((6, 9), (6, 6), None),
        ((6, 6), (6, 6), None),
        ((4, 9), (5, 6), None),  # in no order
    ],
)
def test_the_second_that_two_answers_share_is_left_to_the_first(
    first: tuple[int, int], second: tuple[int, int], spoken: tuple[datetime, datetime] | None
) -> None:
    found = list(spoken_of([answer(2, second), answer(1, first)]))
    assert found[0] == (at(1), moment(first[0]), moment(first[1]))
    assert found[1:] == ([] if spoken is None else [(at(2), *spoken)])


def test_a_changed_object_at_the_border_counts_too() -> None:
    found = list(spoken_of([answer(1, (7, 9), (6, 9)), answer(2, (4, 6))]))
    assert found[1] == (at(2), moment(4), moment(6) - INSTANT)


def test_after_an_answer_with_new_objects_neither_border_is_sure() -> None:
    found = list(spoken_of([answer(1, (7, 9), unsure=True), answer(2, (4, 6)), answer(3, (1, 3))]))
    assert found[1] == (at(2), moment(4) + INSTANT, moment(6) - INSTANT)
    assert found[2] == (at(3), moment(1), moment(3))

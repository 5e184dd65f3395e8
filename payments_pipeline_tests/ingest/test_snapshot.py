"""Snapshots against a real PostgreSQL: what each kind of fetch leaves in the tables and in its certificate."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import PaymentsPipelineError, ResponseError, TransientError, WrongAccountError
from payments_pipeline.ingest import loading
from payments_pipeline.ingest import snapshot as module
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline.providers import nowpayments_objects
from payments_pipeline.providers.base import Account, Page
from payments_pipeline_tests.ingest.provider import ACCOUNT, AS_OF, WINDOW, OneList, Refunds, refund

LATER = AS_OF + timedelta(minutes=5)


def load(
    engine: Engine,
    *pages: list[Any],
    error: PaymentsPipelineError | None = None,
    read_at: datetime = AS_OF,
    account: Account = ACCOUNT,
) -> Coverage:
    return snapshot(
        engine, OneList(Refunds(pages, error, read_at)), account, "refunds", WINDOW,
        as_of=AS_OF, mode="sweep", run_id="run-1", clock=lambda: read_at,
    )  # fmt: skip


def rows(engine: Engine, columns: str = "object_id, status, amount") -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        statement = text(f"SELECT {columns} FROM recon.stripe_refunds ORDER BY object_id")  # noqa: S608
        return [tuple(row) for row in connection.execute(statement)]


def scalar(engine: Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_what_was_read_is_stored_with_its_certificate(engine: Engine) -> None:
    made = load(engine, [refund(1), refund(2)], [refund(3)])
    assert rows(engine)[0] == ("re_00001", "succeeded", Decimal("1.01"))
    assert (made.pages, made.objects, made.rows_written, made.rejected) == (2, 3, 3, 0)
    assert made.complete
    assert made.error is None
    with engine.connect() as connection:
        assert latest(connection) == [made]
    assert scalar(engine, "SELECT body ->> 'payment_intent' FROM recon.raw_json WHERE object_id = 're_00002'") == (
        "pi_00002"
    )


def test_an_empty_list_is_complete_and_wipes_nothing(engine: Engine) -> None:
    load(engine, [refund(1)])
    made = load(engine, [])
    assert made.complete
    assert (made.objects, made.rows_written) == (0, 1)  # asked for singly, gone there too, marked
    assert len(rows(engine)) == 1


def test_a_failure_half_way_keeps_what_was_read_and_says_it_is_not_all(engine: Engine) -> None:
    made = load(engine, [refund(1)], [refund(2)], error=TransientError("stripe answered 500.", remedy="Wait."))
    assert len(rows(engine)) == 2
    assert not made.complete
    assert made.error == "stripe answered 500. What to do: Wait."
    with engine.connect() as connection:
        assert latest(connection) == [made]


def test_a_failure_at_once_leaves_earlier_rows_alone(engine: Engine) -> None:
    load(engine, [refund(1)])
    made = load(engine, error=ResponseError("no list"))
    assert (made.pages, made.objects, made.complete) == (0, 0, False)
    assert len(rows(engine)) == 1


def test_reloading_what_did_not_change_writes_nothing(engine: Engine) -> None:
    load(engine, [refund(1), refund(2)])
    before = rows(engine, "ctid, xmin, xmax, read_at")
    body = scalar(engine, "SELECT array_agg(xmin::text || xmax::text) FROM recon.raw_json")
    reordered = dict(reversed(refund(1).items()))
    made = load(engine, [reordered, refund(2)], read_at=LATER)
    assert (made.objects, made.rows_written, made.complete) == (2, 0, True)
    assert rows(engine, "ctid, xmin, xmax, read_at") == before
    assert scalar(engine, "SELECT array_agg(xmin::text || xmax::text) FROM recon.raw_json") == body


def test_a_change_replaces_row_and_body(engine: Engine) -> None:
    load(engine, [refund(1), refund(2)])
    made = load(engine, [refund(1, status="failed"), refund(2)], read_at=LATER)
    assert made.rows_written == 1
    assert [row[1] for row in rows(engine)] == ["failed", "succeeded"]
    assert scalar(engine, "SELECT body ->> 'status' FROM recon.raw_json WHERE object_id = 're_00001'") == "failed"


def test_a_change_read_at_the_same_moment_by_a_standing_clock_is_seen(engine: Engine) -> None:
    load(engine, [refund(1)])
    load(engine, [refund(1, status="failed")])
    assert rows(engine)[0][1] == "failed"


def test_a_state_read_earlier_never_overwrites_one_read_later(engine: Engine) -> None:
    load(engine, [refund(1, status="failed")], read_at=LATER)
    made = load(engine, [refund(1, status="pending")], read_at=AS_OF)
    assert made.rows_written == 0
    assert rows(engine)[0][1] == "failed"
    assert scalar(engine, "SELECT body ->> 'status' FROM recon.raw_json") == "failed"


def test_an_object_on_both_sides_of_a_page_border_counts_once(engine: Engine) -> None:
    made = load(engine, [refund(1), refund(2)], [refund(2, status="failed"), refund(3)])
    assert (made.objects, made.rows_written) == (3, 3)
    assert rows(engine)[1][1] == "failed"


def test_repeats_across_batches_keep_the_later_reading(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    made = load(engine, [refund(1), refund(2)], [refund(2, status="failed"), refund(3)], [refund(1, amount=999)])
    assert [row[1:] for row in rows(engine)] == [
        ("succeeded", Decimal("9.99")),
        ("failed", Decimal("1.02")),
        ("succeeded", Decimal("1.03")),
    ]
    assert made.rows_written == 3


@pytest.mark.parametrize(
    ("poison", "named"),
    [
        (refund(2, amount=None), "re_00002"),
        (refund(2, amount=12.5), "re_00002"),
        (refund(2, reason="a\x00b"), "re_00002"),
        (refund(2, reason="\ud800"), "re_00002"),
        (refund(2, created=-(10**11)), "re_00002"),
        (refund(2, id=None), "unreadable-"),
        (refund(2, id="re\x00"), "unreadable-"),
        (None, "unreadable-"),
        ("re_00002", "unreadable-"),
        ([1], "unreadable-"),
        (refund(2, metadata={"n": 10**40}, amount="x"), "re_00002"),
    ],
)
def test_one_poisoned_object_is_set_aside_and_the_rest_goes_on(engine: Engine, poison: Any, named: str) -> None:
    made = load(engine, [refund(1), poison, refund(3)])
    assert [row[0] for row in rows(engine)] == ["re_00001", "re_00003"]
    assert (made.objects, made.rejected) == (3, 1)
    assert made.complete is (named != "unreadable-"), "an object without a name could be any"
    if not made.complete:
        assert str(made.error).startswith(f"1 objects do not say which they are; the first, {named}")
    assert str(scalar(engine, "SELECT object_id FROM recon.rejected_objects")).startswith(named)
    assert scalar(engine, "SELECT body IS NOT NULL FROM recon.rejected_objects")


def test_an_object_that_became_readable_is_no_longer_rejected(engine: Engine) -> None:
    load(engine, [refund(1, amount=None)])
    made = load(engine, [refund(1)], read_at=LATER)
    assert made.complete
    assert scalar(engine, "SELECT count(*) FROM recon.rejected_objects") == 0


def test_an_object_that_can_no_longer_be_read_is_not_taken_for_absent(engine: Engine) -> None:
    """Neither asked for singly nor marked as vanished: the list brought it."""
    load(engine, [refund(1), refund(2), refund(3)])
    asked: list[str] = []

    class Asked(Refunds):
        def read(self, object_id: str) -> Page | None:
            asked.append(object_id)
            return super().read(object_id)

    source = Asked([[refund(1, amount=None), refund(2)]], read_at=LATER)
    made = snapshot(
        engine, OneList(source), ACCOUNT, "refunds", WINDOW, as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: LATER
    )
    assert (made.complete, made.rejected) == (True, 1)
    assert asked == ["re_00003"]
    vanished = "SELECT string_agg(object_id, ',') FROM recon.stripe_refunds WHERE vanished_at IS NOT NULL"
    assert scalar(engine, vanished) == "re_00003"


def test_an_object_rejected_twice_in_one_list_counts_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    made = load(engine, [refund(1), refund(2, amount=None)], [refund(2, amount=None), refund(3)])
    assert (made.objects, made.rejected) == (3, 1)


def test_more_rejected_objects_than_are_kept_by_name_leave_the_list_incomplete(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest could not be withheld one by one."""
    monkeypatch.setattr(loading, "REJECTIONS_KEPT", 2)
    made = load(engine, [refund(number, amount=None) for number in range(3)])
    assert (made.complete, made.rejected) == (False, 3)
    assert "more than the 2 that are kept by name" in str(made.error)


def test_a_rejected_object_that_the_provider_no_longer_has_is_forgotten(engine: Engine) -> None:
    load(engine, [refund(1, amount=None)])
    made = reread(
        engine, OneList(Refunds([])), ACCOUNT, "refunds", ["re_00001"],
        as_of=AS_OF, mode="reread", run_id=None, clock=lambda: LATER,
    )  # fmt: skip
    assert made.complete
    assert scalar(engine, "SELECT count(*) FROM recon.rejected_objects") == 0


def test_what_only_the_server_refuses_is_found_by_halving(engine: Engine) -> None:
    def row(obj: Any) -> tuple[Any, ...]:
        values = list(Refunds([]).row(obj))
        return tuple([*values[:1], None, *values[2:]] if obj["id"] == "re_00005" else values)

    source = Refunds([[refund(number) for number in range(9)]])
    source.row = row  # type: ignore[method-assign]
    made = snapshot(
        engine, OneList(source), ACCOUNT, "refunds", WINDOW, as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF
    )
    assert len(rows(engine)) == 8
    assert (made.rejected, made.rows_written) == (1, 8)


def test_the_wrong_mode_writes_nothing_but_the_certificate(engine: Engine) -> None:
    made = load(engine, [refund(1)], error=WrongAccountError("re_00002 is in live mode."))
    assert rows(engine) == []
    assert (made.complete, made.rows_written) == (False, 0)
    assert made.error == "re_00002 is in live mode."


def test_two_accounts_keep_their_rows_apart(engine: Engine) -> None:
    load(engine, [refund(1)])
    load(engine, [refund(1, status="failed")], account=Account("stripe", "acct_2", False))
    assert [row[1] for row in rows(engine, "account, status")] in (["succeeded", "failed"], ["failed", "succeeded"])


def test_the_same_snapshot_run_many_times_at_once_ends_as_one(engine: Engine) -> None:
    found: list[Coverage] = []
    together = threading.Barrier(4)

    def run(number: int) -> None:
        together.wait()
        at = AS_OF + timedelta(seconds=number)
        found.append(load(engine, [refund(one, amount=100 + number) for one in range(50)], read_at=at))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one.complete for one in found)
    assert {row[2] for row in rows(engine)} == {Decimal("1.03")}
    assert len(rows(engine)) == 50


def test_a_process_killed_half_way_leaves_nothing(engine: Engine) -> None:
    class Killed(BaseException):
        pass

    def pages(_window: object) -> Any:
        yield from Refunds([[refund(1)]]).pages(WINDOW)
        raise Killed

    source = Refunds([])
    source.pages = pages  # type: ignore[assignment, method-assign]
    with pytest.raises(Killed):
        snapshot(
            engine, OneList(source), ACCOUNT, "refunds", WINDOW,
            as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF,
        )  # fmt: skip
    assert rows(engine) == []
    assert scalar(engine, "SELECT count(*) FROM recon.coverage") == 0
    assert load(engine, [refund(1)]).complete


def test_an_object_that_came_back_is_no_longer_vanished(engine: Engine) -> None:
    load(engine, [refund(1)])
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.stripe_refunds SET vanished_at = read_at"))
    assert load(engine, [refund(1)], read_at=LATER).rows_written == 1
    assert rows(engine, "vanished_at") == [(None,)]


def payment(updated: str, status: str) -> dict[str, Any]:
    return {
        "payment_id": 5077125051, "payment_status": status, "price_amount": 10, "price_currency": "usd",
        "created_at": "2026-10-30T10:00:00.000Z", "updated_at": updated,
    }  # fmt: skip


class Payments(Refunds):
    """NOWPayments, whose objects carry the time of their last change."""

    spec = nowpayments_objects.NOWPAYMENTS_SPECS[0]

    def object_id(self, obj: Any) -> str:
        return str(obj["payment_id"])

    def row(self, obj: Any) -> tuple[Any, ...]:
        values = {
            "object_id": str(obj["payment_id"]), "status": obj["payment_status"],
            "price_amount": Decimal(obj["price_amount"]), "price_currency": obj["price_currency"],
            "created_at": datetime.fromisoformat(obj["created_at"]),
            "updated_at": datetime.fromisoformat(obj["updated_at"]),
        }  # fmt: skip
        return tuple(values.get(column) for column in self.spec.columns)


def test_the_providers_own_time_of_change_beats_the_time_of_the_read(engine: Engine) -> None:
    def run(one: dict[str, Any], read_at: datetime) -> Coverage:
        return snapshot(
            engine, OneList(Payments([[one]], None, read_at)), Account("nowpayments", "np_1", True), "payments",
            WINDOW, as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: read_at,
        )  # fmt: skip

    run(payment("2026-10-30T11:00:00.000Z", "finished"), AS_OF)
    assert run(payment("2026-10-30T10:30:00.000Z", "waiting"), LATER).rows_written == 0  # a stale replica answered
    assert scalar(engine, "SELECT status FROM recon.nowpayments_payments") == "finished"
    assert run(payment("2026-10-30T11:30:00.000Z", "refunded"), AS_OF - timedelta(hours=1)).rows_written == 1
    assert scalar(engine, "SELECT status FROM recon.nowpayments_payments") == "refunded"

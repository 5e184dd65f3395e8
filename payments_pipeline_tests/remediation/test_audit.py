"""The audit trail can't be changed, and shows it where somebody did so all the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from payments_pipeline.errors import PermanentError
from payments_pipeline.remediation.actions import propose_target
from payments_pipeline.remediation.audit import GENESIS, append, verify
from payments_pipeline.remediation.oversight import approve
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller


def add(engine: Engine, number: int = 1, **values: Any) -> None:
    for index in range(number):
        with engine.begin() as connection:
            row: dict[str, Any] = {"at": AS_OF, "actor": "kim", "event": f"e{index}", "details": {"n": index}}
            append(connection, **row | values)


def check(engine: Engine) -> tuple[int, int | None]:
    with engine.connect() as connection:
        result = verify(connection)
    return result.rows, result.broken_at


def tamper(engine: Engine, sql: str) -> None:
    """As somebody with all rights over the database could."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE recon.audit_log DISABLE TRIGGER ALL"))
        connection.execute(text(sql))
        connection.execute(text("ALTER TABLE recon.audit_log ENABLE TRIGGER ALL"))


def test_empty_trail_is_whole(engine: Engine) -> None:
    assert check(engine) == (0, None)


def test_values_of_any_kind_survive_their_way_through_the_database(engine: Engine) -> None:
    odd = {
        "amount": Decimal("1.10"), "rate": 1e20, "at": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        "text": "naïve \x00 \ud800 👩‍👩‍👧 \u2028", "nested": {"b": [1, None, True], "a": {}}, "big": 10**30,
    }  # fmt: skip
    add(engine, 2, before=odd, after={}, details=odd, reason="r\x00", user_ref="17")
    assert check(engine) == (2, None)


@pytest.mark.parametrize("sql", ["UPDATE recon.audit_log SET actor = 'x'", "DELETE FROM recon.audit_log"])
def test_rows_can_not_be_changed_or_removed(engine: Engine, sql: str) -> None:
    add(engine)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(sql))


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'x'", "at = at + interval '1 microsecond'", "reason = 'because'", "details = '{\"n\": 7}'",
        "before = '{}'", "event = 'other'", "user_ref = '5'", "finding_id = 5", "payment_ref = ''", "hash = 'x'",
        f"previous_hash = '{GENESIS}'",
    ],
)  # fmt: skip
def test_changed_row_is_found(engine: Engine, change: str) -> None:
    add(engine, 4)
    tamper(engine, f"UPDATE recon.audit_log SET {change} WHERE audit_id = 3")  # noqa: S608
    assert check(engine) == (2, 3)


def test_removed_row_is_found(engine: Engine) -> None:
    add(engine, 4)
    tamper(engine, "DELETE FROM recon.audit_log WHERE audit_id = 2")
    assert check(engine) == (1, 3)


def test_rows_in_another_order_are_found(engine: Engine) -> None:
    add(engine, 3)
    tamper(
        engine,
        "UPDATE recon.audit_log SET audit_id = CASE audit_id WHEN 1 THEN 12 ELSE 11 END WHERE audit_id IN (1, 2)",
    )
    assert check(engine) == (0, 3)


def test_cut_end_shows_against_a_head_noted_elsewhere(engine: Engine) -> None:
    add(engine, 3)
    with engine.connect() as connection:
        head = verify(connection).head
    tamper(engine, "DELETE FROM recon.audit_log WHERE audit_id = 3")
    with engine.connect() as connection:
        assert verify(connection).head != head


def test_noted_head_is_found_while_its_row_is_there(engine: Engine) -> None:
    add(engine, 2)
    with engine.connect() as connection:
        head = verify(connection).head
    add(engine)
    with engine.connect() as connection:
        assert verify(connection, head=f" {head.upper()} ").trouble is None
        assert "CUT OFF" in str(verify(connection, head="f" * 64).trouble)
    tamper(engine, "DELETE FROM recon.audit_log WHERE audit_id >= 2")
    with engine.connect() as connection:
        assert (verify(connection).trouble, verify(connection, head=head).noted) == (None, False)


def test_no_role_for_replication_gets_round_the_triggers(engine: Engine) -> None:
    add(engine)
    for table in ("audit_log", "approvals", "policy_versions"):
        with engine.connect() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            with pytest.raises(DBAPIError, match="append-only"):
                connection.execute(text(f"TRUNCATE recon.{table}"))


def test_trail_of_a_payment_has_every_step_of_a_repair_that_names_only_the_intent(teller: Teller) -> None:
    intent = teller.hold(started=True)
    view = propose_target(
        teller.engine, "capture_payment", {"provider_ref": intent}, actor="kim", as_of=AS_OF, reason="given",
        desk=teller.desk,
    )  # fmt: skip
    assert view.action_id is not None
    approve(teller.engine, view.action_id, actor="ann", as_of=AS_OF)
    teller.sandbox.faults.add(Fault("stripe", "server_error", "/v1/", "POST", times=1, applied=False, stored=True))
    assert teller.apply(view.action_id).state == "applying"
    teller.lease_over()
    assert teller.apply(view.action_id).state == "verified"
    of_payment = teller.town.run(
        "SELECT array_agg(event ORDER BY audit_id) FROM recon.audit_log WHERE payment_ref = '1' AND user_ref = '1'"
    )
    assert [event.removeprefix("action.") for event in of_payment] == teller.events(view.action_id)
    assert {"action.approved", "action.unclear"} < set(of_payment)
    tamper(teller.engine, "DELETE FROM recon.audit_log WHERE event = 'action.verified'")
    with teller.engine.connect() as connection:
        assert verify(connection).unaudited == (view.action_id,)


def test_writers_at_once_make_one_chain(engine: Engine) -> None:
    barrier = threading.Barrier(4)

    def writer(_: int) -> None:
        barrier.wait()
        add(engine, 10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(writer, range(4)))
    assert check(engine) == (40, None)


def test_actor_is_always_known(engine: Engine) -> None:
    with pytest.raises(PermanentError, match="actor"), engine.begin() as connection:
        append(connection, at=AS_OF, actor=" ", event="e")

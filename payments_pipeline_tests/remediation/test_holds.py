"""Captures and releases: what is done, what is refused, and that money moves once whatever happens in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from payments_pipeline.errors import TransientError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.actions import propose, propose_target
from payments_pipeline.remediation.oversight import approve
from payments_pipeline.remediation.rounds import repair
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller

CAPTURED = ("completed", Decimal(80), "scheduled", None)
RELEASED = ("cancelled", Decimal(80), "cancelled", "system")


@pytest.fixture(autouse=True)
def no_approvals(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action IN ('capture_payment')")
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'release_authorization'")


def test_capture_takes_the_money_once_and_then_the_row_follows(teller: Teller) -> None:
    intent, action = teller.proposed("capture_payment", started=True)
    done = teller.apply(action)
    assert (done.state, done.reason) == ("verified", "stuck_authorizations: deadline near")
    assert teller.at_stripe(intent) == ("succeeded", 8000)
    assert teller.in_application(intent) == CAPTURED
    assert teller.apply(action).state == "verified"
    assert teller.moves(intent) == [("capture", 8000)]
    assert teller.events(action) == ["proposed", "applying", "verified"]
    details = teller.town.run("SELECT details FROM recon.audit_log WHERE event = 'action.verified'")
    assert details["provider"]["request_id"].startswith("req_")
    with teller.engine.connect() as connection:
        assert audit.verify(connection).broken_at is None


def test_a_part_is_captured_and_booked_as_what_it_is(teller: Teller) -> None:
    intent = teller.hold(booking="completed")
    view = propose_target(
        teller.engine, "capture_payment", {"provider_ref": intent, "capture_amount": "30.50"},
        actor="kim", as_of=AS_OF, reason="left early", desk=teller.desk,
    )  # fmt: skip
    assert view.action_id is not None
    assert {"what": f"Stripe {intent}", "field": "amount_received", "before": "0.00", "after": "30.50"} in view.effects
    assert teller.apply(view.action_id).state == "verified"
    assert teller.at_stripe(intent) == ("succeeded", 3050)
    assert teller.in_application(intent)[:2] == ("completed", Decimal("30.50"))
    other = teller.hold(booking="completed")
    for amount in ("0", "-1", "80.01", "1.001", "much"):
        refused = propose_target(
            teller.engine, "capture_payment", {"provider_ref": other, "capture_amount": amount},
            actor="kim", as_of=AS_OF, reason="try", desk=teller.desk,
        )  # fmt: skip
        assert refused.action_id is None
        assert "can't be captured" in str(refused.reason)


def test_release_cancels_the_hold_then_the_payment_then_the_booking(teller: Teller) -> None:
    intent, action = teller.proposed("release_authorization")
    assert teller.apply(action).state == "verified"
    assert teller.at_stripe(intent) == ("canceled", 0)
    assert teller.in_application(intent) == RELEASED
    assert teller.moves(intent) == [("cancel", 0)]
    no_show, action = teller.proposed("release_authorization", booking="no_show", status="pending")
    assert teller.apply(action).state == "verified"
    assert teller.in_application(no_show) == ("cancelled", Decimal(80), "no_show", None)


def test_what_is_not_due_is_not_even_proposed(teller: Teller) -> None:
    def refused(kind: str, **hold: object) -> str:
        finding = teller.finding(teller.hold(**hold), kind)  # type: ignore[arg-type]
        assert propose(teller.engine, actor="probe", as_of=AS_OF, findings=[finding], desk=teller.desk) == []
        evidence = teller.town.run("SELECT evidence FROM recon.findings WHERE finding_id = :f", f=finding)
        view = propose_target(
            teller.engine, kind, evidence, actor="kim", as_of=AS_OF, reason="try", desk=teller.desk
        )  # fmt: skip
        assert view.action_id is None
        return str(view.reason)

    assert "was given" in refused("capture_payment")
    assert "release" in refused("capture_payment", booking="cancelled", started=True)
    assert "ran out" in refused("capture_payment", started=True, made=AS_OF - timedelta(days=8))
    assert "refunded" in refused("capture_payment", started=True, status="refunded")
    assert "Somebody came" in refused("release_authorization", started=True)
    assert "capture instead" in refused("release_authorization", booking="completed")
    assert "still to come" in refused("release_authorization", ended=timedelta(hours=-5))
    assert "just ended" in refused("release_authorization", ended=timedelta(minutes=20))
    assert "counts the payment" in refused("release_authorization", status="completed")


@pytest.mark.parametrize("kind", ["capture_payment", "release_authorization"])
def test_worker_killed_between_any_two_steps_is_taken_over_and_money_moves_once(teller: Teller, kind: str) -> None:
    for step in ("claimed", "read", "called", "written"):
        intent, action = teller.proposed(kind, started=kind == "capture_payment")
        teller.killed(action, step)
        assert teller.state_of(action) == "applying"
        before = teller.in_application(intent)
        assert before[0] == "authorized", "nothing was written that was not committed with the end"
        assert teller.apply(action, actor="second").state == "applying", "the first may still be at it"
        teller.lease_over()
        assert teller.apply(action, actor="second").state == "verified"
        assert len(teller.moves(intent)) == 1
        assert teller.in_application(intent) == (CAPTURED if kind == "capture_payment" else RELEASED)
        assert teller.events(action) == ["proposed", "applying", "verified"]


def test_time_out_before_and_after_the_effect_is_settled_by_reading(teller: Teller) -> None:
    for applied in (True, False):
        teller.sandbox.faults.hang("stripe", "/v1/payment_intents", method="POST", seconds=1.5, applied=applied)
        intent, action = teller.proposed("capture_payment", started=True)
        before = len(teller.calls())
        assert teller.apply(action).state == ("verified" if applied else "applying")
        teller.lease_over()
        assert teller.apply(action, actor="second").state == "verified"
        assert len(teller.moves(intent)) == 1
        assert teller.in_application(intent) == CAPTURED
        keys = teller.calls()[before:]
        assert len(set(keys)) == 1, "a call that may have been taken is repeated with its own key"


def test_cut_answer_and_refused_pace_do_no_harm(teller: Teller) -> None:
    teller.sandbox.faults.cut_body("stripe", "/v1/payment_intents", method="POST")
    intent, action = teller.proposed("capture_payment", started=True)
    assert teller.apply(action).state == "verified"
    assert teller.moves(intent) == [("capture", 8000)]
    intent, action = teller.proposed("release_authorization")
    teller.sandbox.faults.add(Fault("stripe", "rate_limited", "/v1/payment_intents", "POST"))
    assert teller.apply(action).state == "applying"
    assert teller.moves(intent) == []
    assert teller.apply(action).state == "verified", "it did not happen, so nobody has to wait"
    assert teller.moves(intent) == [("cancel", 0)]


def test_stored_500_is_read_first_and_then_asked_anew_under_another_key(teller: Teller) -> None:
    for applied in (True, False):
        teller.sandbox.faults.server_error("stripe", "/v1/payment_intents", method="POST", applied=applied, stored=True)
        intent, action = teller.proposed("capture_payment", started=True)
        before = len(teller.calls())
        assert teller.apply(action).state == ("verified" if applied else "applying")
        teller.lease_over()
        assert teller.apply(action).state == "verified"
        keys = teller.calls()[before:]
        assert len(keys) == len(set(keys)) == (1 if applied else 2)
        assert teller.moves(intent) == [("capture", 8000)]
        assert teller.in_application(intent) == CAPTURED


def test_guest_who_comes_while_stripes_answer_is_out_is_not_cancelled_but_told_of(teller: Teller) -> None:
    intent, action = teller.proposed("release_authorization")
    teller.killed(action, "called")
    teller.town.run("UPDATE public.bookings SET actual_start = starts_at")
    teller.lease_over()
    ended = teller.apply(action)
    assert (ended.state, "ask for another payment" in str(ended.reason)) == ("failed", True)
    assert teller.in_application(intent) == ("cancelled", Decimal(80), "scheduled", None)


def test_provider_that_fails_for_ever_ends_with_a_person(teller: Teller) -> None:
    teller.sandbox.faults.server_error("stripe", "/v1/payment_intents", method="POST", times=None, stored=True)
    intent, action = teller.proposed("capture_payment", started=True)
    for _ in range(5):
        assert teller.apply(action).state == "applying"
        teller.lease_over()
    ended = teller.apply(action)
    assert ended.state == "failed"
    assert "a person must look" in str(ended.reason)
    assert (teller.moves(intent), teller.in_application(intent)[0]) == ([], "authorized")


def test_world_that_moved_on_is_respected(teller: Teller) -> None:
    """The customer's, the webhook's and the host's moves between plan and repair."""
    intent, action = teller.proposed("release_authorization")
    teller.town.run("UPDATE public.bookings SET actual_start = starts_at")
    refused = teller.apply(action)
    assert (refused.state, refused.reason) == ("rejected", "Somebody came: capture instead, or decide by hand.")
    assert teller.moves(intent) == []
    captured, action = teller.proposed("capture_payment", started=True)
    teller.life.cancel(captured, at=AS_OF)
    assert "canceled at Stripe" in str(teller.apply(action).reason)
    assert teller.in_application(captured)[0] == "authorized"
    changed, action = teller.proposed("capture_payment", started=True)
    teller.town.run("UPDATE public.payment_transactions SET status = 'pending' WHERE transaction_id = :i", i=changed)
    assert "Changed since it was planned: payment.app_state was authorized" in str(teller.apply(action).reason)


def test_webhook_that_books_first_leaves_nothing_to_write(teller: Teller) -> None:
    intent, action = teller.proposed("capture_payment", started=True)
    teller.killed(action, "called")
    teller.town.run(
        "UPDATE public.payment_transactions SET status = 'succeeded', confirmed_at = now() WHERE transaction_id = :i",
        i=intent,
    )
    teller.lease_over()
    assert teller.apply(action).state == "verified"
    assert teller.in_application(intent) == ("succeeded", *CAPTURED[1:]), "the webhook's word stands"
    assert teller.moves(intent) == [("capture", 8000)]


def test_other_hand_that_takes_another_sum_meanwhile_is_not_booked_as_ours(teller: Teller) -> None:
    intent, action = teller.proposed("capture_payment", started=True)
    teller.killed(action, "claimed")
    teller.life.capture(intent, at=AS_OF, amount=1000)
    teller.lease_over()
    assert teller.apply(action).state == "rejected"
    assert teller.in_application(intent)[0] == "authorized"


def test_guest_who_joins_during_the_release_waits_and_finds_it_cancelled(teller: Teller) -> None:
    intent, action = teller.proposed("release_authorization")
    waiting = threading.Event()

    def join() -> int:
        waiting.wait(5)
        sql = "UPDATE public.bookings SET actual_start = now() WHERE status = 'scheduled' RETURNING id"
        with teller.engine.begin() as connection:
            return len(connection.execute(text(sql)).all())

    def step(name: str) -> None:
        if name == "called":
            waiting.set()
            while not teller.town.run("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                pass

    with ThreadPoolExecutor(1) as pool:
        joined = pool.submit(join)
        assert teller.apply(action, step=step).state == "verified"
        assert joined.result() == 0
    assert teller.in_application(intent) == RELEASED


def test_two_workers_and_two_findings_move_the_money_once(teller: Teller) -> None:
    pairs = [teller.proposed("release_authorization") for _ in range(3)]
    for intent, _ in pairs:
        finding = teller.finding(intent, "release_authorization", "no_show_holds")
        propose(teller.engine, actor="probe", as_of=AS_OF, findings=[finding], desk=teller.desk)
    actions = list(range(1, 7))
    barrier = threading.Barrier(2)

    def worker(order: list[int]) -> list[str]:
        barrier.wait()
        return [_tried(teller, action) for action in order]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, [actions, actions[::-1]]))
    teller.lease_over()
    for action in actions:
        _tried(teller, action)
    states = [teller.state_of(action) for action in actions]
    assert sorted(states) == ["rejected"] * 3 + ["verified"] * 3
    for intent, _ in pairs:
        assert teller.moves(intent) == [("cancel", 0)]
        assert teller.in_application(intent) == RELEASED


def _tried(teller: Teller, action: int) -> str:
    try:
        return teller.apply(action).state
    except TransientError:
        return "later"


def test_approval_is_of_what_was_seen_and_needs_other_people(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 1 WHERE action = 'capture_payment'")
    intent, action = teller.proposed("capture_payment", started=True, amount=60000)
    assert "2 approval(s)" in str(teller.apply(action).reason), "above the limit two must agree"
    assert approve(teller.engine, action, actor="ann", as_of=AS_OF).state == "proposed"
    assert teller.apply(action).state == "proposed"
    assert approve(teller.engine, action, actor="bob", as_of=AS_OF).state == "approved"
    assert teller.apply(action).state == "verified"
    assert teller.moves(intent) == [("capture", 60000)]


def test_amounts_nobody_can_reckon_with_are_refused_and_leave_others_alone(teller: Teller) -> None:
    intent, other = teller.hold(started=True), teller.hold(started=True)
    for amount in ("Infinity", "-Infinity", "NaN", "sNaN", "1E+999999", "1E-999999", "3_0", "-1", "80.001"):
        for kind, part in (("capture_payment", "capture_amount"), ("refund_payment", "refund_amount")):
            target = {"provider_ref": intent, part: amount}
            view = propose_target(
                teller.engine, kind, target, actor="kim", as_of=AS_OF, reason="x", desk=teller.desk, dry_run=True
            )
            assert view.state == "rejected", amount
    for ref in (intent, other):
        teller.finding(ref, "capture_payment")
    teller.town.run("UPDATE public.payment_transactions SET amount = 'NaN' WHERE transaction_id = :ref", ref=intent)
    told = repair(teller.engine, as_of=AS_OF, actor="night", dry_run=False, desk=teller.desk).actions
    assert [view.state for view in told] == ["rejected", "proposed"]
    assert "reckoned with" in str(told[0].reason)

"""Payouts that did not arrive are made anew: once, and only where Stripe itself says that the money came back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.remediation.actions import propose, propose_target
from payments_pipeline.remediation.oversight import approve
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Teller

MADE = AS_OF - timedelta(days=4)


@pytest.fixture(autouse=True)
def no_approvals(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0 WHERE action = 'retry_payout'")


def read_by_us(teller: Teller, ref: str, kind: str = "transfer") -> None:
    teller.town.run(
        "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state, raw_status,"
        " amount, currency, provider_created_at, state_changed_at, read_at, link_method) VALUES ('stripe', :account,"
        " :ref, :kind, FALSE, 'paid', 'paid', 16, 'USD', :at, :at, :at, 'none')",
        account=teller.sandbox.state.stripe.account_id, ref=ref, kind=kind, at=MADE,
    )  # fmt: skip


def paid_out(teller: Teller, status: str = "paid", ref: str | None = None, payee: int = 0, **columns: Any) -> int:
    """The application's payout of 16 for a booking of its own; its id."""
    values = {"method": "stripe", "error": None, "batch": None, "created_at": MADE} | columns
    return int(
        teller.town.run(
            "INSERT INTO public.payouts (payee_id, amount, currency, method, stripe_transfer_id, paypal_batch_id,"
            " status, error, created_at, updated_at) VALUES (:payee, 16.00, 'usd', :method, :ref, :batch, :status,"
            " :error, :created_at, :created_at) RETURNING id",
            payee=payee or teller.town.user(), ref=ref, status=status, **values,
        )
    )  # fmt: skip


def came_back(teller: Teller, destination: str = "acct_host", status: str = "failed") -> tuple[str, int]:
    """A transfer that was reversed, and the application's row of it: their ids."""
    ref = str(teller.life.create_transfer(at=MADE, amount=1600, destination=destination)["id"])
    teller.life.reverse_transfer(ref, at=MADE + timedelta(days=1))
    read_by_us(teller, ref)
    return ref, paid_out(teller, status, ref)


def asked(teller: Teller, **target: str) -> ActionView:
    return propose_target(
        teller.engine, "retry_payout", target, actor="kim", as_of=AS_OF, reason="try", desk=teller.desk
    )  # fmt: skip


def row(teller: Teller, payout: int) -> dict[str, Any]:
    return teller.town.row("SELECT status, stripe_transfer_id, error FROM public.payouts WHERE id = :id", id=payout)


def sent(teller: Teller) -> list[tuple[str, str, int]]:
    return list(teller.sandbox.state.stripe.moves)


def test_transfer_that_came_back_is_made_anew_after_one_approval(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 1 WHERE action = 'retry_payout'")
    ref, payout = came_back(teller)
    evidence = {"payout_id": str(payout), "stripe_transfer_id": ref, "repairable": True}
    finding = teller.finding(ref, "retry_payout", "failed_payouts", **evidence)
    (view,) = propose(teller.engine, actor="probe", as_of=AS_OF, findings=[finding], desk=teller.desk)
    assert view.stake is not None
    assert (view.stake.amount, view.stake.currency) == (Decimal(16), "USD")
    assert view.effects[0]["field"] == "new transfer to acct_host"
    assert view.action_id is not None
    assert teller.apply(view.action_id).state == "proposed"
    approve(teller.engine, view.action_id, actor="ann", as_of=AS_OF)
    assert teller.apply(view.action_id).state == "verified"
    assert teller.apply(view.action_id).state == "verified"
    assert sent(teller) == [("transfer", "acct_host", 1600)]
    made = row(teller, payout)
    assert (made["status"], made["error"]) == ("paid", None)
    assert teller.sandbox.state.stripe.transfers[made["stripe_transfer_id"]]["metadata"]["instead_of"] == ref


def test_payout_that_never_left_goes_where_the_payee_was_paid_before(teller: Teller) -> None:
    before = str(teller.life.create_transfer(at=MADE, amount=900, destination="acct_host")["id"])
    read_by_us(teller, before)
    payee = teller.town.user()
    paid_out(teller, "paid", before, payee, created_at=MADE - timedelta(days=1))
    payout = paid_out(teller, "failed", None, payee, error="balance was too low")
    view = asked(teller, payout_id=str(payout))
    assert view.action_id is not None, view.reason
    assert teller.apply(view.action_id).state == "verified"
    assert sent(teller) == [("transfer", "acct_host", 1600)]
    assert row(teller, payout)["status"] == "paid"


def test_what_may_have_arrived_is_never_paid_again(teller: Teller) -> None:
    def refused(ref: str | None, payout: int) -> str:
        view = asked(teller, payout_id=str(payout), **({} if ref is None else {"provider_ref": ref}))
        assert view.action_id is None
        return str(view.reason)

    arrived = str(teller.life.create_transfer(at=MADE, amount=1600, destination="acct_a")["id"])
    read_by_us(teller, arrived)
    assert "nothing came back" in refused(arrived, paid_out(teller, "failed", arrived))
    teller.life.reverse_transfer(arrived, at=MADE, amount=300)
    assert "a part came back" in refused(arrived, paid_out(teller, "failed", arrived))
    by_hand, payout = came_back(teller, "acct_b")
    again = teller.life.create_transfer(at=MADE + timedelta(days=2), amount=1600, destination="acct_b")["id"]
    assert f"{again} may hold this money already" in refused(by_hand, payout)
    other = paid_out(teller, "paid", str(again))
    assert asked(teller, payout_id=str(payout), provider_ref=by_hand).action_id is not None, "of another payout"
    assert "under way" in refused(None, paid_out(teller, "pending"))
    assert "went through paypal" in refused(None, paid_out(teller, "failed", method="paypal", batch="B1"))
    assert "not known" in refused(None, paid_out(teller, "failed"))
    on_purpose, payout = came_back(teller, "acct_c")
    for name, item in list(teller.sandbox.state.stripe.transfer_reversals.items()):
        if item["transfer"] == on_purpose:
            teller.sandbox.state.stripe.transfer_reversals[name] = {**item, "source_refund": "re_1"}
    assert "the customer was refunded" in refused(on_purpose, payout)
    assert sent(teller) == []
    assert other


def test_worker_killed_or_unheard_pays_out_once(teller: Teller) -> None:
    """Stripe would take a second transfer: only the mark tells that the first is there."""
    for number, step in enumerate(("claimed", "read", "called", "written", "hang after", "hang before")):
        ref, payout = came_back(teller, f"acct_{number}")
        view = asked(teller, payout_id=str(payout), provider_ref=ref)
        assert view.action_id is not None, view.reason
        before = len(teller.calls())
        if step.startswith("hang"):
            applied = step == "hang after"
            teller.sandbox.faults.hang("stripe", "/v1/transfers", method="POST", seconds=1.5, applied=applied)
            teller.apply(view.action_id)
        else:
            teller.killed(view.action_id, step)
        teller.lease_over()
        assert teller.apply(view.action_id, actor="second").state == "verified", step
        assert len([move for move in sent(teller) if move[1] == f"acct_{number}"]) == 1, step
        assert len(set(teller.calls()[before:])) == 1
        assert row(teller, payout)["status"] == "paid"


def test_stored_500_without_an_effect_ends_with_a_person_instead_of_a_second_key(teller: Teller) -> None:
    ref, payout = came_back(teller)
    view = asked(teller, payout_id=str(payout), provider_ref=ref)
    assert view.action_id is not None
    teller.sandbox.faults.server_error("stripe", "/v1/transfers", method="POST", applied=False, stored=True)
    assert teller.apply(view.action_id).state == "applying"
    teller.lease_over()
    ended = teller.apply(view.action_id)
    assert (ended.state, "might do it twice" in str(ended.reason)) == ("failed", True)
    assert (sent(teller), row(teller, payout)["status"]) == ([], "failed")


def test_payout_to_our_own_bank_is_made_anew_unless_stripes_schedule_does(teller: Teller) -> None:
    life = teller.life
    manual, by_schedule = (life.create_payout(at=MADE, amount=5000, automatic=auto)["id"] for auto in (False, True))
    for ref in (manual, by_schedule):
        read_by_us(teller, ref, "payout")
        assert "It is pending at Stripe" in str(asked(teller, provider_ref=ref).reason)
        life.fail_payout(ref, at=MADE + timedelta(days=1))
    assert "own schedule" in str(asked(teller, provider_ref=by_schedule).reason)
    view = asked(teller, provider_ref=manual)
    assert view.action_id is not None, view.reason
    assert teller.apply(view.action_id).state == "verified"
    assert sent(teller) == [("payout", "ba_sandbox", 5000)]
    assert "paid out again already" in str(asked(teller, provider_ref=manual).reason)

"""Deposits that were matched to a payment and never booked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from payments_pipeline.remediation.actions import apply, propose_target
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import PLANS, Town


def asked(town: Town, user: int, status: str = "pending") -> str:
    return str(
        town.run(
            "INSERT INTO public.payment_transactions (user_id, plan_id, payment_method, status, amount, currency,"
            " crypto_currency, crypto_amount, deposit_address, created_at) VALUES (:user, :plan, 'okx', :status, 19.99,"
            " 'usd', 'USDT', 20, 'T1', :at) RETURNING id",
            user=user, plan=PLANS["month"], status=status, at=AS_OF - timedelta(hours=5),
        )
    )  # fmt: skip


def came(
    town: Town,
    payment: str,
    ref: str = "d1",
    *,
    state: str = "paid",
    outcome: str = "full",
    coin: str = "USDT",
    share: str = "20",
) -> None:
    town.run(
        "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state, raw_status,"
        " amount, currency, deposit_address, tx_hash, provider_created_at, paid_at, state_changed_at, read_at) VALUES"
        " ('okx', 'a', :ref, 'deposit', FALSE, :state, '2', :share, :coin, 'T1', :ref, :at, :at, :at, :at)",
        ref=ref, state=state, coin=coin, share=Decimal(share), at=AS_OF - timedelta(hours=2),
    )  # fmt: skip
    # The exchange writes the transaction with 0x, and so does the application after a confirmation.
    town.run(
        "INSERT INTO recon.okx_deposits (account, livemode, object_id, status, currency, chain, amount, address, tx_id,"
        " created_at, read_at, digest) VALUES ('a', FALSE, :ref, '2', :coin, 'USDT-TRC20', :share, 'T1', '0x' || :ref,"
        " :at, :at, 1) ON CONFLICT DO NOTHING",
        ref=ref, coin=coin, share=Decimal(share), at=AS_OF - timedelta(hours=2),
    )  # fmt: skip
    town.run(
        "INSERT INTO recon.deposit_matches (provider, account, provider_ref, state, payment_ref, method, amount_share,"
        " outcome, evidence, digest, decided_at) VALUES ('okx', 'a', :ref, 'matched', :payment, 'address', :share,"
        " :outcome, 'x', 1, :at)",
        ref=ref, payment=payment, outcome=outcome, share=Decimal(share), at=AS_OF,
    )  # fmt: skip


def proposed(town: Town, payment: str) -> ActionView:
    return propose_target(
        town.engine, "confirm_crypto_payment", {"payment_id": payment}, actor="kim", as_of=AS_OF, reason="came"
    )


@pytest.fixture(autouse=True)
def no_approvals(town: Town) -> None:
    town.run("UPDATE recon.policies SET approvals = 0")


def test_deposits_complete_the_payment_and_give_what_it_bought(town: Town) -> None:
    user = town.user()
    payment = asked(town, user, "expired")
    came(town, payment)
    view = proposed(town, payment)
    assert view.action_id is not None, view.reason
    assert apply(town.engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False).state == "verified"
    row = town.row("SELECT * FROM public.payment_transactions")
    assert (row["status"], row["received_amount"], row["tx_hash"]) == ("completed", Decimal(20), "0xd1")
    assert row["confirmed_at"] == AS_OF - timedelta(hours=2)
    assert town.look(user)["subscription_status"] == "active"
    assert "completed already" in str(proposed(town, payment).reason)


@pytest.mark.parametrize("written", ["USDTTRC20", " usdt-trc20", None])
def test_coin_is_compared_as_the_matching_compares_it(town: Town, written: str | None) -> None:
    """A gateway's code names the network behind the coin; some applications write no coin at all."""
    payment = asked(town, town.user())
    town.run("UPDATE public.payment_transactions SET crypto_currency = :coin", coin=written)
    came(town, payment)
    view = proposed(town, payment)
    assert view.action_id is not None, view.reason
    assert apply(town.engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False).state == "verified"


def test_several_deposits_are_booked_as_one_sum(town: Town) -> None:
    payment = asked(town, town.user())
    came(town, payment, "d1", share="5")
    came(town, payment, "d2", share="15")
    view = proposed(town, payment)
    assert view.action_id is not None, view.reason
    assert apply(town.engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False).state == "verified"
    row = town.row("SELECT * FROM public.payment_transactions")
    assert (row["received_amount"], row["tx_hash"]) == (Decimal(20), "0xd2")


def test_deposit_that_settled_another_payment_or_is_not_good_settles_none(town: Town) -> None:
    user = town.user()

    def refused(payment: str) -> str:
        view = proposed(town, payment)
        assert view.action_id is None
        return str(view.reason)

    assert "No deposit" in refused(asked(town, user))
    for ref, what, word in (
        ("s", {"outcome": "short"}, "Less came"),
        ("f", {"state": "frozen"}, "not final"),
        ("c", {"coin": "BTC"}, "BTC came"),
    ):
        payment = asked(town, user)
        came(town, payment, ref, **what)
        assert word in refused(payment)
    other = asked(town, user, "completed")
    town.run("UPDATE public.payment_transactions SET tx_hash = '0xt' WHERE id = :p", p=int(other))
    payment = asked(town, user)
    came(town, payment, "t")
    assert f"Payment {other} was completed with the same deposit" in refused(payment)


def test_deposit_that_is_given_to_another_payment_before_it_is_booked_is_left_alone(town: Town) -> None:
    payment = asked(town, town.user())
    came(town, payment)
    view = proposed(town, payment)
    assert view.action_id is not None
    town.run("UPDATE recon.deposit_matches SET payment_ref = '999'")
    result = apply(town.engine, view.action_id, actor="kim", as_of=AS_OF, dry_run=False)
    assert (result.state, result.reason) == ("rejected", "No deposit was matched to the payment.")
    assert town.run("SELECT status FROM public.payment_transactions") == "pending"

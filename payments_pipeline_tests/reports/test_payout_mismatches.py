"""Failure catalogue, line P5: payouts against their parts, and money that went out with no payout."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.bank import Bank
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


@pytest.fixture
def bank(ledger: Ledger) -> Bank:
    return Bank(ledger)


def rows(bank: Bank, **kwargs: Any) -> list[Row]:
    return bank.ledger.rows("payout_mismatches", **kwargs)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("100.01", "more was paid out than its parts add up to"),
        ("99.99", "less was paid out than its parts add up to"),
    ],
)
def test_one_cent_is_seen(bank: Bank, amount: str, reason: str) -> None:
    bank.payout(amount=amount)
    bank.parts("60.25", "39.75")
    bank.read_in_full()
    (row,) = rows(bank)
    assert (row["provider_ref"], row["amount"], row["currency"]) == ("po_1", Decimal("0.01"), "USD")
    assert (row["parts_amount"], row["parts"], row["reason"]) == (100, 2, reason)
    assert row["severity"] == "HIGH"


def test_parts_that_add_up_are_fine_with_refunds_fees_and_transfers_among_them(bank: Bank) -> None:
    bank.payout(amount="70.10")
    bank.parts("100.00", "-20.00", "-9.90")
    bank.read_in_full()
    assert rows(bank) == []


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "1500"), ("kwd", "3.050")])
def test_currencies_add_up_in_their_own_units(bank: Bank, currency: str, amount: str) -> None:
    bank.payout(amount=amount, currency=currency)
    bank.parts(amount, currency=currency)
    bank.read_in_full()
    assert rows(bank) == []


def test_part_in_another_currency_cannot_be_added(bank: Bank) -> None:
    bank.payout()
    bank.parts("100.00")
    bank.part("txn_eur", "5.00", currency="eur")
    bank.read_in_full()
    assert [row["reason"] for row in rows(bank)] == ["it has parts in another currency"]


@pytest.mark.parametrize(
    "columns",
    [
        {"automatic": False},
        {"reconciliation_status": "in_progress"},
        {"status": "pending"},
        {"status": "canceled"},
        {"vanished_at": AS_OF},
        {"created_at": ago(days=91)},
    ],
)
def test_only_reconciled_automatic_payouts_are_added_up(bank: Bank, columns: dict[str, Any]) -> None:
    bank.payout(amount="50.00", **columns)
    bank.parts("100.00")
    bank.read_in_full(window_from=ago(days=200))
    assert rows(bank) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"complete": False},
        {"resource": "payouts"},
        {"account": "acct_2"},
        {"mode": "reread"},
        {"window_to": ago(days=5)},
        {"window_from": ago(days=4)},
        {"finished_at": ago(hours=2)},
    ],
)
def test_half_a_list_never_makes_a_difference(bank: Bank, columns: dict[str, Any]) -> None:
    bank.payout()
    bank.parts("60.00")
    bank.read_in_full(**columns)
    assert rows(bank) == []


def test_a_payout_without_any_known_part_is_not_judged(bank: Bank) -> None:
    bank.payout()
    bank.read_in_full()
    assert rows(bank) == []


def test_a_server_that_lists_everything_for_every_payout_says_nothing(bank: Bank) -> None:
    bank.payout()
    bank.parts("100.00")
    bank.part("txn_po_2", "-30.00", type="payout", source_id="po_2")
    bank.read_in_full()
    assert rows(bank) == []


# Money in no payout


@pytest.fixture
def paid_out(bank: Bank) -> Bank:
    """An account whose newest automatic payout, of five days ago, adds up."""
    bank.payout()
    bank.parts("100.00")
    bank.read_in_full()
    return bank


def test_captured_long_ago_and_in_no_payout(paid_out: Bank) -> None:
    ledger = paid_out.ledger
    paid_out.income("txn_1")
    intent = {
        "account": "acct_1", "livemode": True, "object_id": "pi_1", "status": "succeeded", "currency": "usd",
        "amount": 21, "amount_received": 21, "amount_capturable": 0, "created_at": ago(days=32),
        "charge_id": "ch_txn_1", "read_at": AS_OF, "digest": 1,
    }  # fmt: skip
    ledger.add("recon.stripe_payment_intents", **intent)
    payment = ledger.payment(ledger.user(), None, "succeeded", ago(days=32))
    (row,) = rows(paid_out)
    assert (row["provider_ref"], row["amount"], row["currency"]) == ("ch_txn_1", 20, "USD")
    assert (row["payment_id"], row["username"]) == (str(payment), "kim")
    assert row["reason"] == "captured long ago, and in no payout"


def test_money_that_left_with_a_payout_is_fine(paid_out: Bank) -> None:
    paid_out.income("po_1_0")
    assert rows(paid_out) == []


@pytest.mark.parametrize(("days", "expected"), [(13.9, 0), (14.1, 1)])
def test_two_weeks_are_long_ago(paid_out: Bank, days: float, expected: int) -> None:
    paid_out.income("txn_1", days)
    assert len(rows(paid_out)) == expected
    assert len(rows(paid_out, overrides={"days": 10})) == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"type": "refund", "net": -20},
        {"currency": "eur"},
        {"account": "acct_2"},
        {"vanished_at": AS_OF},
        {"created_at": ago(days=91)},
    ],
)
def test_what_no_payout_could_have_taken(paid_out: Bank, columns: dict[str, Any]) -> None:
    paid_out.income("txn_1", **columns)
    assert rows(paid_out) == []


def test_account_that_pays_out_by_hand_is_not_judged(bank: Bank) -> None:
    bank.payout(automatic=False)
    bank.read_in_full()
    bank.income("txn_1")
    assert rows(bank) == []


def test_money_from_before_what_was_read_is_not_judged(bank: Bank) -> None:
    bank.payout()
    bank.parts("100.00")
    bank.read_in_full(window_from=ago(days=31))
    bank.income("txn_1", 30)
    bank.income("txn_2", 20)
    assert [row["provider_ref"] for row in rows(bank)] == ["ch_txn_2"]

"""Failure catalogue, lines P2, P3, P4 and P6: money sent on that did not arrive, and money that is only slow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.bank import Bank
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


@pytest.fixture
def bank(ledger: Ledger) -> Bank:
    return Bank(ledger)


def payout(ledger: Ledger, status: str, **columns: Any) -> int:
    """The application's payout of 16 for a booking of five days ago; all of them go to one host."""
    host = columns.pop("payee_id", None) or ledger.user()
    values: dict[str, Any] = {
        "payee_id": host, "amount": 16, "currency": "USD", "status": status, "created_at": ago(days=5),
        "updated_at": ago(days=5),
    }  # fmt: skip
    return int(ledger.add("public.payouts", **values | columns))


def rows(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("failed_payouts", **kwargs)


def test_failed_payout_with_its_error_and_references(ledger: Ledger) -> None:
    made = payout(ledger, "Failed", error="account closed", stripe_transfer_id="tr_1")
    (row,) = rows(ledger)
    assert (row["payout_id"], row["provider"], row["provider_ref"]) == (made, "stripe", "tr_1")
    assert (row["error"], row["stripe_transfer_id"], row["severity"]) == ("account closed", "tr_1", "HIGH")
    assert (row["amount"], row["currency"], row["username"]) == (16, "USD", "kim")
    assert row["reason"] == "the application says failed"


@pytest.mark.parametrize("word", ["returned", "unclaimed", "rejected", "blocked", "reversed"])
def test_other_words_for_failure(ledger: Ledger, word: str) -> None:
    payout(ledger, word)
    assert [row["payout_status"] for row in rows(ledger)] == [word]


@pytest.mark.parametrize("word", ["pending", "processing", "in_transit", "onhold", "canceled", "paid", "scheduled"])
def test_slow_is_not_failed(ledger: Ledger, word: str) -> None:
    payout(ledger, word, created_at=ago(days=40), updated_at=ago(days=40))
    assert rows(ledger) == []


@pytest.mark.parametrize(("minutes", "expected"), [(14, 0), (16, 1)])
def test_the_application_gets_a_moment_to_try_again(ledger: Ledger, minutes: int, expected: int) -> None:
    payout(ledger, "failed", updated_at=ago(minutes=minutes))
    assert len(rows(ledger)) == expected


def test_one_item_of_a_paid_batch_was_not_taken(ledger: Ledger) -> None:
    batch = {"method": "PayPal", "paypal_batch_id": "BATCH1"}
    payout(ledger, "paid", **batch)
    payout(ledger, "paid", **batch, error="insufficient funds, second try")
    unclaimed = payout(ledger, "unclaimed", **batch)
    returned = payout(ledger, "paid", **batch, error="item RETURNED")
    found = {row["payout_id"]: row for row in rows(ledger)}
    assert set(found) == {unclaimed, returned}
    assert {row["paypal_batch_id"] for row in found.values()} == {"BATCH1"}
    assert {row["provider"] for row in found.values()} == {"paypal"}
    assert found[returned]["reason"] == "the batch was paid, this item was not taken"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"status": "paid"}, []),
        ({"status": "processing"}, []),
        ({"status": "failed"}, ["second"]),
        ({"status": "canceled"}, ["first"]),
        ({"status": "paid", "amount": 10}, ["first"]),
        ({"status": "paid", "booking_id": None}, ["first"]),
        ({"status": "paid", "created_at": ago(days=6)}, ["first"]),
    ],
)
def test_a_later_payout_for_the_same_booking_speaks_for_the_first(
    ledger: Ledger, second: dict[str, Any], expected: list[str]
) -> None:
    host = ledger.user()
    booking = ledger.booking(host, host)
    first = payout(ledger, "failed", payee_id=host, booking_id=booking)
    later = payout(ledger, **{"payee_id": host, "booking_id": booking, "created_at": ago(days=4), **second})
    names = {first: "first", later: "second"}
    assert [names[row["payout_id"]] for row in rows(ledger)] == expected


def test_without_a_booking_only_one_that_did_not_fail_speaks_for_the_first(ledger: Ledger) -> None:
    host = ledger.user()
    owed = [payout(ledger, "failed", payee_id=host, created_at=ago(days=5 - number)) for number in range(2)]
    assert {row["payout_id"] for row in rows(ledger)} == set(owed)
    payout(ledger, "paid", payee_id=host, created_at=ago(days=3))
    assert rows(ledger) == []


# Paid, then failed


def test_transfer_that_was_reversed_while_the_application_says_paid(ledger: Ledger, bank: Bank) -> None:
    made = payout(ledger, "paid", stripe_transfer_id="tr_1")
    bank.transfer(back=16)
    bank.reversal()
    (row,) = rows(ledger)
    assert (row["payout_id"], row["provider_ref"], row["amount"]) == (made, "tr_1", 16)
    assert row["reason"] == "paid out, then the transfer was reversed"


def test_reversed_transfer_counts_where_the_reversals_themselves_were_not_read(ledger: Ledger, bank: Bank) -> None:
    payout(ledger, "paid", stripe_transfer_id="tr_1")
    bank.transfer(back=16)
    assert len(rows(ledger)) == 1


def test_transfer_taken_back_by_refunds_came_back_on_purpose(ledger: Ledger, bank: Bank) -> None:
    payout(ledger, "paid", stripe_transfer_id="tr_1")
    bank.transfer(back=16)
    bank.reversal(refund_id="re_1")
    assert rows(ledger) == []


def test_part_of_a_transfer_taken_back_is_a_correction(ledger: Ledger, bank: Bank) -> None:
    payout(ledger, "paid", stripe_transfer_id="tr_1")
    bank.transfer(back=4)
    bank.reversal(amount=4)
    assert rows(ledger) == []


@pytest.mark.parametrize("word", ["reversed", "failed"])
def test_a_reversal_that_the_application_knows_is_said_once(ledger: Ledger, bank: Bank, word: str) -> None:
    payout(ledger, word, stripe_transfer_id="tr_1")
    bank.transfer(back=16)
    bank.reversal()
    assert [row["payout_status"] for row in rows(ledger)] == [word]


def test_a_payout_that_was_called_off_may_be_reversed(ledger: Ledger, bank: Bank) -> None:
    payout(ledger, "canceled", stripe_transfer_id="tr_1")
    bank.transfer(back=16)
    assert rows(ledger) == []


def test_payout_to_our_own_bank_that_failed(ledger: Ledger, bank: Bank) -> None:
    bank.payout(status="failed", failure_code="account_closed", failure_balance_transaction_id="txn_back")
    (row,) = rows(ledger)
    assert (row["provider"], row["provider_ref"], row["payout_id"]) == ("stripe", "po_1", None)
    assert (row["error"], row["amount"], row["currency"]) == ("account_closed", 100, "USD")
    assert row["reason"] == "the bank refused it, and the money came back to the balance"


def test_money_that_came_back_and_left_again_is_settled(ledger: Ledger, bank: Bank) -> None:
    bank.payout(status="failed", failure_balance_transaction_id="txn_back")
    bank.part("txn_back", "100.00", "po_2", type="payout_failure", source_id="po_1")
    assert rows(ledger) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "in_transit", "arrival_at": ago(days=2)},
        {"status": "canceled"},
        {"status": "failed", "created_at": ago(days=91)},
        {"status": "failed", "created_at": AS_OF + timedelta(minutes=1)},
        {"status": "failed", "vanished_at": AS_OF},
    ],
)
def test_bank_payouts_that_are_slow_old_or_gone(bank: Bank, ledger: Ledger, columns: dict[str, Any]) -> None:
    bank.payout(**columns)
    assert rows(ledger) == []


def test_application_that_keeps_the_bank_payouts_id(ledger: Ledger, bank: Bank) -> None:
    made = payout(ledger, "paid", stripe_transfer_id="po_1")
    bank.payout(status="failed", failure_code="no_account")
    (row,) = rows(ledger)
    assert (row["payout_id"], row["username"]) == (made, "kim")
    assert row["reason"] == "the application says paid, the bank refused it"

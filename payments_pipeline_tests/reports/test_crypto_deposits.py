"""Lines C2 to C4, C6 to C11 and C14 at the exchange: what each report says of deposits, and what it leaves out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

REPORTS = (
    "crypto_underpaid", "crypto_overpaid", "late_deposits", "unmatched_deposits", "ambiguous_deposits",
    "frozen_deposits", "expired_crypto_payments",
)  # fmt: skip


class Till:
    """An exchange account that waits for 20 USDT at T1, asked for ten hours ago and for five hours."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def payment(self, status: str = "pending", user: int | None = None, **columns: Any) -> int:
        waits: Row = {
            "payment_method": "okx", "transaction_id": None, "crypto_amount": Decimal(20), "crypto_currency": "USDT",
            "deposit_address": "T1", "network": "TRC20", "expires_at": ago(hours=5),
        }  # fmt: skip
        return self.ledger.payment(user, None, status, ago(hours=10), **waits | columns)

    def deposit(self, amount: str = "20", ref: str = "dep_1", hours: float = 9, **columns: Any) -> None:
        came: Row = {
            "amount": Decimal(amount), "provider_ref": ref, "tx_hash": f"0x{ref}", "network": "USDT-TRC20",
            "provider_created_at": ago(hours=hours), "raw_status": "2",
        }  # fmt: skip
        state = columns.pop("state", "paid")
        self.ledger.deposit(state, **came | columns)

    def said(self, **kwargs: Any) -> dict[str, list[Row]]:
        """Rows of the reports that say anything."""
        refresh_deposit_matches(self.ledger.engine, AS_OF)
        found = {report: self.ledger.rows(report, **kwargs) for report in REPORTS}
        return {report: rows for report, rows in found.items() if rows}

    def only(self, report: str) -> Row:
        said = self.said()
        assert list(said) == [report]
        (row,) = said[report]
        return row


@pytest.fixture
def till(ledger: Ledger) -> Till:
    return Till(ledger)


@pytest.mark.parametrize("amount", ["20", "19.6", "20.4"])
def test_what_came_within_the_tolerance_is_no_matter(till: Till, amount: str) -> None:
    till.payment("completed")
    till.deposit(amount)
    assert till.said() == {}


@pytest.mark.parametrize(
    ("status", "severity"), [("completed", "HIGH"), ("pending", "HIGH"), ("partially_paid", "MEDIUM")]
)
def test_short_money_is_told_with_what_is_missing(till: Till, status: str, severity: str) -> None:
    payment = till.payment(status, user := till.ledger.user())
    till.deposit("15")
    row = till.only("crypto_underpaid")
    assert (row["payment_id"], row["user_id"], row["username"], row["severity"]) == (payment, user, "kim", severity)
    assert (row["expected"], row["received"], row["amount"], row["currency"]) == (20, 15, 5, "USDT")
    assert row["reason"] == f"15 of 20 USDT came, 25.0 % short; the application says {status}"
    assert (row["provider"], row["provider_ref"], row["deposits"]) == ("okx", "dep_1", 1)


def test_short_money_is_given_time_for_the_rest(till: Till) -> None:
    till.payment()
    till.deposit("15", hours=9)
    till.deposit("1", "dep_2", hours=0.4)
    assert till.said() == {}


def test_split_that_adds_up_is_no_matter_and_one_that_does_not_is_one_row(till: Till) -> None:
    till.payment("completed")
    till.deposit("12")
    till.deposit("8", "dep_2")
    assert till.said() == {}
    till.payment("completed", deposit_address="T2")
    till.deposit("9", "dep_3", deposit_address="T2")
    till.deposit("8", "dep_4", deposit_address="T2")
    row = till.only("crypto_underpaid")
    assert (row["received"], row["deposits"], row["amount"]) == (17, 2, 3)


def test_short_money_that_was_given_back_is_no_matter(till: Till) -> None:
    till.payment("refunded")
    till.deposit("15")
    assert till.said() == {}


def test_more_than_was_asked_for_is_told_with_the_surplus(till: Till) -> None:
    payment = till.payment("completed")
    till.deposit("20")
    till.deposit("20", "dep_2", hours=8)
    row = till.only("crypto_overpaid")
    assert (row["payment_id"], row["amount"], row["deposits"], row["severity"]) == (payment, 20, 2, "MEDIUM")
    assert row["reason"] == "40 USDT came in 2 deposits where 20 was asked for, 100.0 % over"


@pytest.mark.parametrize("status", ["expired", "canceled", "pending"])
def test_money_after_the_expiry_is_told_as_late(till: Till, status: str) -> None:
    payment = till.payment(status)
    till.deposit("25", hours=3)
    row = till.only("late_deposits")
    assert (row["payment_id"], row["amount"], row["came_at"]) == (payment, 25, ago(hours=3))
    assert row["reason"] == f"25 USDT came after the payment had run out; it says {status}"


def test_late_money_that_was_taken_all_the_same_is_no_matter(till: Till) -> None:
    till.payment("completed")
    till.deposit(hours=3)
    assert till.said() == {}


def test_money_in_time_for_a_payment_that_was_given_up_is_told_as_late(till: Till) -> None:
    till.payment("expired")
    till.deposit()
    assert till.only("late_deposits")["reason"].startswith("20 USDT came, and the application had given the payment up")


def test_late_and_short_is_told_as_short(till: Till) -> None:
    till.payment("expired")
    till.deposit("10", hours=3)
    till.only("crypto_underpaid")


@pytest.mark.parametrize(
    ("came", "cause"),
    [
        ({"currency": "SHIB", "network": "SHIB-ERC20"}, "wrong_asset"),
        ({"network": "USDT-ERC20"}, "wrong_network"),
        ({"provider_created_at": ago(hours=11)}, "no_payment"),
        ({"deposit_address": "T2"}, "no_payment"),
    ],
)
def test_money_that_settles_nothing_is_told_with_who_may_wait_for_it(till: Till, came: Row, cause: str) -> None:
    payment = till.payment(user=till.ledger.user(), expires_at=AS_OF + timedelta(hours=1))
    till.deposit(**came)
    row = till.only("unmatched_deposits")
    known = cause != "no_payment"
    assert (row["cause"], row["severity"]) == (cause, "HIGH" if known else "MEDIUM")
    assert (row["payment_id"], row["username"]) == ((payment, "kim") if known else (None, None))


def test_wrong_coin_is_told_of_a_deposit_that_the_application_named(till: Till) -> None:
    till.payment("completed", transaction_id="dep_1")
    till.deposit(currency="SHIB", network="SHIB-ERC20")
    assert till.only("unmatched_deposits")["reason"].endswith("the payment it may be for waits for another coin")


def test_missing_memo_is_told_with_the_payment_that_it_may_be_for(till: Till) -> None:
    payment = till.payment(deposit_tag="4711")
    till.deposit()
    row = till.only("unmatched_deposits")
    assert (row["cause"], row["payment_id"], row["candidates"]) == ("memo_missing", payment, str(payment))


def test_one_deposit_for_two_payments_goes_to_review_and_settles_neither(till: Till) -> None:
    payments = [till.payment(), till.payment()]
    till.deposit()
    row = till.only("ambiguous_deposits")
    assert (row["cause"], row["candidates"]) == ("two_payments", f"{payments[0]}, {payments[1]}")
    assert (row["amount"], row["currency"], row["severity"]) == (20, "USDT", "HIGH")


def test_two_payments_that_name_one_deposit_go_to_review(till: Till) -> None:
    till.payment("completed", tx_hash="0xdep_1")
    till.payment("completed", transaction_id="dep_1")
    till.deposit()
    assert till.only("ambiguous_deposits")["cause"] == "named_twice"


@pytest.mark.parametrize("status", ["8", "11", "12", "13", "14", "17"])
def test_money_that_the_exchange_holds_back_is_told(till: Till, status: str) -> None:
    payment = till.payment(expires_at=AS_OF + timedelta(hours=1))
    till.deposit(
        state="processing" if status == "8" else "frozen", raw_status=status, payment_ref=str(payment),
    )  # fmt: skip
    row = till.only("frozen_deposits")
    assert (row["status"], row["payment_id"], row["severity"]) == (status, payment, "HIGH")


@pytest.mark.parametrize(("hours", "expected"), [(24 * 6, []), (24 * 8, ["frozen_deposits"])])
@pytest.mark.parametrize("status", ["0", "1"])
def test_money_on_its_way_is_no_matter_until_it_takes_a_week(
    till: Till, status: str, hours: float, expected: list[str]
) -> None:
    till.deposit(state="processing", raw_status=status, hours=hours)
    assert list(till.said()) == expected


def test_transfer_within_the_exchange_is_no_matter(till: Till) -> None:
    till.deposit("900", network=None)
    inside: Row = {
        "account": "1", "livemode": True, "object_id": "dep_1", "status": "2", "currency": "USDT", "amount": 900,
        "from_address": "treasury@example.com", "created_at": ago(hours=9), "read_at": AS_OF, "digest": 1,
    }  # fmt: skip
    till.ledger.add("recon.okx_deposits", **inside)
    assert till.said() == {}


@pytest.mark.parametrize(
    ("status", "expires", "expected"),
    [
        ("pending", {"hours": 2}, 1),
        ("pending", {"hours": 0.5}, 0),
        ("pending", {"days": 80}, 1),
        ("pending", {"days": 91}, 0),
        ("expired", {"days": 6}, 1),
        ("expired", {"days": 8}, 0),
        ("completed", {"hours": 2}, 0),
        ("canceled", {"hours": 2}, 0),
    ],
)
def test_payment_that_ran_out_unpaid_is_told(till: Till, status: str, expires: dict[str, float], expected: int) -> None:
    till.payment(status, expires_at=ago(**expires))
    said = till.said()
    assert list(said) == ["expired_crypto_payments"] * expected
    assert [row["severity"] for rows in said.values() for row in rows] == ["LOW"] * expected


@pytest.mark.parametrize("as_of", [ago(hours=9.6), ago(hours=9)])
def test_nothing_of_the_future_is_told(till: Till, as_of: Any) -> None:
    till.payment()
    till.deposit("15", hours=9)
    till.deposit("9", "dep_2", deposit_address="T3", hours=9)
    till.deposit("9", "dep_3", deposit_address="T4", hours=9, state="frozen", raw_status="12")
    assert till.said(as_of=as_of) == {}

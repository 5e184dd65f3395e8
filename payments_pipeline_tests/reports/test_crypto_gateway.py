"""Lines C1 to C5, C8 and C12 at the gateway: coins that came short, over, late, in parts, or as other coins."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.test_crypto_deposits import REPORTS

PAID_AT = ago(hours=6)


class Gateway:
    """Orders of 20 USDT, asked for ten hours ago and for a week."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def order(self, app: str = "finished", ref: str = "500", **columns: Any) -> int:
        asked: Row = {
            "payment_method": "nowpayments", "transaction_id": ref, "crypto_amount": Decimal(20),
            "crypto_currency": "USDT", "expires_at": AS_OF + timedelta(days=6),
        }  # fmt: skip
        return self.ledger.payment(None, None, app, ago(hours=10), **asked | columns)

    def object(
        self, status: str = "finished", paid: str = "20", ref: str = "500", at: datetime = PAID_AT, **columns: Any
    ) -> None:
        values: Row = {
            "account": "1", "livemode": True, "object_id": ref, "status": status, "price_amount": 20,
            "price_currency": "usd", "pay_amount": 20, "pay_currency": "usdttrc20", "actually_paid": Decimal(paid),
            "outcome_currency": "usdttrc20", "created_at": ago(hours=10), "updated_at": at, "read_at": AS_OF,
            "digest": 1,
        }  # fmt: skip
        self.ledger.add("recon.nowpayments_payments", **values | columns)

    def again(self, paid: str, ref: str = "501", **columns: Any) -> None:
        """A repeated deposit for 500, which reads finished at any amount."""
        self.object(paid=paid, ref=ref, **{"parent_id": "500", "origin_type": "REPEATED"} | columns)

    def said(self) -> dict[str, list[Row]]:
        refresh_provider_transactions(self.ledger.engine, AS_OF)
        found = {report: self.ledger.rows(report) for report in REPORTS}
        return {report: rows for report, rows in found.items() if rows}

    def only(self, report: str) -> Row:
        said = self.said()
        assert list(said) == [report]
        (row,) = said[report]
        return row


@pytest.fixture
def gateway(ledger: Ledger) -> Gateway:
    return Gateway(ledger)


@pytest.mark.parametrize("status", ["finished", "partially_paid"])
def test_finished_or_not_what_came_is_weighed(gateway: Gateway, status: str) -> None:
    payment = gateway.order()
    gateway.object(status, "15")
    row = gateway.only("crypto_underpaid")
    assert (row["payment_id"], row["provider_ref"], row["amount"], row["currency"]) == (payment, "500", 5, "USDTTRC20")
    assert row["reason"] == "15 of 20 USDTTRC20 came, 25.0 % short; the application says finished"


def test_within_the_tolerance_is_no_matter_whatever_the_gateway_calls_it(gateway: Gateway) -> None:
    gateway.order()
    gateway.object("partially_paid", "19.6")
    assert gateway.said() == {}


def test_repeated_child_that_reads_finished_does_not_make_it_whole(gateway: Gateway) -> None:
    gateway.order()
    gateway.object("partially_paid", "10")
    gateway.again("4")
    row = gateway.only("crypto_underpaid")
    assert (row["received"], row["deposits"], row["amount"]) == (14, 2, 6)
    assert "repeated deposits that read finished included" in row["reason"]


def test_repeated_child_that_brings_the_rest_makes_it_whole(gateway: Gateway) -> None:
    gateway.order()
    gateway.object("partially_paid", "12")
    gateway.again("7.9")
    assert gateway.said() == {}


def test_child_of_a_parent_that_got_nothing_is_weighed_with_it(gateway: Gateway) -> None:
    gateway.order("expired", expires_at=ago(days=9))
    gateway.object("expired", "0")
    gateway.again("4")
    assert gateway.only("crypto_underpaid")["received"] == 4


def test_child_that_pays_in_the_end_for_what_had_run_out_is_late(gateway: Gateway) -> None:
    payment = gateway.order("expired", expires_at=ago(days=9))
    gateway.object("expired", "0")
    gateway.again("20")
    row = gateway.only("late_deposits")
    assert (row["payment_id"], row["provider_ref"], row["amount"]) == (payment, "500", 20)


def test_late_money_within_the_tolerance_that_reads_partially_paid_is_late(gateway: Gateway) -> None:
    gateway.order("expired", expires_at=ago(hours=7))
    gateway.object("partially_paid", "19.7")
    assert gateway.only("late_deposits")["amount"] == Decimal("19.7")


def test_repeated_children_can_make_it_too_much(gateway: Gateway) -> None:
    payment = gateway.order()
    gateway.object()
    gateway.again("20")
    row = gateway.only("crypto_overpaid")
    assert (row["payment_id"], row["amount"], row["deposits"]) == (payment, 20, 2)


def test_the_rest_is_given_time_to_come(gateway: Gateway) -> None:
    gateway.order()
    gateway.object("partially_paid", "15", at=ago(minutes=20))
    assert gateway.said() == {}


@pytest.mark.parametrize(
    ("app", "expires", "report"),
    [
        ("expired", ago(hours=7), "late_deposits"),
        ("expired", ago(hours=5), "late_deposits"),
        ("waiting", ago(hours=7), "late_deposits"),
        ("waiting", ago(hours=5), None),
        ("finished", ago(hours=7), None),
    ],
)
def test_money_for_what_the_application_gave_up_or_let_run_out_is_late(
    gateway: Gateway, app: str, expires: datetime, report: str | None
) -> None:
    gateway.order(app, expires_at=expires)
    gateway.object()
    assert list(gateway.said()) == ([report] if report else [])


@pytest.mark.parametrize(
    "other",
    [{"status": "wrong_asset_confirmed"}, {"outcome_currency": "shib"}],
)
def test_another_coin_is_told_as_such_and_not_as_short(gateway: Gateway, other: Row) -> None:
    payment = gateway.order()
    gateway.order(ref="600")
    gateway.order(ref="601")
    gateway.object(ref="600")
    gateway.object(ref="601")
    gateway.object(**other)
    row = gateway.only("unmatched_deposits")
    assert (row["provider_ref"], row["cause"], row["payment_id"], row["severity"]) == (
        "500",
        "wrong_asset",
        payment,
        "HIGH",
    )


def test_repeated_child_in_another_coin_is_told_and_pays_for_nothing(gateway: Gateway) -> None:
    gateway.order("partially_paid")
    gateway.object("partially_paid", "10")
    gateway.again("10", pay_currency="shib", outcome_currency="shib")
    said = gateway.said()
    assert {report: [row["provider_ref"] for row in rows] for report, rows in said.items()} == {
        "crypto_underpaid": ["500"], "unmatched_deposits": ["501"],
    }  # fmt: skip
    assert said["unmatched_deposits"][0]["reason"] == "10 SHIB came where USDTTRC20 was asked for"


def test_gateway_that_converts_all_it_gets_is_no_matter(gateway: Gateway) -> None:
    for number in range(4):
        gateway.order(ref=f"60{number}")
        gateway.object(ref=f"60{number}", outcome_currency="btc")
    assert gateway.said() == {}


@pytest.mark.parametrize(
    ("app", "status", "expected"),
    [
        ("expired", "expired", ["expired_crypto_payments"]),
        ("waiting", "waiting", ["expired_crypto_payments"]),
        ("waiting", "expired", []),
        ("expired", "confirming", []),
    ],
)
def test_order_that_ran_out_unpaid_is_told_unless_the_states_differ(
    gateway: Gateway, app: str, status: str, expected: list[str]
) -> None:
    gateway.order(app, expires_at=ago(hours=3))
    gateway.object(status, "0")
    assert list(gateway.said()) == expected


def test_payment_that_nobody_links_is_another_reports_matter(gateway: Gateway) -> None:
    gateway.object("partially_paid", "10")
    assert gateway.said() == {}


@pytest.mark.parametrize("names", [{"invoice_id": "900"}, {"order_id": "1"}])
def test_paid_order_that_is_known_by_its_invoice_alone_did_not_run_out_unpaid(
    gateway: Gateway, names: dict[str, Any]
) -> None:
    payment = gateway.order("waiting", "900", expires_at=ago(hours=3))
    assert payment == 1
    gateway.object(ref="501", **names)
    assert gateway.said() == {}
    assert [row["provider_ref"] for row in gateway.ledger.rows("out_of_sync_payments")] == ["501"]


def test_money_for_what_expired_on_both_sides_is_late_once_and_no_agreement(gateway: Gateway) -> None:
    payment = gateway.order("expired", "900", expires_at=ago(hours=7))
    gateway.object("expired", "20", ref="501", invoice_id="900")
    gateway.object("expired", "20", ref="502", invoice_id="900", at=ago(hours=5))
    row = gateway.only("late_deposits")
    assert (row["payment_id"], row["provider_ref"], row["amount"]) == (payment, "501", 20)
    assert [row["payment_id"] for row in gateway.ledger.rows("out_of_sync_payments")] == [payment]

"""Deposits that only matching could place: they pay for what was bought, and nothing that is in doubt does."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.ingest.deposits import refresh_deposit_matches
from payments_pipeline.ingest.entitlements import refresh_entitlements
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

ACCESS = ("activation_gaps", "wrong_tier", "unpaid_access", "refunded_access", "out_of_sync_payments")


def waits(ledger: Ledger, user: int, status: str = "pending", plan: int | None = None, **columns: Any) -> int:
    """Twenty USDT asked for at T1, ten hours ago; the payer has not told the transaction."""
    asked: Row = {
        "payment_method": "okx", "transaction_id": None, "crypto_amount": Decimal(20), "crypto_currency": "USDT",
        "deposit_address": "T1", "network": "TRC20", "expires_at": ago(hours=5),
    }  # fmt: skip
    return ledger.payment(user, plan or ledger.plan(), status, ago(hours=10), **asked | columns)


def comes(ledger: Ledger, amount: str = "20", ref: str = "dep_1", hours: float = 9, **columns: Any) -> None:
    came: Row = {
        "amount": Decimal(amount), "provider_ref": ref, "tx_hash": f"0x{ref}", "network": "USDT-TRC20",
        "provider_created_at": ago(hours=hours), "raw_status": "2", "link_method": "none",
    }  # fmt: skip
    ledger.deposit("paid", at=ago(hours=hours), **came | columns)


def said(ledger: Ledger) -> dict[str, list[Row]]:
    refresh_deposit_matches(ledger.engine, AS_OF)
    found = {report: ledger.rows(report) for report in ACCESS}
    return {report: rows for report, rows in found.items() if rows}


def gaps(ledger: Ledger) -> list[Row]:
    return said(ledger).get("activation_gaps", [])


def entitlement(ledger: Ledger) -> tuple[Any, ...] | None:
    refresh_entitlements(ledger.engine, AS_OF)
    with ledger.engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT is_entitled, tier, provider_ref, entitled_from FROM recon.entitlements"
        ).one_or_none()
    return None if row is None else tuple(row)


def test_payer_whose_unnamed_deposit_came_becomes_a_gap(ledger: Ledger) -> None:
    payment = waits(ledger, user := ledger.user())
    comes(ledger)
    (gap,) = gaps(ledger)
    assert (gap["user_id"], gap["payment_id"], gap["provider"]) == (user, payment, "okx")
    assert (gap["provider_ref"], gap["paid_at"], gap["repairable"]) == ("dep_1", ago(hours=9), True)
    assert entitlement(ledger) == (True, "pro", "dep_1", ago(hours=9))


@pytest.mark.parametrize("named", [None, "0xdep_1"])
def test_two_parts_that_add_up_pay_for_it(ledger: Ledger, named: str | None) -> None:
    waits(ledger, ledger.user(), tx_hash=named)
    comes(ledger, "12")
    assert gaps(ledger) == []
    comes(ledger, "8", "dep_2", hours=8)
    (gap,) = gaps(ledger)
    assert (gap["paid_at"], gap["repairable"]) == (ago(hours=8), True)


def test_late_money_is_money_all_the_same(ledger: Ledger) -> None:
    waits(ledger, ledger.user(), "expired")
    comes(ledger, hours=2)
    assert list(said(ledger)) == ["activation_gaps"]
    assert len(ledger.rows("late_deposits")) == 1


def test_too_little_pays_for_nothing(ledger: Ledger) -> None:
    waits(ledger, ledger.user())
    comes(ledger, "15")
    assert said(ledger) == {}
    assert entitlement(ledger) is None


def test_money_that_may_be_either_payers_counts_for_neither(ledger: Ledger) -> None:
    waits(ledger, ledger.user(), plan=(plan := ledger.plan()))
    waits(ledger, ledger.user(), plan=plan)
    comes(ledger)
    assert said(ledger) == {}
    assert len(ledger.rows("ambiguous_deposits")) == 1


def test_deposit_that_was_frozen_since_it_was_matched_counts_no_more(ledger: Ledger) -> None:
    waits(ledger, ledger.user())
    comes(ledger)
    assert len(gaps(ledger)) == 1
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE recon.provider_transactions SET state = 'frozen', raw_status = '11'")
    assert ledger.rows("activation_gaps") == []


def test_user_who_was_switched_on_by_hand_has_paid(ledger: Ledger) -> None:
    until = AS_OF + timedelta(days=30)
    user = ledger.user("active", "pro", subscription_renewal_date=until, subscription_updated_at=ago(hours=8))
    payment = waits(ledger, user)
    comes(ledger)
    found = said(ledger)
    assert list(found) == ["out_of_sync_payments"]
    (row,) = found["out_of_sync_payments"]
    assert (row["payment_id"], row["provider_ref"], row["provider_state"]) == (payment, "dep_1", "paid")


def test_what_is_in_order_is_said_nowhere(ledger: Ledger) -> None:
    until = AS_OF + timedelta(days=30)
    waits(ledger, ledger.user("active", "pro", subscription_renewal_date=until), "completed")
    comes(ledger)
    assert said(ledger) == {}


def test_nothing_of_the_future_counts(ledger: Ledger) -> None:
    waits(ledger, ledger.user())
    comes(ledger)
    refresh_deposit_matches(ledger.engine, AS_OF)
    assert ledger.rows("activation_gaps", as_of=ago(hours=9.5)) == []

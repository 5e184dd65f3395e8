"""Applications that store a charge's, a checkout's or no id, name no user or no plan, or point at test money: the same
anomalies are found, by the object that stands for the payment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports import stripe_rows as stripe
from payments_pipeline_tests.reports.ledger import Ledger, ago

STANDS_FOR = [("cs_live_1", "checkout"), (None, "metadata"), ("ch_1", "reference")]


def paid_by(ledger: Ledger, reference: str | None, method: str, state: str = "paid", **columns: Any) -> int:
    """A payment of a user who got nothing yet, and the object that stands for it; its id."""
    user = columns.pop("user", None) or ledger.user()
    status = columns.pop("status", "pending")
    app = {name: columns.pop(name) for name in ("booking_id", "amount") if name in columns}
    plan = None if "booking_id" in app else ledger.plan()
    payment = ledger.payment(user, plan, status, transaction_id=reference, **app)
    if reference == "ch_1":
        stripe.intent(ledger, "succeeded", charge_id="ch_1")
    ledger.transaction(state, payment_ref=str(payment), user_ref=str(user), link_method=method, **columns)
    return payment


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_paid_and_not_given(ledger: Ledger, reference: str | None, method: str) -> None:
    payment = paid_by(ledger, reference, method)
    (gap,) = ledger.rows("activation_gaps")
    assert (gap["payment_id"], gap["repairable"]) == (payment, True)


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_state_differs(ledger: Ledger, reference: str | None, method: str) -> None:
    payment = paid_by(ledger, reference, method)
    assert [row["payment_id"] for row in ledger.rows("out_of_sync_payments")] == [payment]


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_amount_differs(ledger: Ledger, reference: str | None, method: str) -> None:
    payment = paid_by(ledger, reference, method, status="completed", amount=Decimal(25))
    assert [row["payment_id"] for row in ledger.rows("amount_mismatches")] == [payment]


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_money_went_back(ledger: Ledger, reference: str | None, method: str) -> None:
    user = ledger.user("active", "pro")
    payment = paid_by(ledger, reference, method, "refunded", user=user, status="completed", amount_refunded=20)
    assert [row["payment_id"] for row in ledger.rows("refunded_access")] == [payment]


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_hold_knows_its_booking(ledger: Ledger, reference: str | None, method: str) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user(), status="completed", actual_start=ago(days=1))
    paid_by(
        ledger, reference, method, "authorized", user=user, status="authorized", booking_id=booking,
        capture_before=ago(hours=-10),
    )  # fmt: skip
    (row,) = ledger.rows("stuck_authorizations")
    assert (row["booking_id"], row["recommendation"]) == (booking, "capture")


@pytest.mark.parametrize(("reference", "method"), STANDS_FOR)
def test_hold_of_a_no_show(ledger: Ledger, reference: str | None, method: str) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user())
    paid_by(ledger, reference, method, "authorized", user=user, status="authorized", booking_id=booking)
    assert [row["booking_id"] for row in ledger.rows("no_show_holds")] == [booking]


def test_hold_that_ran_out_is_found_by_its_name_for_the_payment(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user(), status="completed")
    stripe.intent(
        ledger, "canceled", ago(days=9), cancellation_reason="automatic", canceled_at=ago(days=2),
        capture_method="manual", charge_id="ch_1",
    )  # fmt: skip
    payment = ledger.payment(user, None, "authorized", ago(days=9), transaction_id=None, booking_id=booking)
    ledger.transaction("canceled", ago(days=9), payment_ref=str(payment), link_method="metadata")
    (row,) = ledger.rows("expired_authorizations")
    assert (row["payment_id"], row["booking_id"]) == (payment, booking)


def test_hold_for_a_plan_that_was_paid_anew_is_not_missed(ledger: Ledger) -> None:
    user, plan = ledger.user("active", "pro"), ledger.plan()
    stripe.intent(
        ledger, "canceled", ago(days=9), cancellation_reason="automatic", canceled_at=ago(days=2),
        capture_method="manual", charge_id="ch_1",
    )  # fmt: skip
    ledger.payment(user, plan, "authorized", ago(days=9))
    ledger.transaction("canceled", ago(days=9))
    assert len(ledger.rows("expired_authorizations")) == 1
    ledger.payment(user, plan, "completed", ago(days=1), transaction_id="pi_2")
    ledger.transaction("paid", provider_ref="pi_2")
    assert ledger.rows("expired_authorizations") == []


def test_a_row_without_a_user_is_whose_the_object_says(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(None, ledger.plan(), "completed")
    ledger.transaction("paid", payment_ref=str(payment), user_ref=str(user))
    (gap,) = ledger.rows("activation_gaps")
    assert (gap["user_id"], gap["repairable"]) == (user, False)


def test_a_row_without_a_user_explains_access(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    payment = ledger.payment(None, ledger.plan(), "completed")
    assert len(ledger.rows("unpaid_access")) == 1
    ledger.transaction("paid", payment_ref=str(payment), user_ref=str(user))
    assert ledger.rows("unpaid_access") == []


def test_a_row_without_a_plan_explains_access_until_it_is_refunded(ledger: Ledger) -> None:
    user = ledger.user("active", "pro", plan_id=ledger.plan())
    assert len(ledger.rows("unpaid_access")) == 1
    ledger.payment(user, None, "completed")
    assert ledger.rows("unpaid_access") == []
    ledger.transaction("refunded", amount_refunded=20)
    assert ledger.rows("unpaid_access") == []
    assert len(ledger.rows("refunded_access")) == 1


@pytest.mark.parametrize("reference", [None, "cs_live_1"])
def test_of_two_objects_for_one_payment_the_second_is_one_too_many(ledger: Ledger, reference: str | None) -> None:
    user = ledger.user("active", "pro")
    payment = ledger.payment(user, ledger.plan(), "completed", transaction_id=reference)
    for number in (1, 2):
        ledger.transaction(
            "paid", ago(hours=30 - number), provider_ref=f"pi_{number}", payment_ref=str(payment),
            link_method="metadata",
        )  # fmt: skip
    (row,) = ledger.rows("orphan_provider_payments")
    assert (row["provider_ref"], row["payment_id"]) == ("pi_2", str(payment))


def test_test_money_pays_for_nothing_where_there_is_real_money(ledger: Ledger) -> None:
    ledger.read_in_full(stripe=True)
    plan = ledger.plan()
    for number, reference in enumerate(("pi_0", None)):
        user = ledger.user()
        payment = ledger.payment(user, plan, "pending", transaction_id=reference)
        ledger.transaction(
            "paid", provider_ref=f"pi_{number}", livemode=False, account="acct_test", payment_ref=str(payment),
            user_ref=str(user), link_method="reference" if reference else "metadata",
        )  # fmt: skip
    assert ledger.rows("activation_gaps") == []
    assert ledger.rows("out_of_sync_payments") == []


def test_test_money_is_money_where_there_is_nothing_else(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.transaction("paid", livemode=False)
    assert len(ledger.rows("activation_gaps")) == 1


def test_a_test_hold_is_neither_stuck_nor_an_orphan(ledger: Ledger) -> None:
    ledger.read_in_full(stripe=True)
    ledger.transaction("authorized", livemode=False, account="acct_test", capture_before=ago(hours=-10))
    assert ledger.rows("stuck_authorizations") == []
    assert ledger.rows("orphan_provider_payments") == []


def test_money_without_a_payment_explains_access(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.transaction("paid", user_ref=str(user), link_method="metadata")
    assert ledger.rows("unpaid_access") == []
    assert len(ledger.rows("orphan_provider_payments")) == 1


def test_what_vanished_at_the_provider_pays_for_no_booking(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user(), status="completed", actual_start=ago(days=1))
    ledger.payment(user, None, "pending", booking_id=booking)
    ledger.transaction("paid", vanished_at=ago(hours=2))
    assert [row["booking_id"] for row in ledger.rows("missing_payments")] == [booking]


def test_a_failure_that_another_object_made_good(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", transaction_id="pi_2")
    declined = {"last_error_code": "card_declined", "charge_created_at": ago(hours=25)}
    stripe.intent(ledger, "requires_payment_method", ago(hours=25), **declined)
    ledger.transaction("pending", ago(hours=25), payment_ref=str(payment), link_method="metadata")
    assert len(ledger.rows("failed_payments")) == 1
    ledger.transaction("paid", provider_ref="pi_2", payment_ref=str(payment))
    assert ledger.rows("failed_payments") == []


def test_a_failure_after_which_the_user_took_another_plan_at_once(ledger: Ledger) -> None:
    user = ledger.user("active", "pro")
    ledger.payment(user, ledger.plan(), "failed", ago(hours=25), transaction_id=None)
    declined = {"last_error_code": "card_declined", "charge_created_at": ago(hours=25)}
    stripe.intent(ledger, "requires_payment_method", ago(hours=25), **declined)
    ledger.transaction("pending", ago(hours=25), payment_ref="1", link_method="metadata")
    year = ledger.plan("pro", "year", 200)
    ledger.payment(user, year, "completed", ago(hours=20), transaction_id="pi_2")
    assert len(ledger.rows("failed_payments")) == 1
    ledger.payment(user, year, "completed", ago(hours=24), transaction_id="pi_3")
    assert ledger.rows("failed_payments") == []


def test_a_booking_paid_by_two_people(ledger: Ledger) -> None:
    first, second = ledger.user(), ledger.user()
    booking = ledger.booking(first, ledger.user(), status="completed", actual_start=ago(days=1))
    ledger.payment(first, None, "completed", booking_id=booking)
    payment = ledger.payment(second, None, "completed", ago(hours=20), booking_id=booking, transaction_id="pi_2")
    (row,) = ledger.rows("duplicate_payments")
    assert (row["payment_id"], row["user_id"]) == (payment, second)
    assert f"by user {first}" in row["reason"]


def test_a_booking_paid_twice_by_nobody_we_know(ledger: Ledger) -> None:
    booking = ledger.booking(ledger.user(), ledger.user(), status="completed", actual_start=ago(days=1))
    for number in (1, 2):
        ledger.payment(
            None, None, "completed", ago(hours=20 - number), booking_id=booking, transaction_id=f"pi_{number}"
        )
    assert [row["payment_id"] for row in ledger.rows("duplicate_payments")] == [2]


def test_two_rows_about_one_deposit_are_not_paid_twice(ledger: Ledger) -> None:
    user, plan = ledger.user("active", "pro"), ledger.plan()
    for hours in (40, 20):
        ledger.payment(
            user, plan, "completed", ago(hours=hours), payment_method="okx", transaction_id=None, tx_hash="0xABC",
            crypto_currency="USDT", crypto_amount=Decimal(20), deposit_address="T1",
        )  # fmt: skip
    ledger.deposit("paid", at=ago(hours=39), raw_status="2", network="USDT-TRC20", link_method="ambiguous")
    assert ledger.rows("duplicate_payments") == []


def test_an_orphan_is_one_until_the_payment_was_written(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", ago(hours=2))
    ledger.transaction("paid")
    assert ledger.rows("orphan_provider_payments") == []
    assert len(ledger.rows("orphan_provider_payments", as_of=ago(hours=3))) == 1


def test_a_booking_was_unpaid_until_it_was_paid(ledger: Ledger) -> None:
    user = ledger.user()
    booking = ledger.booking(user, ledger.user(), status="completed", actual_start=ago(days=1))
    ledger.payment(user, None, "completed", ago(hours=2), booking_id=booking)
    ledger.transaction("paid", ago(hours=2))
    assert ledger.rows("missing_payments", as_of=AS_OF) == []
    assert len(ledger.rows("missing_payments", as_of=ago(hours=3))) == 1


def test_of_two_objects_for_one_payment_the_paid_one_speaks(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", transaction_id="cs_1")
    ledger.transaction("canceled", payment_ref=str(payment), link_method="checkout", amount=Decimal(19))
    assert len(ledger.rows("out_of_sync_payments")) == 1
    ledger.transaction("paid", ago(hours=25), provider_ref="pi_2", payment_ref=str(payment), link_method="checkout")
    assert ledger.rows("out_of_sync_payments") == []
    assert ledger.rows("amount_mismatches") == []


def test_money_lost_in_a_dispute_is_returned_for_both_sides(ledger: Ledger) -> None:
    ledger.payment(ledger.user(), ledger.plan(), "refunded", ago(days=3))
    ledger.transaction("paid", ago(days=3), disputed=True)
    assert len(ledger.rows("out_of_sync_payments")) == 1
    stripe.dispute(ledger, "lost", ago(days=1))
    assert ledger.rows("out_of_sync_payments") == []


@pytest.mark.parametrize(("rival", "expected"), [("pending", 0), ("failed", 1)])
def test_a_deposit_that_two_waiting_payments_claim_proves_neither(ledger: Ledger, rival: str, expected: int) -> None:
    plan = ledger.plan()
    for hours, status in ((40, rival), (39, "pending")):
        ledger.payment(
            ledger.user(), plan, status, ago(hours=hours), payment_method="okx", transaction_id=None, tx_hash="0xabc",
            crypto_currency="USDT", crypto_amount=Decimal(20), deposit_address="T1",
        )  # fmt: skip
    ledger.deposit("paid", at=ago(hours=38), raw_status="2", network="USDT-TRC20", link_method="ambiguous")
    assert len(ledger.rows("out_of_sync_payments")) == expected


def test_a_state_of_later_is_not_compared_with_an_earlier_day(ledger: Ledger) -> None:
    ledger.payment(ledger.user("active", "pro"), ledger.plan(), "completed", ago(days=3))
    ledger.transaction("authorized", ago(days=3), state_changed_at=ago(hours=5))
    assert len(ledger.rows("out_of_sync_payments")) == 1
    assert ledger.rows("out_of_sync_payments", as_of=ago(days=1)) == []

"""Failure catalogue, lines W2 to W6: what broke in the inbox, secrets that do not match, and silence."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago


def failed(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("failed_webhooks", **kwargs)


def mismatch(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("webhook_secret_mismatch", **kwargs)


def silence(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("webhook_silence", **kwargs)


def test_webhook_that_failed_says_its_error_and_the_money_behind_it(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, ledger.plan(), "pending")
    ledger.webhook(payment, "failed", error_message="deadlock detected")
    (row,) = failed(ledger)
    assert (row["payment_id"], row["user_id"], row["username"]) == (payment, user, "kim")
    assert (row["amount"], row["currency"], row["provider_ref"]) == (Decimal(20), "USD", "pi_1")
    assert (row["severity"], row["reason"]) == ("HIGH", "failed: deadlock detected")


def test_webhook_without_a_payment_finds_it_by_the_objects_id(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.webhook(None, "failed", webhook_data='{"id": "evt_1", "data": {"object": {"id": "pi_1"}}}')
    (row,) = failed(ledger)
    assert (row["payment_id"], row["event_ref"], row["amount"]) == (payment, "evt_1", Decimal(20))


@pytest.mark.parametrize("status", ["received", "processing"])
@pytest.mark.parametrize(("minutes", "rows"), [(15, 1), (14.9, 0)])
def test_unfinished_webhook_is_stuck_after_the_grace(ledger: Ledger, status: str, minutes: float, rows: int) -> None:
    ledger.webhook(None, status, created_at=ago(minutes=minutes))
    found = failed(ledger)
    assert len(found) == rows
    assert all(row["reason"].startswith("stuck: ") for row in found)


def test_single_refused_signature_of_a_payment_is_grave_and_of_nothing_may_be_a_forgery(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.webhook(payment, "failed", signature_valid=False)
    ledger.webhook(None, "received", signature_valid=False, created_at=ago(seconds=5))
    assert sorted((row["severity"], row["reason"]) for row in failed(ledger)) == [
        ("HIGH", "refused: signature invalid"), ("MEDIUM", "refused: signature invalid"),
    ]  # fmt: skip
    assert mismatch(ledger) == []


EVENT = '{"id": "evt_1", "object": "event"}'
OTHER = '{"id": "evt_2", "object": "event"}'


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        ({"webhook_data": EVENT}, {"webhook_data": EVENT}, 0),
        ({"webhook_data": EVENT}, {"webhook_data": OTHER}, 1),
        ({"webhook_type": "finished"}, {"webhook_type": "finished"}, 0),
        ({"webhook_type": "finished"}, {"webhook_type": "partially_paid"}, 1),
        ({"webhook_data": EVENT}, {"webhook_data": EVENT, "payment_method": "okx"}, 1),
        ({"webhook_data": EVENT}, {"webhook_data": EVENT, "signature_valid": False, "created_at": ago(days=40)}, 1),
    ],
)
@pytest.mark.parametrize("minutes", [5, -5])
def test_another_delivery_of_the_same_makes_it_good_before_or_after(
    ledger: Ledger, first: Row, second: Row, rows: int, minutes: int
) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "succeeded")
    ledger.webhook(payment, "failed", created_at=ago(hours=2), **first)
    ledger.webhook(payment, "completed", **{"created_at": ago(hours=2) + timedelta(minutes=minutes), **second})
    assert len(failed(ledger)) == rows


def test_object_without_an_event_id_is_made_good_by_its_next_delivery(ledger: Ledger) -> None:
    data = '{"payment_id": "5077", "payment_status": "finished"}'
    columns = {"payment_method": "nowpayments", "webhook_type": "finished", "webhook_data": data}
    ledger.webhook(None, "failed", **columns)
    assert len(failed(ledger)) == 1
    ledger.webhook(None, "completed", **columns)
    assert failed(ledger) == []


def test_what_came_after_the_time_of_judgement_or_long_before_is_not_judged(ledger: Ledger) -> None:
    ledger.webhook(None, "failed", created_at=ago(days=30))
    ledger.webhook(None, "failed", created_at=AS_OF + timedelta(seconds=1))
    assert failed(ledger) == []
    assert len(failed(ledger, as_of=AS_OF + timedelta(seconds=1))) == 1
    assert len(failed(ledger, overrides={"window_days": 31})) == 1


def refused(ledger: Ledger, *minutes: float, payment: int | None = None) -> None:
    for number in minutes:
        ledger.webhook(payment, "failed", signature_valid=False, created_at=ago(minutes=number))


def test_three_refused_in_a_row_are_one_mismatch_and_no_single_failures(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "pending")
    ledger.webhook(None, "completed", created_at=ago(minutes=60))
    refused(ledger, 50, 40, 30, payment=payment)
    (row,) = mismatch(ledger)
    assert (row["provider"], row["refusals"], row["payments"]) == ("stripe", 3, 1)
    assert (row["first_refused_at"], row["last_accepted_at"]) == (ago(minutes=50), ago(minutes=60))
    assert (row["amount"], row["currency"], row["severity"]) == (Decimal(20), "USD", "HIGH")
    assert failed(ledger) == []


def test_two_refused_are_two_single_failures(ledger: Ledger) -> None:
    ledger.webhook(None, "completed", created_at=ago(minutes=60))
    refused(ledger, 50, 40)
    assert mismatch(ledger) == []
    assert len(failed(ledger)) == 2


def test_one_accepted_since_ends_the_mismatch(ledger: Ledger) -> None:
    refused(ledger, 50, 40, 30)
    ledger.webhook(None, "completed", created_at=ago(minutes=20))
    assert mismatch(ledger) == []
    assert len(failed(ledger)) == 3


def test_one_accepted_of_another_provider_does_not_end_it(ledger: Ledger) -> None:
    refused(ledger, 50, 40, 30)
    ledger.webhook(None, "completed", payment_method="okx", created_at=ago(minutes=20))
    assert [row["provider"] for row in mismatch(ledger)] == ["stripe"]


def test_accepted_but_broken_otherwise_is_no_mismatch_and_stays_a_failure(ledger: Ledger) -> None:
    refused(ledger, 50, 40, 30)
    ledger.webhook(None, "failed", created_at=ago(minutes=20), error_message="no such user")
    assert mismatch(ledger) == []
    assert "failed: no such user" in {row["reason"] for row in failed(ledger)}


def test_mismatch_as_of_a_time_before_the_last_refusal(ledger: Ledger) -> None:
    refused(ledger, 50, 40, 30)
    assert mismatch(ledger, as_of=ago(minutes=35)) == []
    assert mismatch(ledger, overrides={"min_refusals": 4}) == []


def history(ledger: Ledger, *, webhooks: list[float], payments: list[float], **columns: Any) -> None:
    """Webhooks and paid payments so many hours before AS_OF."""
    for hours in webhooks:
        ledger.webhook(None, "completed", created_at=ago(hours=hours))
    user, plan = ledger.user(), ledger.plan()
    for number, hours in enumerate(payments):
        ledger.payment(user, plan, columns.get("status", "succeeded"), ago(hours=hours), transaction_id=f"pi_{number}")


DAILY = [float(hours) for hours in range(72, 72 + 24 * 8, 24)]


def test_silence_for_longer_than_ever_while_payments_went_on(ledger: Ledger) -> None:
    history(ledger, webhooks=DAILY, payments=[*(hours + 0.1 for hours in DAILY), 50, 30, 10])
    (row,) = silence(ledger)
    assert (row["provider"], row["payments_since"], row["usual_payments"]) == ("stripe", 3, 1)
    assert (row["hours_silent"], row["usual_hours"]) == (72, 24)
    assert (row["amount"], row["currency"], row["severity"]) == (Decimal(60), "USD", "HIGH")
    assert row["reason"].startswith("no webhook for 72.0 hours and 3 payments; before, at most 24.0 hours and 1")


@pytest.mark.parametrize(
    ("webhooks", "payments"),
    [
        (DAILY, [50, 30]),  # too few payments to be sure
        (DAILY, []),  # nothing to tell
        (DAILY[:4], [50, 40, 30, 20]),  # no history to speak of
        ([*DAILY, 10.0], [50, 40, 30, 20]),  # the last is ten hours old, and a day is usual
        ([5.0, 5.5, 6.0, 6.5, 7.0], [4, 3, 2, 1]),  # shorter than the floor
        ([72.0, 150.0, 220.0, 221.0, 222.0], [50, 40, 30, 20]),  # such a pause there was before
        (DAILY, [hours + share for hours in DAILY for share in (3, 2, 1)] + [50, 40, 30]),  # most payments never tell
    ],
)
def test_pauses_as_usual_are_no_silence(ledger: Ledger, webhooks: list[float], payments: list[float]) -> None:
    history(ledger, webhooks=webhooks, payments=payments)
    assert silence(ledger) == []


def test_payments_that_nobody_made_do_not_count(ledger: Ledger) -> None:
    history(ledger, webhooks=DAILY, payments=[50, 30, 10], status="pending")
    assert silence(ledger) == []
    for number, hours in enumerate((50, 30, 10)):
        ledger.transaction("paid", ago(hours=hours), provider_ref=f"pi_{number}")
    assert len(silence(ledger)) == 1


def test_refused_webhooks_are_no_silence(ledger: Ledger) -> None:
    history(ledger, webhooks=DAILY, payments=[50, 30, 10])
    refused(ledger, 60)
    assert silence(ledger) == []


def test_silence_as_of_the_day_before_it_was_long_enough(ledger: Ledger) -> None:
    history(ledger, webhooks=DAILY, payments=[70, 60, 50])
    assert len(silence(ledger, as_of=ago(hours=47))) == 1
    assert silence(ledger, as_of=ago(hours=49)) == []

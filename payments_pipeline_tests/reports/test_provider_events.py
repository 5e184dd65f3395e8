"""What providers tell and people must know of: disputes, failures, cancellations, refunds, words that nobody knows."""

from __future__ import annotations

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.stripe_rows import charge, dispute, intent, told

# Disputes


@pytest.mark.parametrize(
    ("status", "days", "severity"),
    [
        ("needs_response", 1, "CRITICAL"),
        ("under_review", 200, "CRITICAL"),
        ("warning_needs_response", 1, "CRITICAL"),
        ("a_new_word", 200, "CRITICAL"),
        ("lost", 10, "HIGH"),
        ("won", 10, "LOW"),
        ("warning_closed", 10, "LOW"),
        ("lost", 20, None),
        ("won", 20, None),
    ],
)
def test_disputes_are_told_while_open_and_for_two_weeks(
    ledger: Ledger, status: str, days: int, severity: str | None
) -> None:
    dispute(ledger, status, ago(days=days))
    found = ledger.rows("disputes")
    assert [row["severity"] for row in found] == ([severity] if severity else [])


@pytest.mark.parametrize(("days", "expected"), [(10, 1), (20, 0)])
def test_old_dispute_is_told_when_the_feed_says_that_it_was_closed(ledger: Ledger, days: int, expected: int) -> None:
    dispute(ledger, "lost", ago(days=100))
    told(ledger, "charge.dispute.closed", "du_1", ago(days=days))
    assert len(ledger.rows("disputes")) == expected


def test_dispute_names_payment_payer_and_deadline(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, None, "succeeded")
    ledger.transaction("paid", payment_ref=str(payment), user_ref=str(user))
    charge(ledger, "ch_1", payment_intent_id="pi_1")
    dispute(ledger, "needs_response", ago(days=2), payment_intent_id=None, charge_id="ch_1")
    (row,) = ledger.rows("disputes")
    assert (row["provider"], row["provider_ref"], row["parent_ref"]) == ("stripe", "du_1", "pi_1")
    assert (row["payment_id"], row["user_id"], row["username"]) == (str(payment), str(user), "kim")
    assert (row["amount"], row["currency"], row["hours_left"], row["dispute_reason"]) == (20, "USD", 24, "fraudulent")
    assert row["reason"] == "open, nothing was answered yet"


def test_disputes_of_other_products_and_vanished_ones_are_not_ours(ledger: Ledger) -> None:
    dispute(ledger, "needs_response", ago(days=2))
    ledger.transaction("paid", link_method="foreign")
    dispute(ledger, "needs_response", ago(days=2), object_id="du_2", payment_intent_id="pi_2", vanished_at=ago(days=1))
    assert ledger.rows("disputes") == []


# Refunds


def refund(ledger: Ledger, state: str, days: float, **columns: object) -> None:
    values: Row = {"provider_ref": "re_1", "kind": "refund", "parent_ref": "pi_1", "amount": 5}
    ledger.transaction(state, ago(days=days), **values | columns)


@pytest.mark.parametrize(
    ("state", "severity", "words"),
    [
        ("refunded", "MEDIUM", "a part of the payment, the application says succeeded"),
        ("pending", "MEDIUM", "it is under way, the application says succeeded"),
        ("canceled", "MEDIUM", "it did not arrive, the application says succeeded"),
        ("failed", "HIGH", "it did not arrive, the application says succeeded"),
    ],
)
def test_every_refund_of_the_last_days_is_told(ledger: Ledger, state: str, severity: str, words: str) -> None:
    user = ledger.user()
    payment = ledger.payment(user, None, "succeeded")
    ledger.transaction("paid")
    refund(ledger, state, 2)
    (row,) = ledger.rows("refunds")
    assert (row["provider_ref"], row["parent_ref"], row["payment_id"]) == ("re_1", "pi_1", str(payment))
    assert (row["username"], row["amount"], row["severity"], row["reason"]) == ("kim", 5, severity, words)


def test_refund_that_the_application_knows_is_told_all_the_same(ledger: Ledger) -> None:
    ledger.payment(None, None, "refunded")
    ledger.transaction("refunded", amount_refunded=20)
    refund(ledger, "refunded", 2, amount=20)
    assert [row["reason"] for row in ledger.rows("refunds")] == ["the whole payment, the application says refunded"]


def test_refunds_of_last_month_or_another_product_are_not_told(ledger: Ledger) -> None:
    refund(ledger, "refunded", 8)
    refund(ledger, "refunded", 2, provider_ref="re_2", link_method="foreign")
    assert ledger.rows("refunds") == []


def test_old_refund_is_told_again_when_the_feed_says_that_it_failed(ledger: Ledger) -> None:
    refund(ledger, "failed", 20)
    told(ledger, "refund.failed", "re_1", ago(days=1))
    assert [row["severity"] for row in ledger.rows("refunds")] == ["HIGH"]


@pytest.mark.parametrize(("days", "expected"), [(2, 1), (8, 0)])
def test_gateways_refund_is_a_state_of_its_payment(ledger: Ledger, days: int, expected: int) -> None:
    payment = ledger.payment(None, None, "refunded", ago(days=30), payment_method="nowpayments")
    ledger.transaction(
        "refunded", ago(days=30), provider="nowpayments", amount_refunded=20, state_changed_at=ago(days=days)
    )
    found = ledger.rows("refunds")
    assert [(row["payment_id"], row["amount"]) for row in found] == [(str(payment), 20)] * expected


def test_card_payment_that_was_refunded_is_told_once_by_its_refund(ledger: Ledger) -> None:
    ledger.transaction("refunded", ago(days=2), amount_refunded=20)
    assert ledger.rows("refunds") == []


# Cancellations


@pytest.mark.parametrize(("days", "expected"), [(2, 1), (8, 0)])
@pytest.mark.parametrize("app", ["canceled", "pending", None])
def test_cancellations_of_the_last_days_are_told_whoever_knows(
    ledger: Ledger, days: int, expected: int, app: str | None
) -> None:
    if app is not None:
        ledger.payment(ledger.user(), None, app, ago(days=30))
    intent(ledger, "canceled", ago(days=30), cancellation_reason="abandoned")
    ledger.transaction("canceled", ago(days=30), state_changed_at=ago(days=days))
    found = ledger.rows("canceled_payments")
    assert [row["provider_ref"] for row in found] == ["pi_1"] * expected
    assert all(row["reason"].startswith("canceled: abandoned, ") for row in found)


@pytest.mark.parametrize(
    ("held", "later", "expected"),
    [
        (None, {"created_at": ago(days=2)}, []),
        (None, {"created_at": ago(days=2), "plan_id": None}, ["pi_1"]),
        (None, {"created_at": ago(days=4)}, ["pi_1"]),
        ("failed", {"created_at": ago(days=2)}, []),
        ("succeeded", {"created_at": ago(days=2)}, ["pi_1"]),
    ],
)
def test_a_checkout_that_was_left_and_opened_again_is_no_loss(
    ledger: Ledger, held: str | None, later: Row, expected: list[str]
) -> None:
    user, plan = ledger.user(), ledger.plan()
    ledger.payment(user, plan, "pending", ago(days=3))
    intent(ledger, "canceled", ago(days=3), cancellation_reason="abandoned", charge_status=held)
    ledger.transaction("canceled", ago(days=3), state_changed_at=ago(days=1))
    ledger.payment(user, plan, "succeeded", transaction_id="pi_2", **later)
    ledger.transaction("paid", ago(days=2), provider_ref="pi_2")
    assert [row["provider_ref"] for row in ledger.rows("canceled_payments")] == expected


def test_only_canceled_payments_of_ours_are_told_as_such(ledger: Ledger) -> None:
    ledger.transaction("canceled", provider_ref="pi_2", link_method="foreign")
    ledger.transaction("canceled", provider_ref="re_1", kind="refund")
    ledger.transaction("expired", provider="nowpayments")
    ledger.transaction("canceled", provider_ref="pi_3", vanished_at=ago(hours=1))
    assert ledger.rows("canceled_payments") == []


# Failures


def declined(ledger: Ledger, days: float = 2, ref: str = "pi_1", **link: object) -> None:
    """A refused card; the intent waits for another one."""
    at = ago(days=days)
    customer = link.get("customer_ref")
    intent(
        ledger, "requires_payment_method", at, object_id=ref, last_error_code="card_declined", charge_status="failed",
        charge_created_at=at, customer_id=customer,
    )  # fmt: skip
    ledger.transaction("pending", at, provider_ref=ref, raw_status="requires_payment_method", **link)


def test_refused_card_is_told_with_its_code(ledger: Ledger) -> None:
    user, plan = ledger.user(), ledger.plan()
    payment = ledger.payment(user, plan, "failed", ago(days=2))
    declined(ledger)
    (row,) = ledger.rows("failed_payments")
    assert (row["payment_id"], row["user_id"], row["username"]) == (str(payment), str(user), "kim")
    assert (row["plan_id"], row["amount"], row["severity"], row["failed_at"]) == (plan, 20, "HIGH", ago(days=2))
    assert row["reason"] == "card_declined, the application says failed"


@pytest.mark.parametrize(("days", "expected"), [(8, 0), (6, 1), (0.05, 1), (0.03, 0)])
def test_failures_are_told_for_a_week_and_not_before_another_card_was_tried(
    ledger: Ledger, days: float, expected: int
) -> None:
    declined(ledger, days)
    assert len(ledger.rows("failed_payments")) == expected


def test_old_intent_whose_card_was_refused_today_is_told(ledger: Ledger) -> None:
    intent(
        ledger, "requires_payment_method", ago(days=60), last_error_code="card_declined", charge_created_at=ago(hours=5)
    )
    ledger.transaction("pending", ago(days=60))
    assert len(ledger.rows("failed_payments")) == 1


def test_checkout_left_without_an_attempt_did_not_fail(ledger: Ledger) -> None:
    intent(ledger, "requires_payment_method")
    ledger.transaction("pending")
    assert ledger.rows("failed_payments") == []


def test_gateway_says_failed(ledger: Ledger) -> None:
    ledger.transaction("failed", provider="nowpayments", provider_ref="500")
    ledger.transaction("failed", provider="nowpayments", provider_ref="501", link_method="foreign")
    assert [row["provider_ref"] for row in ledger.rows("failed_payments")] == ["500"]


@pytest.mark.parametrize(
    ("app", "provider", "expected"),
    [("succeeded", "paid", 0), ("pending", "paid", 0), ("authorized", "authorized", 0), ("succeeded", None, 0),
     ("succeeded", "canceled", 1), ("failed", "failed", 1), ("pending", None, 1)],
)  # fmt: skip
def test_same_thing_paid_by_the_same_user_afterwards(
    ledger: Ledger, app: str, provider: str | None, expected: int
) -> None:
    user, plan = ledger.user(), ledger.plan()
    ledger.payment(user, plan, "failed", ago(days=2))
    declined(ledger)
    ledger.payment(user, plan, app, ago(days=1.9), transaction_id="pi_2")
    if provider is not None:
        ledger.transaction(provider, ago(days=1.9), provider_ref="pi_2")
    assert [row["provider_ref"] for row in ledger.rows("failed_payments")][:1] == ["pi_1"][:expected]


def test_good_payment_before_it_or_for_something_else_excuses_nothing(ledger: Ledger) -> None:
    user, plan, other = ledger.user(), ledger.plan(), ledger.plan("basic")
    ledger.payment(user, plan, "failed", ago(days=2))
    declined(ledger)
    ledger.payment(user, plan, "succeeded", ago(days=3), transaction_id="pi_2")
    ledger.payment(user, other, "succeeded", ago(days=1), transaction_id="pi_3")
    ledger.payment(ledger.user(), plan, "succeeded", ago(days=1), transaction_id="pi_4")
    assert len(ledger.rows("failed_payments")) == 1


def test_good_payment_weeks_later_is_another_purchase(ledger: Ledger) -> None:
    user, plan = ledger.user(), ledger.plan()
    ledger.payment(user, plan, "failed", ago(days=6))
    declined(ledger, 6)
    ledger.payment(user, plan, "succeeded", ago(days=1), transaction_id="pi_2")
    assert ledger.rows("failed_payments") == []
    assert len(ledger.rows("failed_payments", overrides={"recovery_days": 3})) == 1


@pytest.mark.parametrize(("amount", "expected"), [(20, 0), (21, 1)])
def test_unknown_attempt_is_excused_by_the_same_sum_of_the_same_customer(
    ledger: Ledger, amount: int, expected: int
) -> None:
    declined(ledger, customer_ref="cus_1", link_method="customer")
    intent(ledger, "succeeded", ago(days=1.9), object_id="pi_2", customer_id="cus_1", amount=amount)
    assert len(ledger.rows("failed_payments")) == expected


# Words


def test_words_that_nobody_knows_are_told_once_each_with_an_example(ledger: Ledger) -> None:
    for number in range(3):
        ledger.transaction("unknown", provider_ref=f"pi_{number}", raw_status="quantum_settled")
    ledger.transaction("unknown", provider_ref="re_1", kind="refund", raw_status="quantum_settled", amount=5)
    ledger.transaction("unknown", provider_ref="pi_8", raw_status="not_ours", link_method="foreign")
    ledger.payment(None, None, "Weird", transaction_id="pi_9")
    ledger.payment(None, None, "weird", transaction_id="pi_9", currency="EUR")
    ledger.payment(None, None, "succeeded", transaction_id="pi_9")
    rows = {(row["provider"], row["resource"], row["raw_status"]): row for row in ledger.rows("unmapped_statuses")}
    assert {key: (row["objects"], row["amount"], row["example_ref"]) for key, row in rows.items()} == {
        ("stripe", "payment_intents", "quantum_settled"): (3, 60, "pi_0"),
        ("stripe", "refunds", "quantum_settled"): (1, 5, "re_1"),
        ("app", "app_payment", "weird"): (2, None, "pi_9"),
    }
    assert {row["severity"] for row in rows.values()} == {"LOW"}


def test_words_of_things_made_after_the_moment_of_judgement_are_not_known_yet(ledger: Ledger) -> None:
    ledger.transaction("unknown")
    ledger.payment(None, None, "weird")
    assert ledger.rows("unmapped_statuses", as_of=ago(days=2)) == []

"""Raw snapshots in canonical form: states, exact amounts, and whose money it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.db.sql import named
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline_tests.ingest.books import AS_OF, CHARGE, CREATED, CRYPTO, DEPOSIT, INTENT, REFUND, Books


@pytest.fixture
def books(engine: Engine) -> Iterator[Books]:
    books = Books(engine)
    yield books
    books.empty()


def test_a_captured_card_payment_is_paid(books: Books) -> None:
    at = CREATED + timedelta(minutes=1)
    books.add("stripe_payment_intents", **INTENT, charge_created_at=at, charge_refunded=False, charge_amount_refunded=0)
    row = books.refreshed()
    assert (row["kind"], row["state"], row["raw_status"]) == ("payment", "paid", "succeeded")
    assert (row["amount"], row["currency"], row["amount_received"]) == (Decimal("19.99"), "USD", Decimal("19.99"))
    assert (row["paid_at"], row["state_changed_at"], row["amount_refunded"]) == (at, at, 0)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("requires_capture", "authorized"),
        ("requires_action", "pending"),
        ("canceled", "canceled"),
        ("quantum_settled", "unknown"),
    ],
)
def test_a_status_is_mapped_and_a_new_one_is_unknown(books: Books, status: str, state: str) -> None:
    books.add("stripe_payment_intents", **INTENT | {"status": status, "amount_received": 0})
    row = books.refreshed()
    assert (row["state"], row["paid_at"]) == (state, None)


def test_a_full_refund_reads_refunded_and_a_partial_one_stays_paid(books: Books) -> None:
    books.add("stripe_payment_intents", **INTENT, charge_refunded=True, charge_amount_refunded=Decimal("19.99"))
    books.add("stripe_payment_intents", **INTENT | {"object_id": "pi_2", "charge_refunded": False,
                                                    "charge_amount_refunded": 5})  # fmt: skip
    row = books.refreshed()
    assert (row["state"], row["paid_at"] is not None) == ("refunded", True)
    row = books.refreshed("pi_2")
    assert (row["state"], row["amount_refunded"]) == ("paid", 5)


def test_the_charge_knows_better_than_a_refund_that_failed_later(books: Books) -> None:
    books.add("stripe_payment_intents", **INTENT, charge_refunded=False, charge_amount_refunded=0)
    books.add("stripe_refunds", **REFUND | {"status": "failed", "amount": Decimal("19.99")})
    row = books.refreshed()
    assert (row["state"], row["amount_refunded"]) == ("paid", 0)
    assert books.refreshed("re_1")["state"] == "failed"


@pytest.mark.parametrize(
    ("charge", "refunds", "returned", "state"),
    [
        (0, [("succeeded", 20, 1)], 20, "refunded"),
        (0, [("succeeded", 5, 1)], 5, "paid"),
        (20, [("succeeded", 5, 1)], 20, "refunded"),
        (20, [("failed", 20, 1)], 0, "paid"),
        (20, [("failed", 20, -1)], 20, "refunded"),
        (20, [("succeeded", 5, -1), ("canceled", 15, 1)], 5, "paid"),
        (5, [("succeeded", 5, 1), ("failed", 15, 1)], 5, "paid"),
    ],
)
def test_charge_and_refunds_that_were_read_at_different_times(
    books: Books, charge: int, refunds: list[tuple[str, int, int]], returned: int, state: str
) -> None:
    told = {"charge_refunded": charge == 20, "charge_amount_refunded": charge}
    books.add("stripe_payment_intents", **INTENT | {"amount": 20, "amount_received": 20} | told)
    for number, (status, amount, minutes_later) in enumerate(refunds):
        seen = {"status": status, "amount": amount, "read_at": AS_OF + timedelta(minutes=minutes_later)}
        books.add("stripe_refunds", **REFUND | seen | {"object_id": f"re_{number}"})
    row = books.refreshed()
    assert (row["amount_refunded"], row["state"]) == (returned, state)


@pytest.mark.parametrize(
    ("taken", "charge", "all_back", "refunds", "returned", "state"),
    [
        (6, 14, False, [14], 0, "paid"),
        (6, 14, None, [], 0, "paid"),
        (6, 20, True, [14, 6], 6, "refunded"),
        (10, 10, False, [10], 0, "paid"),
        (10, 10, True, [10], 10, "refunded"),
        (10, 10, False, [7, 3], 10, "refunded"),
        (14, 5, False, [5], 5, "paid"),
        (14, 14, False, [6, 8], 8, "paid"),
    ],
)
def test_what_a_partial_capture_let_go_was_not_given_back(
    books: Books, taken: int, charge: int, all_back: bool | None, refunds: list[int], returned: int, state: str
) -> None:
    """Of 20 that were held. Stripe made a refund of the rest in earlier years, and some servers do."""
    told = {"charge_refunded": all_back, "charge_amount_refunded": charge, "charge_amount_captured": taken}
    books.add("stripe_payment_intents", **INTENT | {"amount": 20, "amount_received": taken} | told)
    for number, amount in enumerate(refunds):
        books.add("stripe_refunds", **REFUND | {"object_id": f"re_{number}", "status": "succeeded", "amount": amount})
    row = books.refreshed()
    assert (row["amount_refunded"], row["state"]) == (returned, state)


@pytest.mark.parametrize(
    ("told", "refunds", "returned", "state"),
    [
        (0, [("succeeded", 12, 1)], 12, "refunded"),
        (0, [("succeeded", 5, 1)], 5, "paid"),
        (12, [("succeeded", 5, 1)], 12, "refunded"),
        (12, [("failed", 12, 1)], 0, "paid"),
        (12, [("failed", 12, -1)], 12, "refunded"),
    ],
)
def test_a_charge_without_an_intent_and_its_refunds_that_were_read_at_different_times(
    books: Books, told: int, refunds: list[tuple[str, int, int]], returned: int, state: str
) -> None:
    books.add("stripe_charges", **CHARGE | {"amount_refunded": told, "refunded": told == 12, "disputed": True})
    for number, (status, amount, minutes_later) in enumerate(refunds):
        seen = {"status": status, "amount": amount, "read_at": AS_OF + timedelta(minutes=minutes_later)}
        of_charge = {"object_id": f"re_{number}", "payment_intent_id": None, "charge_id": "ch_1"}
        books.add("stripe_refunds", **REFUND | seen | of_charge)
    row = books.refreshed("ch_1")
    assert (row["amount_refunded"], row["state"], row["disputed"]) == (returned, state, True)


def test_a_dispute_is_kept(books: Books) -> None:
    books.add("stripe_payment_intents", **INTENT)
    assert books.refreshed()["disputed"] is False
    with books.engine.begin() as connection:
        connection.execute(text("UPDATE recon.stripe_payment_intents SET charge_disputed = TRUE"))
    assert books.refreshed()["disputed"] is True


def test_a_hold_counts_from_its_authorization(books: Books) -> None:
    held = {"status": "requires_capture", "amount_received": 0, "charge_created_at": CREATED + timedelta(days=1)}
    books.add("stripe_payment_intents", **INTENT | held)
    row = books.refreshed()
    assert (row["provider_created_at"], row["state_changed_at"]) == (CREATED, CREATED + timedelta(days=1))


@pytest.mark.parametrize(
    ("columns", "changed"),
    [
        ({"canceled_at": AS_OF - timedelta(hours=5)}, AS_OF - timedelta(hours=5)),
        ({}, AS_OF),
        ({"created_at": AS_OF - timedelta(days=400)}, AS_OF - timedelta(days=369)),
    ],
)
def test_a_cancellation_without_a_date_counts_from_its_reading(
    books: Books, columns: dict[str, Any], changed: datetime
) -> None:
    books.intent(status="canceled", **columns)
    assert books.refreshed()["state_changed_at"] == changed


def test_a_gateway_payment_keeps_what_was_to_come(books: Books) -> None:
    books.add("nowpayments_payments", **CRYPTO | {"actually_paid": Decimal("19.9"), "status": "partially_paid"})
    row = books.refreshed("501")
    assert (row["amount_received"], row["expected_amount"]) == (Decimal("19.9"), 20)


def test_without_a_charge_the_refunds_are_added_up(books: Books) -> None:
    books.add("stripe_payment_intents", **INTENT)
    books.add("stripe_refunds", **REFUND)
    assert books.refreshed()["amount_refunded"] == 5
    books.add("stripe_refunds", **REFUND | {"object_id": "re_2", "amount": Decimal("14.99")})
    assert books.refreshed()["state"] == "refunded"


def test_a_refund_belongs_to_the_payment_it_returns(books: Books) -> None:
    books.user(1, "cus_1")
    books.payment(11, 1, transaction_id="pi_1")
    books.add("stripe_payment_intents", **INTENT)
    books.add("stripe_refunds", **REFUND)
    row = books.refreshed("re_1")
    assert (row["kind"], row["parent_ref"], row["state"], row["currency"]) == ("refund", "pi_1", "refunded", "USD")
    assert (row["link_method"], row["user_ref"], row["payment_ref"]) == ("reference", "1", "11")


def test_the_applications_reference_links_first(books: Books) -> None:
    books.user(1)
    books.user(2, "cus_1")
    books.payment(11, 1, transaction_id="pi_1")
    books.payment(12, 2)
    books.add("stripe_payment_intents", **INTENT, metadata_payment_id="12", customer_id="cus_1")
    assert books.link() == ("reference", "1", "11")


def test_metadata_links_where_the_payment_has_no_reference(books: Books) -> None:
    books.user(1)
    books.payment(11, 1)
    books.add("stripe_payment_intents", **INTENT, metadata_payment_id="11")
    assert books.link() == ("metadata", "1", "11")


def test_metadata_of_another_product_does_not_link(books: Books) -> None:
    books.user(1)
    books.payment(12, 1, payment_method="okx")
    books.add("stripe_payment_intents", **INTENT, metadata_payment_id="order-77")
    books.add("stripe_payment_intents", **INTENT | {"object_id": "pi_3"}, metadata_payment_id="12")
    assert [books.link(ref) for ref in ("pi_1", "pi_3")] == [("none", None, None)] * 2


def test_a_customer_id_links_its_only_user_and_never_one_of_two(books: Books) -> None:
    books.user(1, "cus_1")
    books.add("stripe_payment_intents", **INTENT, customer_id="cus_1")
    assert books.link() == ("customer", "1", None)
    books.user(2, "cus_1")
    assert books.link() == ("ambiguous", None, None)


def test_a_reference_that_two_users_claim_is_ambiguous(books: Books) -> None:
    books.user(1)
    books.user(2)
    books.payment(11, 1, transaction_id="pi_1")
    books.payment(12, 2, transaction_id="pi_1")
    books.add("stripe_payment_intents", **INTENT)
    assert books.link() == ("ambiguous", None, None)


def test_a_crypto_payment_counts_by_what_arrived_whatever_its_status_says(books: Books) -> None:
    books.add("nowpayments_payments", **CRYPTO)
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "502", "actually_paid": Decimal("19.6")})
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "503", "actually_paid": Decimal("19.59")})
    row = books.refreshed("501")
    assert (row["state"], row["amount"], row["currency"]) == ("paid", 20, "USD")
    assert (row["amount_received"], row["received_currency"]) == (20, "USDTTRC20")
    assert [books.refreshed(ref)["state"] for ref in ("502", "503")] == ["paid", "partially_paid"]


@pytest.mark.parametrize(("came", "state"), [("0", "expired"), ("0.4", "expired"), ("0.5", "partially_paid")])
def test_an_expired_crypto_payment_with_money_in_it_is_short(books: Books, came: str, state: str) -> None:
    books.add("nowpayments_payments", **CRYPTO | {"status": "expired", "actually_paid": Decimal(came)})
    assert books.refreshed("501")["state"] == state


def test_a_repeated_deposit_is_a_row_of_its_own_linked_through_its_parent(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, payment_method="nowpayments", transaction_id="501")
    books.add("nowpayments_payments", **CRYPTO)
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "509", "parent_id": "501", "actually_paid": 3})
    row = books.refreshed("509")
    assert (row["state"], row["parent_ref"], row["payment_ref"]) == ("partially_paid", "501", "11")


def test_an_order_id_links_a_crypto_payment_whose_reference_was_never_saved(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, payment_method="nowpayments")
    books.add("nowpayments_payments", **CRYPTO, order_id="11")
    assert books.link("501") == ("metadata", "1", "11")


@pytest.mark.parametrize(("status", "state"), [("2", "paid"), ("1", "processing"), ("12", "frozen"), ("99", "unknown")])
def test_only_a_final_deposit_is_paid(books: Books, status: str, state: str) -> None:
    books.add("okx_deposits", **DEPOSIT | {"status": status})
    row = books.refreshed("d1")
    assert (row["kind"], row["state"], row["paid_at"] is not None) == ("deposit", state, state == "paid")
    assert (row["network"], row["deposit_tag"], row["tx_hash"]) == ("USDT-TRC20", "7", "hash1")


def test_a_deposit_links_by_its_hash_and_never_settles_two_payments(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, payment_method="okx", tx_hash="hash1")
    books.add("okx_deposits", **DEPOSIT)
    assert books.link("d1") == ("reference", "1", "11")
    books.payment(12, 1, payment_method="okx", tx_hash="hash1")
    assert books.link("d1") == ("ambiguous", None, None)


def test_a_second_refresh_writes_nothing_and_a_change_writes_its_row(books: Books) -> None:
    for number in range(3):
        books.add("stripe_payment_intents", **INTENT | {"object_id": f"pi_{number}"})
    books.add("stripe_refunds", **REFUND)
    books.add("nowpayments_payments", **CRYPTO)
    books.add("okx_deposits", **DEPOSIT)
    first = refresh_provider_transactions(books.engine, AS_OF)
    assert first.rows_written == 6
    assert first.by_provider == {"stripe": 4, "nowpayments": 1, "okx": 1}
    assert refresh_provider_transactions(books.engine, AS_OF).rows_written == 0
    with books.engine.begin() as connection:
        connection.execute(text("UPDATE recon.stripe_payment_intents SET status = 'canceled' WHERE object_id = 'pi_2'"))
    assert refresh_provider_transactions(books.engine, AS_OF).by_provider["stripe"] == 1


def test_tables_that_were_filled_for_the_first_time_have_statistics_before_any_report_runs(
    books: Books, engine: Engine
) -> None:
    books.add("stripe_payment_intents", **INTENT)
    with engine.connect() as connection:
        assert "stripe_payment_intents" in connection.execute(named("canonical/without_statistics.sql")).scalars().all()
    books.refreshed()
    with engine.connect() as connection:
        assert connection.execute(named("canonical/without_statistics.sql")).scalars().all() == []

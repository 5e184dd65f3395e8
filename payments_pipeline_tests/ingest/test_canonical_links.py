"""Whose money it is, how we know, and when we say that we do not know."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline_tests.ingest.books import (
    CHARGE,
    CRYPTO,
    CUSTOMER,
    DEPOSIT,
    DISPUTE,
    PAYOUT,
    REFUND,
    SESSION,
    TRANSFER,
    Books,
)


@pytest.fixture
def books(engine: Engine) -> Iterator[Books]:
    books = Books(engine)
    yield books
    books.empty()


def test_each_way_says_what_it_went_by(books: Books) -> None:
    books.user(17, "cus_17")
    books.payment(11, 17, transaction_id="pi_1")
    books.payment(12, 17)
    books.payment(13, 17, transaction_id="ch_5")
    books.intent(1)
    books.intent(2, metadata_payment_id="12")
    books.intent(3, metadata_user_id="17")
    books.intent(4, customer_id="cus_17")
    books.intent(5, charge_id="ch_5")
    books.intent(6, customer_id="cus_unknown", metadata_payment_id="order-77")
    books.intent(7)
    assert [books.evidence(f"pi_{number}") for number in range(1, 8)] == [
        ("reference", "reference=pi_1"),
        ("metadata", "metadata.payment_id=12"),
        ("metadata", "metadata.user_id=17"),
        ("customer", "customer=cus_17"),
        ("reference", "reference=ch_5"),
        ("none", "metadata.payment_id=order-77 (unknown); customer=cus_unknown (unknown)"),
        ("none", None),
    ]
    assert books.link("pi_3") == ("metadata", "17", None)


@pytest.mark.parametrize(
    ("session", "expected", "evidence"),
    [
        ({"metadata_payment_id": "11"}, ("checkout", "17", "11"), "checkout=cs_1 (payment 11, user 17)"),
        ({"metadata_user_id": "17"}, ("checkout", "17", None), "checkout=cs_1 (user 17)"),
        ({"object_id": "cs_12"}, ("checkout", "17", "12"), "checkout=cs_12 (payment 12, user 17)"),
        (
            {"client_reference_id": "11"},
            ("checkout", "17", "11"),
            "checkout=cs_1, client_reference_id=11 (payment 11, user 17)",
        ),
        (
            {"client_reference_id": "17"},
            ("checkout", "17", None),
            "checkout=cs_1, client_reference_id=17 (user 17)",
        ),
        (
            {"client_reference_id": "cart-5"},
            ("none", None, None),
            "checkout=cs_1, client_reference_id=cart-5 (unknown)",
        ),
    ],
)
def test_a_checkout_links_its_intent(
    books: Books, session: dict[str, Any], expected: tuple[Any, ...], evidence: str
) -> None:
    books.user(17)
    books.payment(11, 17)
    books.payment(12, 17, transaction_id="cs_12")
    books.intent()
    books.add("stripe_checkout_sessions", **SESSION | session)
    assert books.link() == expected
    assert books.evidence()[1] == evidence


def test_a_client_reference_that_is_both_a_user_and_a_payment_needs_another_word(books: Books) -> None:
    books.user(3, "cus_3")
    books.user(17, "cus_17")
    books.payment(17, 3)
    books.add("stripe_customers", **CUSTOMER | {"object_id": "cus_17b"}, metadata_user_id="17")
    books.user(18, "cus_17b")
    for number, customer in enumerate([None, "cus_3", "cus_17", "cus_17b"], start=1):
        books.intent(number, customer_id=customer)
        intent = {"object_id": f"cs_{number}", "payment_intent_id": f"pi_{number}", "client_reference_id": "17"}
        books.add("stripe_checkout_sessions", **SESSION | intent)
    assert books.evidence("pi_1") == ("ambiguous", "checkout=cs_1, client_reference_id=17 (users 3 and 17)")
    assert books.link("pi_2") == ("checkout", "3", "17")
    assert books.link("pi_3") == ("customer", "17", None)
    assert books.link("pi_4") == ("ambiguous", None, None)
    books.settings = {"checkout_reference": "user"}
    assert books.link("pi_1") == ("checkout", "17", None)
    books.settings = {"checkout_reference": "payment"}
    assert books.link("pi_1") == ("checkout", "3", "17")


@pytest.mark.parametrize(
    ("values", "evidence"),
    [
        (
            {"metadata_user_id": "1", "customer_id": "cus_2"},
            "metadata.user_id=1; customer=cus_2 (user 2)",
        ),
        (
            {"metadata_user_id": "99", "customer_id": "cus_2"},
            "metadata.user_id=99 (unknown); customer=cus_2 (user 2)",
        ),
        (
            {"metadata_payment_id": "11", "metadata_user_id": "2"},
            "metadata.payment_id=11 (user 1), metadata.user_id=2",
        ),
        ({"customer_id": "cus_both"}, "customer=cus_both (users 3 and 4)"),
        (
            {"metadata_user_id": "1", "customer_id": "cus_both"},
            "metadata.user_id=1; customer=cus_both (users 3 and 4)",
        ),
    ],
)
def test_words_that_contradict_each_other_link_nobody(books: Books, values: dict[str, Any], evidence: str) -> None:
    books.user(1)
    books.user(2, "cus_2")
    books.user(3, "cus_both")
    books.user(4, "cus_both")
    books.payment(11, 1)
    books.intent(**values)
    assert books.link() == ("ambiguous", None, None)
    assert books.evidence()[1] == evidence


def test_a_checkout_against_the_metadata_links_nobody(books: Books) -> None:
    books.user(1)
    books.user(2)
    books.payment(11, 1)
    books.payment(12, 2)
    books.intent(metadata_payment_id="11")
    books.add("stripe_checkout_sessions", **SESSION, metadata_payment_id="12")
    assert books.link() == ("ambiguous", None, None)
    assert books.evidence()[1] == "metadata.payment_id=11 (user 1); checkout=cs_1 (payment 12, user 2)"


def test_the_metadata_picks_one_of_the_users_who_share_a_customer(books: Books) -> None:
    books.user(3, "cus_both")
    books.user(4, "cus_both")
    books.intent(metadata_user_id="4", customer_id="cus_both")
    assert books.link() == ("metadata", "4", None)


def test_the_applications_reference_wins_and_contradiction_is_noted(books: Books) -> None:
    books.user(1)
    books.user(2)
    books.payment(11, 1, transaction_id="pi_1")
    books.payment(12, 2)
    books.intent(metadata_payment_id="12")
    assert books.link() == ("reference", "1", "11")
    assert books.evidence()[1] == "reference=pi_1 (user 1); metadata.payment_id=12 (user 2)"


def test_a_payment_that_names_no_user_is_whose_its_object_says_unless_that_is_unclear(books: Books) -> None:
    books.user(17, "cus_17")
    books.user(18, "cus_18")
    books.payment(11, None, transaction_id="pi_1")
    books.payment(12, None, transaction_id="pi_2")
    books.intent(1, customer_id="cus_17")
    books.intent(2, customer_id="cus_17", metadata_user_id="18")
    assert books.link("pi_1") == ("reference", "17", "11")
    assert books.link("pi_2") == ("reference", None, "12")


def test_a_reference_that_two_users_claim_names_both(books: Books) -> None:
    books.user(1)
    books.user(2)
    books.payment(11, 1, transaction_id="pi_1")
    books.payment(12, 2, transaction_id="pi_1")
    books.intent()
    assert books.evidence() == ("ambiguous", "reference=pi_1 (users 1 and 2)")


def test_of_two_payments_of_one_user_none_is_chosen_and_both_are_named(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, transaction_id="pi_1")
    books.payment(12, 1, transaction_id="pi_1")
    books.intent()
    assert books.link() == ("reference", "1", None)
    assert books.evidence()[1] == "reference=pi_1 (payments 11 and 12)"


def test_who_names_the_payment_itself_goes_before_who_names_its_charge(books: Books) -> None:
    books.user(1)
    books.payment(13, 1, transaction_id="pi_1")
    books.payment(9, 1, transaction_id="ch_1")
    books.intent(charge_id="ch_1")
    assert books.link() == ("reference", "1", "13")
    assert books.evidence()[1] == "reference=pi_1"


def test_stripes_customer_names_its_user_where_the_application_does_not(books: Books) -> None:
    books.user(1)
    books.intent(customer_id="cus_1")
    books.add("stripe_customers", **CUSTOMER, metadata_user_id="1")
    assert books.link() == ("customer", "1", None)
    books.user(2, "cus_1")
    assert books.link() == ("ambiguous", None, None)


def test_a_charge_of_another_product_is_foreign(books: Books) -> None:
    books.user(1, "cus_1")
    books.payment(11, 1)
    books.intent(1, metadata_app="other-shop", customer_id="cus_elsewhere")
    # Ids of another product collide with ours sooner or later, and people buy from both with one customer.
    books.intent(2, metadata_app="other-shop", metadata_user_id="1")
    books.intent(3, metadata_app="other-shop", metadata_payment_id="11")
    books.intent(4, metadata_app="other-shop", customer_id="cus_1")
    for _ in range(2):
        assert [books.link(f"pi_{number}") for number in range(1, 5)] == [("foreign", None, None)] * 4
        assert books.evidence("pi_4")[1] == "metadata.app=other-shop; customer=cus_1 (user 1)"
        books.settings = {"applications": ["Studio"]}


def test_our_own_name_in_the_metadata_is_ours_once_it_is_set(books: Books) -> None:
    books.user(1)
    books.payment(11, 1)
    books.intent(1, metadata_app="studio", metadata_user_id="1")
    books.intent(2, metadata_app="studio", metadata_user_id="1", metadata_payment_id="11")
    assert books.link("pi_1") == ("foreign", None, None)
    assert books.link("pi_2") == ("metadata", "1", "11")
    books.settings = {"applications": ["Studio"]}
    assert books.link("pi_1") == ("metadata", "1", None)


def test_a_reference_to_a_payment_that_names_another_product_is_a_contradiction(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, transaction_id="pi_1")
    books.intent(metadata_app="other-shop")
    assert books.link() == ("reference", "1", "11")
    books.settings = {"applications": ["studio"]}
    assert books.link() == ("ambiguous", None, None)
    assert books.evidence()[1] == "metadata.app=other-shop; reference=pi_1 (user 1)"


def test_refunds_disputes_and_charges_follow_their_intent(books: Books) -> None:
    books.user(1)
    books.intent(metadata_user_id="1", charge_id="ch_1")
    books.add("stripe_charges", **CHARGE | {"payment_intent_id": "pi_1"})
    books.add("stripe_refunds", **REFUND | {"payment_intent_id": None, "charge_id": "ch_1"})
    books.add("stripe_disputes", **DISPUTE)
    assert books.link("re_1") == books.link("dp_1") == ("metadata", "1", None)
    dispute = books.refreshed("dp_1")
    assert (dispute["kind"], dispute["parent_ref"], dispute["state"]) == ("dispute", "pi_1", "frozen")
    assert dispute["link_evidence"] == "metadata.user_id=1"
    with books.engine.connect() as connection:
        links = connection.execute(text("SELECT * FROM recon.stripe_charge_links")).mappings().one()
    assert (links["charge_id"], links["provider_ref"], links["user_ref"]) == ("ch_1", "pi_1", "1")
    # And when the intent's link changes, theirs does.
    books.payment(11, 1, transaction_id="pi_1")
    assert books.link("re_1") == books.link("dp_1") == ("reference", "1", "11")


def test_a_refund_whose_payment_is_not_read_yet_says_so(books: Books) -> None:
    books.add("stripe_refunds", **REFUND)
    assert books.evidence("re_1") == ("none", "payment pi_1 is not read yet")
    books.user(1)
    books.intent(metadata_user_id="1")
    assert books.link("re_1") == ("metadata", "1", None)


def test_a_charge_without_an_intent_is_a_payment_itself(books: Books) -> None:
    books.user(1, "cus_1")
    books.add("stripe_charges", **CHARGE, customer_id="cus_1")
    books.add("stripe_charges", **CHARGE | {"object_id": "ch_2", "payment_intent_id": "pi_1"})
    row = books.refreshed("ch_1")
    assert (row["kind"], row["state"], row["amount_received"]) == ("payment", "paid", 12)
    assert books.link("ch_1") == ("customer", "1", None)
    with books.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.provider_transactions")).scalar_one() == 1
    books.add("stripe_refunds", **REFUND | {"payment_intent_id": None, "charge_id": "ch_1", "amount": 12})
    books.run("UPDATE recon.stripe_charges SET refunded = TRUE, amount_refunded = 12 WHERE object_id = 'ch_1'")
    assert books.refreshed("ch_1")["state"] == "refunded"
    assert books.link("re_1") == ("customer", "1", None)


def test_a_transfer_belongs_to_its_payee_not_to_the_payer(books: Books) -> None:
    books.user(1)
    books.user(2)
    books.intent(metadata_user_id="1", charge_id="ch_1")
    books.add("stripe_charges", **CHARGE | {"payment_intent_id": "pi_1"})
    books.add("stripe_transfers", **TRANSFER | {"amount_reversed": Decimal("2.5")})
    row = books.refreshed("tr_1")
    assert (row["kind"], row["parent_ref"], row["state"]) == ("transfer", "pi_1", "paid")
    assert (row["raw_status"], row["amount_refunded"]) == ("partially_reversed", Decimal("2.5"))
    assert books.link("tr_1") == ("none", None, None)
    payout = {"amount": 8, "currency": "usd", "status": "paid", "stripe_transfer_id": "tr_1"}
    books.add("payouts", "public", id=5, payee_id=2, **payout)
    assert books.link("tr_1") == ("reference", "2", None)
    books.add("payouts", "public", id=6, payee_id=1, **payout)
    assert books.evidence("tr_1") == ("ambiguous", "payout=5 (users 1 and 2)")


def test_a_payout_to_the_own_bank_is_nobodys(books: Books) -> None:
    books.add("stripe_payouts", **PAYOUT)
    row = books.refreshed("po_1")
    assert (row["kind"], row["state"], row["currency"], row["user_ref"]) == ("payout", "processing", "EUR", None)


def test_crypto_says_what_it_went_by(books: Books) -> None:
    books.user(1)
    books.user(2)
    for number, values in [(11, {"transaction_id": "501"}), (12, {}), (13, {"transaction_id": "503"})]:
        books.payment(number, 1, payment_method="nowpayments", **values)
    books.payment(14, 2, payment_method="nowpayments", transaction_id="503")
    books.payment(15, 2, payment_method="nowpayments")
    books.add("nowpayments_payments", **CRYPTO, order_id="15")
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "502", "order_id": "12"})
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "503"})
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "504", "order_id": "shop-9"})
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "505", "parent_id": "502"})
    assert [books.evidence(ref) for ref in ("501", "502", "503", "504", "505")] == [
        ("reference", "reference=501 (user 1); order_id=15 (user 2)"),
        ("metadata", "order_id=12"),
        ("ambiguous", "reference=503 (users 1 and 2)"),
        ("none", "order_id=shop-9 (unknown)"),
        ("metadata", "order_id=12"),
    ]


def test_who_knows_the_invoice_alone_knows_the_intent_that_pays_for_it(books: Books) -> None:
    books.user(1, "cus_1")
    books.payment(11, 1, transaction_id="in_1")
    books.intent(1, customer_id="cus_1", invoice_id="in_1")
    assert books.link() == ("checkout", "1", "11")
    books.payment(12, 1, transaction_id="in_1")
    assert books.link() == ("customer", "1", None)


def test_who_knows_the_gateways_invoice_alone_knows_what_pays_for_it(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, payment_method="nowpayments", transaction_id="900")
    for ref in ("501", "502"):
        books.add("nowpayments_payments", **CRYPTO | {"object_id": ref, "invoice_id": "900", "order_id": "shop-9"})
        assert books.evidence(ref) == ("checkout", "invoice=900")
        assert books.link(ref) == ("checkout", "1", "11")
    books.payment(12, 1, payment_method="nowpayments", transaction_id="502")
    assert books.link("502") == ("reference", "1", "12")


def test_a_gateways_invoice_that_was_tried_twice_says_of_neither_row_that_it_was_paid(books: Books) -> None:
    books.user(1)
    books.payment(10, 1, payment_method="nowpayments", transaction_id="900", status="expired")
    books.add("nowpayments_payments", **CRYPTO | {"object_id": "501", "invoice_id": "900", "order_id": None})
    assert books.link("501") == ("checkout", "1", "10")
    books.payment(9, 1, payment_method="nowpayments", transaction_id="900")
    assert books.evidence("501") == ("ambiguous", "invoice=900 (payments 10 and 9)")
    assert books.link("501") == ("ambiguous", None, None)


def test_a_deposit_whose_id_and_hash_name_two_payments_settles_neither(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, payment_method="okx", transaction_id="d1")
    books.add("okx_deposits", **DEPOSIT)
    assert books.evidence("d1") == ("reference", "reference=d1")
    books.payment(12, 1, payment_method="okx", tx_hash="hash1")
    assert books.evidence("d1") == ("ambiguous", "reference=d1 (payments 11 and 12)")

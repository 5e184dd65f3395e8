"""Failure catalogue, lines S6, S10 and E13: money that no payment stands for, and what is not ours."""

from __future__ import annotations

from typing import Any

import pytest

from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.stripe_rows import intent

ALONE: Row = {"link_method": "none", "amount_received": 20, "received_currency": "USD"}


def orphans(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("orphan_provider_payments", **kwargs)


def account(ledger: Ledger, name: str, *, livemode: bool) -> None:
    """A complete list of this account was read."""
    ledger.add(
        "recon.coverage", provider="stripe", account=name, livemode=livemode, resource="payment_intents", mode="sweep",
        window_from=ago(days=90), window_to=ago(), as_of=ago(), pages=1, objects=1, rows_written=1, complete=True,
        started_at=ago(), finished_at=ago(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "expected"),
    [("paid", 1), ("authorized", 1), ("partially_paid", 1), ("processing", 1), ("pending", 0), ("failed", 0),
     ("canceled", 0), ("expired", 0), ("refunded", 0), ("unknown", 0)],
)  # fmt: skip
def test_money_is_an_orphan_and_what_is_none_is_not(ledger: Ledger, state: str, expected: int) -> None:
    ledger.transaction(state, **ALONE)
    found = orphans(ledger)
    assert [(row["provider_ref"], row["amount"], row["severity"]) for row in found] == [("pi_1", 20, "HIGH")] * expected


def test_orphan_of_a_known_customer_names_the_user(ledger: Ledger) -> None:
    user = ledger.user(stripe_customer_id="cus_1")
    ledger.transaction("paid", **ALONE | {"link_method": "customer", "user_ref": str(user), "customer_ref": "cus_1"})
    (row,) = orphans(ledger)
    assert (row["user_id"], row["username"], row["payment_id"]) == (str(user), "kim", None)
    assert row["reason"] == f"paid by user {user} as their customer says, but no payment refers to it"


def test_orphan_of_two_possible_users_names_neither(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.user(stripe_customer_id="cus_1")
    ledger.transaction("paid", **ALONE | {"link_method": "ambiguous", "customer_ref": "cus_1"})
    (row,) = orphans(ledger)
    assert (row["user_id"], row["username"], row["link_method"]) == (None, None, "ambiguous")


@pytest.mark.parametrize("ref", ["pi_1", "ch_1"])
def test_payment_that_rows_of_two_users_refer_to_is_no_orphan(ledger: Ledger, ref: str) -> None:
    for _ in range(2):
        ledger.payment(ledger.user(), None, "succeeded", transaction_id=ref)
    intent(ledger, "succeeded", charge_id="ch_1")
    ledger.transaction("paid", **ALONE | {"link_method": "ambiguous"})
    assert orphans(ledger) == []


@pytest.mark.parametrize(("seconds", "expected"), [(800, 0), (1000, 1)])
def test_application_that_writes_its_row_with_the_webhook_is_given_time(
    ledger: Ledger, seconds: int, expected: int
) -> None:
    ledger.transaction("paid", ago(seconds=seconds), **ALONE)
    assert len(orphans(ledger)) == expected


def test_link_by_reference_metadata_or_checkout_is_enough(ledger: Ledger) -> None:
    for method in ("metadata", "checkout"):
        payment = ledger.payment(None, None, "succeeded", transaction_id=None)
        ledger.transaction("paid", provider_ref=method, link_method=method, payment_ref=str(payment))
    payment = ledger.payment(None, None, "succeeded")
    ledger.transaction("paid", payment_ref=str(payment))
    assert orphans(ledger) == []


def test_second_charge_for_a_payment_that_another_one_settles(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "succeeded")
    ledger.transaction("paid", payment_ref=str(payment))
    ledger.transaction("paid", provider_ref="pi_2", link_method="metadata", payment_ref=str(payment))
    ledger.transaction("canceled", provider_ref="pi_3", link_method="metadata", payment_ref=str(payment))
    (row,) = orphans(ledger)
    assert (row["provider_ref"], row["payment_id"]) == ("pi_2", str(payment))


def test_row_that_refers_to_the_checkout_is_linked_by_it(ledger: Ledger) -> None:
    payment = ledger.payment(None, None, "succeeded", transaction_id="cs_1")
    ledger.transaction("paid", link_method="checkout", payment_ref=str(payment))
    assert orphans(ledger) == []


def test_repeated_deposit_belongs_to_its_parent(ledger: Ledger) -> None:
    gateway: Row = {"provider": "nowpayments", "link_method": "none"}
    ledger.transaction("paid", provider_ref="500", **gateway)
    ledger.transaction("paid", provider_ref="501", parent_ref="500", **gateway)
    ledger.transaction("paid", provider_ref="601", parent_ref="600", **gateway)
    assert {row["provider_ref"] for row in orphans(ledger)} == {"500", "601"}


def test_refunds_deposits_and_what_vanished_are_no_orphans(ledger: Ledger) -> None:
    ledger.transaction("refunded", provider_ref="re_1", kind="refund", link_method="none")
    ledger.deposit("paid", link_method="none")
    ledger.transaction("paid", vanished_at=ago(hours=1), **ALONE)
    assert orphans(ledger) == []


def test_test_money_is_no_money_where_live_accounts_are_known(ledger: Ledger) -> None:
    ledger.transaction("paid", account="acct_test", livemode=False, **ALONE)
    account(ledger, "acct_test", livemode=False)
    assert len(orphans(ledger)) == 1
    account(ledger, "acct_1", livemode=True)
    assert orphans(ledger) == []


def test_what_was_paid_after_the_moment_of_judgement_is_not_judged(ledger: Ledger) -> None:
    ledger.transaction("paid", **ALONE)
    assert orphans(ledger, as_of=ago(days=2)) == []


@pytest.mark.parametrize(
    ("state", "expected"), [("paid", 1), ("authorized", 1), ("refunded", 1), ("pending", 0), ("canceled", 0)]
)
def test_charge_of_another_product_is_listed_as_such_and_is_no_orphan(
    ledger: Ledger, state: str, expected: int
) -> None:
    intent(ledger, "succeeded", metadata_app="other-shop", description="A bag")
    ledger.transaction(state, link_method="foreign")
    assert orphans(ledger) == []
    found = ledger.rows("foreign_charges")
    assert [(row["provider_ref"], row["app"], row["description"], row["severity"]) for row in found] == [
        ("pi_1", "other-shop", "A bag", "LOW")
    ] * expected


def test_charges_of_another_product_are_listed_for_ninety_days(ledger: Ledger) -> None:
    ledger.transaction("paid", ago(days=89), link_method="foreign")
    ledger.transaction("paid", ago(days=91), provider_ref="pi_2", link_method="foreign")
    assert [row["provider_ref"] for row in ledger.rows("foreign_charges")] == ["pi_1"]

"""Stripe objects as rows: units, optional fields, malformed ones."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers import stripe_objects
from payments_pipeline.providers import stripe_objects_customers as customers

INTENT: dict[str, Any] = {"id": "pi_1", "status": "succeeded", "currency": "usd", "amount": 1999, "created": 1793534400}


def row(**changes: Any) -> dict[str, Any]:
    values = stripe_objects.intent_row(INTENT | changes)
    return dict(zip(stripe_objects.PAYMENT_INTENTS.columns, values, strict=True))


@pytest.mark.parametrize(
    ("currency", "minor", "major"),
    [("usd", 1999, "19.99"), ("jpy", 1999, "1999"), ("kwd", 1999, "1.999"), ("isk", 1900, "19")],
)
def test_amounts_become_major_units_by_stripes_own_exponents(currency: str, minor: int, major: str) -> None:
    assert row(currency=currency, amount=minor)["amount"] == Decimal(major)


def test_a_hold_shows_its_deadline() -> None:
    card = {"capture_before": 1794139200, "network": "visa"}
    charge = {"id": "ch_1", "captured": False, "payment_method_details": {"card": card}}
    found = row(status="requires_capture", latest_charge=charge)
    assert found["capture_before"] == datetime(2026, 11, 8, 12, 0, tzinfo=UTC)
    assert (found["charge_id"], found["charge_captured"], found["card_network"]) == ("ch_1", False, "visa")


def test_a_bare_intent_of_a_lenient_server_is_enough() -> None:
    found = row()
    assert found["amount_received"] == Decimal("19.99")
    assert found["charge_id"] is None
    assert found["metadata_user_id"] is None


def test_what_an_intent_does_not_say_of_its_capture_its_charge_may() -> None:
    charge = {"id": "ch_1", "captured": True, "amount_captured": 500}
    for intent in ({"latest_charge": charge}, {"charges": {"data": [charge]}}):
        assert row(**intent)["amount_received"] == 5
    assert row(latest_charge={"id": "ch_1", "captured": True})["amount_received"] == Decimal("19.99")


def test_a_subscription_of_a_server_without_prices_costs_its_plan() -> None:
    plan = {"id": "pro", "amount": 1999, "currency": "usd", "interval": "month", "interval_count": 1, "product": "pr_1"}
    subscription = {"id": "sub_1", "status": "active", "customer": "cus_1", "created": 1793534400,
                    "items": {"data": [{"plan": plan, "quantity": 2}]}}  # fmt: skip
    found = dict(zip(customers.SUBSCRIPTIONS.columns, customers.subscription_row(subscription), strict=True))
    assert (found["currency"], found["amount"], found["price_id"]) == ("usd", Decimal("39.98"), "pro")
    assert (found["product_id"], found["period"], found["period_count"]) == ("pr_1", "month", 1)
    with pytest.raises(MalformedObjectError, match="currency"):
        customers.subscription_row(subscription | {"items": {}})


def test_expanded_and_plain_customers_read_the_same() -> None:
    assert row(customer="cus_1")["customer_id"] == row(customer={"id": "cus_1"})["customer_id"] == "cus_1"


def test_an_order_id_serves_where_no_payment_id_is_in_the_metadata() -> None:
    assert row(metadata={"order_id": 17, "user_id": "4"})["metadata_payment_id"] == "17"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"amount": 19.99},
        {"amount": True},
        {"currency": None},
        {"created": "yesterday"},
        {"created": 10**17},
        {"status": None},
        {"id": 7},
        {"description": "a\x00b"},
        {"latest_charge": {"id": "ch_1", "captured": "yes"}},
    ],
)
def test_a_malformed_intent_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedObjectError, match=r"amount|currency|created|status|id|description|captured"):
        row(**changes)


def test_a_refund_without_status_is_unknown_not_an_error() -> None:
    refund = {"id": "re_1", "currency": "usd", "amount": 500, "created": 1793534400, "status": None}
    assert stripe_objects.refund_row(refund)[1] == "unknown"

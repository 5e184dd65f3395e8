"""A NOWPayments payment becomes a row: exact, tolerant of its habits, and refused by name when it is malformed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.nowpayments_objects import PAYMENTS, payment_row

TEXT = """{
  "payment_id": 5524759814, "parent_payment_id": null, "origin_type": null, "payment_status": "finished",
  "pay_address": "TNDFkiSmBQorNFacb3735q8MnT29sn8BLn", "payin_extra_id": "null", "price_amount": 0.1234567890123456789,
  "price_currency": "usd", "pay_amount": 1e-8, "actually_paid": "12.5", "pay_currency": "usdttrc20", "order_id": 815,
  "order_description": "Order 815", "outcome_amount": "null", "outcome_currency": null, "network": "trx",
  "burning_percent": "null", "payin_hash": "abc", "created_at": "2026-10-05T22:34:13.000Z",
  "updated_at": "2026-10-05T22:40:00.123Z", "expiration_estimate_date": "2026-10-12T22:34:13.000Z"
}"""


def payment(**changes: Any) -> dict[str, Any]:
    obj: dict[str, Any] = json.loads(TEXT, parse_float=Decimal)
    return obj | changes


def row(obj: Any) -> dict[str, Any]:
    return dict(zip(PAYMENTS.columns, payment_row(obj), strict=True))


def test_every_digit_of_an_amount_arrives() -> None:
    got = row(payment())
    assert got["price_amount"] == Decimal("0.1234567890123456789")
    assert got["pay_amount"] == Decimal("0.00000001")
    assert got["actually_paid"] == Decimal("12.5")
    assert not any(isinstance(value, float) for value in got.values())


def test_ids_are_text_whether_sent_as_number_or_text() -> None:
    assert row(payment())["object_id"] == row(payment(payment_id="5524759814"))["object_id"] == "5524759814"
    assert row(payment(parent_payment_id=77))["parent_id"] == "77"
    assert row(payment())["order_id"] == "815"


def test_the_text_null_is_nothing() -> None:
    got = row(payment(parent_payment_id="null"))
    assert got["payin_extra_id"] is None
    assert got["outcome_amount"] is None
    assert got["parent_id"] is None


def test_a_status_nobody_has_heard_of_passes_as_it_is() -> None:
    assert row(payment(payment_status="Wrong_Asset-2"))["status"] == "Wrong_Asset-2"


@pytest.mark.parametrize("sent", ["2026-10-05T22:34:13.000Z", "2026-10-06T00:34:13+02:00", 1791239653000, "1791239653"])
def test_times_are_utc_in_whatever_form_they_come(sent: object) -> None:
    assert row(payment(created_at=sent))["created_at"] == datetime(2026, 10, 5, 22, 34, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payment_id", None),
        ("payment_id", True),
        ("payment_status", None),
        ("price_amount", None),
        ("price_amount", 12.5),
        ("price_amount", "twelve"),
        ("price_amount", "Infinity"),
        ("pay_amount", Decimal("1e99999")),
        ("price_currency", {}),
        ("order_id", "a\x00b"),
        ("order_description", "\ud800"),
        ("created_at", "yesterday"),
        ("created_at", 10**30),
        ("updated_at", []),
    ],
)
def test_a_malformed_payment_is_refused_by_the_name_of_the_field(field: str, value: object) -> None:
    with pytest.raises(MalformedObjectError, match=field):
        row(payment(**{field: value}))


def test_what_is_no_object_at_all_is_refused() -> None:
    with pytest.raises(MalformedObjectError, match="not an object"):
        row("payment")

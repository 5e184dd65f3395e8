"""What the invented business sells: tiers, periods and prices in several currencies, and Stripe's integers for them.

Belongs here: the price list and the exponent of each currency in it. Does not belong here: who buys. The exponents are
written out again, not taken from core/, so that a mistake there shows as a wrong amount instead of being repeated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]

TIERS = ("basic", "pro", "premium")

# Monthly prices by tier. KWD ends in 0 because Stripe wants three-decimal amounts rounded to ten minor units.
PRICES: dict[str, tuple[str, str, str]] = {
    "USD": ("9.99", "19.99", "49.99"),
    "EUR": ("8.99", "18.99", "46.99"),
    "GBP": ("7.99", "16.99", "41.99"),
    "JPY": ("1500", "3000", "7500"),
    "KWD": ("3.050", "6.120", "15.370"),
    "UGX": ("37000", "74000", "185000"),
}
# How often each currency is picked for a purchase by card.
CURRENCY_WEIGHTS = {"USD": 60, "EUR": 20, "GBP": 10, "JPY": 5, "KWD": 3, "UGX": 2}

# Digits after the point in Stripe's integers: UGX has no cents any more, yet Stripe wants it in hundredths.
STRIPE_EXPONENT = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3, "UGX": 2}

PERIOD_DAYS = {"week": 7, "month": 30, "quarter": 91, "year": 365}
_MONTHS = {"month": 1, "year": 10}


def stripe_minor(amount: Decimal, currency: str) -> int:
    """Major units as Stripe's integer; exact for every price in the list."""
    return int(amount.scaleb(STRIPE_EXPONENT[currency]))


def price_list(created_at: datetime) -> Iterator[Row]:
    """Rows of public.plans, ids from 1: the free plan, tier x currency x (month, year), and three odd periods."""
    wanted = [("free", "lifetime", "USD", Decimal("0"))]
    for currency, prices in PRICES.items():
        for tier, monthly in zip(TIERS, prices, strict=True):
            wanted += [(tier, period, currency, Decimal(monthly) * times) for period, times in _MONTHS.items()]
    wanted += [
        ("basic", "week", "USD", Decimal("2.99")),
        ("pro", "quarter", "USD", Decimal("54.99")),
        ("premium", "lifetime", "USD", Decimal("799.00")),
    ]
    for number, (tier, period, currency, price) in enumerate(wanted, start=1):
        name = "free" if tier == "free" else f"{tier}_{period}_{currency.lower()}"
        yield {
            "id": number,
            "name": name,
            "tier": tier,
            "period": period,
            "price": price,
            "currency": currency,
            "stripe_price_id": None if tier == "free" else f"price_{name}",
            "nowpayments_plan_id": None,
            "is_active": True,
            "created_at": created_at,
        }


def paid_until(plan: Row, paid_at: datetime) -> datetime | None:
    """When a payment for `plan` runs out; None for a lifetime. The world keeps days away from this edge."""
    days = PERIOD_DAYS.get(plan["period"])
    return None if days is None else paid_at + timedelta(days=days)

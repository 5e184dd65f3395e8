"""Exact amounts: provider integers and texts become `Decimal` in major units. No float ever enters."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

from payments_pipeline.errors import MalformedObjectError

# Exponents as Stripe uses them on charges, which is not ISO 4217: UGX and ISK are sent as hundredths although both
# currencies have no minor unit any more (Stripe docs, "Zero-decimal currencies" and "Special cases").
STRIPE_ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
STRIPE_THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Two decimals on charges, whole units (sent as hundredths that end in 00) on payouts: the exponent stays 2.
STRIPE_DEFAULT_EXPONENT = 2


@lru_cache(256)
def stripe_exponent(currency: str) -> int:
    """Digits after the decimal point in Stripe's integers for `currency` (any case)."""
    code = currency.upper()
    if code in STRIPE_ZERO_DECIMAL:
        return 0
    if code in STRIPE_THREE_DECIMAL:
        return 3
    return STRIPE_DEFAULT_EXPONENT


def from_stripe(minor: int, currency: str) -> Decimal:
    """Stripe's integer in minor units as major units: ``from_stripe(1999, "usd") == Decimal("19.99")``."""
    return Decimal(minor).scaleb(-stripe_exponent(currency))


def to_stripe(major: Decimal, currency: str) -> int:
    """`Decimal` in major units as Stripe's integer.

    Raises:
        MalformedObjectError: the amount has more digits than Stripe can express in this currency.
    """
    minor = major.scaleb(stripe_exponent(currency))
    if minor != minor.to_integral_value():
        raise MalformedObjectError(
            f"{major} {currency.upper()} has more decimals than Stripe takes.",
            remedy="Round the amount by the currency's own rule before it is sent.",
        )
    return int(minor)


def exact(value: object, what: str) -> Decimal:
    """A provider's number, given as text, int or Decimal, as a finite `Decimal`.

    Raises:
        MalformedObjectError: it is a float (already inexact), not a number, or not finite; names `what`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise MalformedObjectError(f"{what} is {type(value).__name__}, not an exact number.")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise MalformedObjectError(f"{what} is not a number: {str(value)[:40]!r}.") from None
    if not number.is_finite():
        raise MalformedObjectError(f"{what} is not finite: {number}.")
    return number


def exact_or_none(value: object, what: str) -> Decimal | None:
    """As `exact`; missing values, empty texts and the text "null" (which NOWPayments sends) give None."""
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "null", "none"}):
        return None
    return exact(value, what)

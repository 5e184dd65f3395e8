"""Amounts are exact, whatever the currency and however the provider writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments_pipeline.core.money import exact, exact_or_none, from_stripe, stripe_exponent, to_stripe
from payments_pipeline.errors import MalformedObjectError


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (1999, "usd", "19.99"),
        (1999, "JPY", "1999"),
        (1999, "kwd", "1.999"),
        (1900, "ugx", "19.00"),
        (1900, "isk", "19.00"),
        (500, "huf", "5.00"),
        (0, "eur", "0"),
    ],
)
def test_stripe_integers_become_major_units_by_stripes_own_exponents(minor: int, currency: str, major: str) -> None:
    assert from_stripe(minor, currency) == Decimal(major)


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["usd", "jpy", "kwd", "ugx", "twd"]))
def test_amounts_survive_the_way_to_stripe_and_back(minor: int, currency: str) -> None:
    assert to_stripe(from_stripe(minor, currency), currency) == minor


def test_an_amount_finer_than_the_currency_is_refused_not_rounded() -> None:
    with pytest.raises(MalformedObjectError, match="more decimals"):
        to_stripe(Decimal("10.5"), "jpy")


@pytest.mark.parametrize("value", [1.5, True, "abc", "NaN", "Infinity", None, []])
def test_what_is_not_an_exact_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(MalformedObjectError, match="price_amount"):
        exact(value, "price_amount")


@pytest.mark.parametrize("value", [None, "", "null", "None", " NULL "])
def test_the_ways_providers_write_nothing(value: object) -> None:
    assert exact_or_none(value, "burning_percent") is None


def test_small_crypto_amounts_keep_every_digit() -> None:
    assert exact("0.000000000000000001", "amt") == Decimal("1e-18")


def test_unknown_currencies_have_two_decimals() -> None:
    assert stripe_exponent("usdc") == 2

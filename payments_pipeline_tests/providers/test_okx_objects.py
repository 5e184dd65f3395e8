"""An OKX deposit becomes a row: exact, with OKX's own state, and refused by name when it is malformed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.okx_objects import DEPOSITS, deposit_row


def deposit(**changes: Any) -> dict[str, Any]:
    return {
        "depId": "77", "state": "2", "ccy": "USDT", "chain": "USDT-TRC20", "amt": "100.000000000000000001", "from": "",
        "to": "TAddress", "txId": "0xabc", "ts": "1791239653123", "actualDepBlkConfirm": "21",
    } | changes  # fmt: skip


def row(obj: Any) -> dict[str, Any]:
    return dict(zip(DEPOSITS.columns, deposit_row(obj), strict=True))


def test_a_deposit_keeps_every_digit_and_millisecond() -> None:
    got = row(deposit())
    assert got["amount"] == Decimal("100.000000000000000001")
    assert got["created_at"] == datetime(2026, 10, 5, 22, 34, 13, 123_000, tzinfo=UTC)
    assert got["from_address"] is None
    assert not any(isinstance(value, float) for value in got.values())


@pytest.mark.parametrize("state", ["0", "2", "12", "13", "17", "99"])
def test_okx_own_state_survives_where_ccxt_would_translate_it(state: str) -> None:
    assert row(deposit(state=state))["status"] == state
    assert row(deposit(state=int(state)))["status"] == state


@pytest.mark.parametrize("name", ["tag", "pmtId", "memo"])
def test_the_memo_is_found_under_each_of_its_names(name: str) -> None:
    assert row(deposit(**{name: 4711}))["tag"] == "4711"
    assert row(deposit())["tag"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("depId", ""), ("state", None), ("ccy", None), ("amt", 1.5), ("amt", "1,5"), ("ts", "soon"), ("ts", None)],
)
def test_a_malformed_deposit_is_refused_by_the_name_of_the_field(field: str, value: object) -> None:
    with pytest.raises(MalformedObjectError, match=field):
        row(deposit(**{field: value}))

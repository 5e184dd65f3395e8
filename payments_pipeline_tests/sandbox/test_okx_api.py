"""The simulated OKX, read by ccxt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
import requests

from payments_pipeline.sandbox.failures import FaultPlan, RateLimit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.sandbox.provider_states import START_SECONDS, with_deposits

START_MS = START_SECONDS * 1000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def exchange(sandbox: Sandbox) -> Iterator[Any]:
    account = sandbox.state.okx
    exchange = ccxt.okx(
        {
            "apiKey": account.api_key,
            "secret": account.api_secret,
            "password": account.passphrase,
            "enableRateLimit": False,
            "number": str,
        }
    )
    exchange.urls["api"]["rest"] = sandbox.okx_base
    yield exchange
    exchange.session.close()


def rows(answer: dict[str, Any]) -> list[str]:
    return [row["depId"] for row in answer["data"]]


def test_paging_back_in_time_reads_every_deposit_newest_first(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(with_deposits(230, same_ms=7))
    seen: dict[str, str] = {}
    params: dict[str, str] = {}
    while True:
        page = exchange.private_get_asset_deposit_history(params)["data"]
        if all(row["depId"] in seen for row in page):
            break
        seen |= {row["depId"]: row["ts"] for row in page}
        params = {"after": str(int(page[-1]["ts"]) + 1)}
    assert len(seen) == 230
    assert list(seen.values()) == sorted(seen.values(), reverse=True)


def test_after_is_older_and_before_is_newer_both_exclusive(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(with_deposits(10))
    answer = exchange.private_get_asset_deposit_history({"before": str(START_MS + 2), "after": str(START_MS + 6)})
    assert rows(answer) == ["7005", "7004", "7003"]
    assert rows(exchange.private_get_asset_deposit_history({"limit": "2"})) == ["7009", "7008"]


def test_filters(sandbox: Sandbox, exchange: Any) -> None:
    state = with_deposits(6)
    state.okx.deposits["7001"].update(state="0", ccy="BTC")
    sandbox.load(state)
    read = exchange.private_get_asset_deposit_history
    assert rows(read({"state": "0"})) == rows(read({"ccy": "BTC"})) == ["7001"]
    assert rows(read({"depId": "7004"})) == ["7004"]
    assert rows(read({"txId": "0x00000002"})) == ["7002"]
    assert rows(read({"txId": "0xnone"})) == []


def test_fetch_deposits_loads_markets_and_gives_unified_deposits(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(with_deposits(3))
    deposits = exchange.fetch_deposits("USDT", since=START_MS)
    assert [deposit["id"] for deposit in deposits] == ["7000", "7001", "7002"]
    assert deposits[0]["info"]["amt"] == "1.5"
    assert {"USDT", "BTC"} <= set(exchange.currencies)


def test_account_config_names_the_uid_and_time_is_public(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(SandboxState())
    assert exchange.private_get_account_config()["data"][0]["uid"] == sandbox.state.okx.uid
    assert exchange.fetch_time() > START_MS


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [("apiKey", "nobody", "50111"), ("secret", "guess", "50113"), ("password", "guess", "50105")],
)
def test_wrong_credentials_are_told_apart(
    sandbox: Sandbox, exchange: Any, attribute: str, value: str, code: str
) -> None:
    sandbox.load(with_deposits(1))
    setattr(exchange, attribute, value)
    with pytest.raises(ccxt.AuthenticationError, match=code):
        exchange.private_get_asset_deposit_history()


def test_signature_covers_the_query(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(with_deposits(1))
    signed = exchange.sign("asset/deposit-history", ["private"], "GET", {"limit": "5"})
    assert requests.get(signed["url"], headers=signed["headers"], timeout=5).status_code == 200
    tampered = requests.get(signed["url"].replace("=5", "=6"), headers=signed["headers"], timeout=5)
    assert (tampered.status_code, tampered.json()["code"]) == (401, "50113")


def test_unsigned_call_names_the_missing_header(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState())
    answer = requests.get(f"{sandbox.okx_base}/api/v5/account/config", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, "50103")


def test_clock_skew_beyond_thirty_seconds_is_refused(sandbox: Sandbox, exchange: Any) -> None:
    state = with_deposits(1)
    state.okx.skew_seconds = 45
    sandbox.load(state)
    with pytest.raises(ccxt.InvalidNonce, match="50102"):
        exchange.private_get_asset_deposit_history()


def test_rate_limit_is_50011(sandbox: Sandbox, exchange: Any) -> None:
    sandbox.load(with_deposits(1), FaultPlan(limits={"okx": RateLimit(1, seconds=60)}))
    exchange.private_get_asset_deposit_history()
    with pytest.raises(ccxt.RateLimitExceeded, match="50011"):
        exchange.private_get_asset_deposit_history()


@pytest.mark.parametrize("params", [{"limit": "101"}, {"after": "noon"}, {"state": "99"}])
def test_bad_parameters_are_51000(sandbox: Sandbox, exchange: Any, params: dict[str, str]) -> None:
    sandbox.load(with_deposits(1))
    with pytest.raises(ccxt.BadRequest, match="51000"):
        exchange.private_get_asset_deposit_history(params)

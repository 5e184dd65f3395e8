"""OKX through ccxt over real HTTP: paging by time that loses no tie, failures sorted rightly, nothing inexact."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    MalformedObjectError,
    PaymentsPipelineError,
    PermanentError,
    ResponseError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.providers.okx import OkxProvider
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.objects import okx_deposit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.providers.conversation import conversation

START = datetime(2026, 10, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=30))
HISTORY = "/api/v5/asset/deposit-history"
CONFIG = "/api/v5/account/config"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.load(SandboxState(), FaultPlan())
    return server


class Sleeps(list[float]):
    """Notes what it was asked to wait, and does not wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def settings_for(sandbox: Sandbox, **changes: Any) -> Settings:
    values: dict[str, Any] = {name.lower(): value for name, value in sandbox.environment().items()}
    return load_settings(_env_file=None, **(values | {"http_timeout_seconds": 2.0} | changes))


def provider_for(sandbox: Sandbox, *, page_size: int = 100, sleep: Sleeps | None = None, **changes: Any) -> OkxProvider:
    return OkxProvider(
        settings_for(sandbox, **changes),
        lambda: WINDOW.end,
        page_size=page_size,
        sleep=Sleeps() if sleep is None else sleep,
    )


def add(sandbox: Sandbox, number: int, at: datetime, **changes: Any) -> str:
    deposit_id = str(9_000_000 + number)
    deposit = okx_deposit(
        deposit_id, state="2", amount=Decimal("100.5"), address="TAddress", tx_hash=f"0x{number:x}", at=at
    )
    with sandbox.state.lock:
        sandbox.state.okx.deposits[deposit_id] = deposit | changes
    return deposit_id


def listed(provider: OkxProvider, window: Window = WINDOW) -> list[str]:
    deposits = provider.resources["deposits"]
    return [deposits.object_id(obj) for page in deposits.pages(window) for obj in page.objects]


def test_importing_the_provider_does_not_import_ccxt() -> None:
    code = "import sys, payments_pipeline.providers.okx; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_deposits_that_share_a_millisecond_across_a_page_border_are_all_listed_once(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n // 3)) for n in range(25)]
    got = listed(provider_for(sandbox, page_size=10))
    assert sorted(got) == expected
    assert got[0] == expected[-1]


def test_an_empty_history_is_one_empty_page(sandbox: Sandbox) -> None:
    assert [len(page.objects) for page in provider_for(sandbox).resources["deposits"].pages(WINDOW)] == [0]


def test_the_window_begins_with_its_start_and_ends_before_its_end(sandbox: Sandbox) -> None:
    window = Window(START + timedelta(hours=12), START + timedelta(hours=36))
    add(sandbox, 0, window.start - timedelta(seconds=1))
    first = add(sandbox, 1, window.start)
    last = add(sandbox, 2, window.end - timedelta(seconds=1))
    add(sandbox, 3, window.end)
    assert listed(provider_for(sandbox), window) == [last, first]


def test_older_pages_than_the_window_are_not_asked_for(sandbox: Sandbox) -> None:
    for n in range(60):
        add(sandbox, n, START + timedelta(hours=n))
    window = Window(START + timedelta(hours=55), START + timedelta(hours=60))
    assert len(listed(provider_for(sandbox, page_size=10), window)) == 5
    assert len(sandbox.requests) == 1


def test_a_full_page_of_one_millisecond_is_an_error_and_not_an_end(sandbox: Sandbox) -> None:
    for n in range(12):
        add(sandbox, n, START)
    with pytest.raises(ResponseError, match="shares one ts"):
        listed(provider_for(sandbox, page_size=10))


def test_deposits_arriving_while_the_history_is_read_push_nothing_out(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(30)]

    def drift(provider: str, path: str, page: int) -> None:
        if path == HISTORY and page == 2:
            add(sandbox, 100, START + timedelta(hours=50))

    sandbox.faults.on_page = drift
    assert sorted(listed(provider_for(sandbox, page_size=10))) == expected


def test_amounts_are_exact_from_the_wire_to_the_row(sandbox: Sandbox) -> None:
    exact = Decimal("0.1234567890123456789")
    add(sandbox, 1, START, amt="100.000000000000000001", state="12")
    add(sandbox, 2, START, amt=exact)  # a server that sends numbers
    deposits = provider_for(sandbox).resources["deposits"]
    rows = [deposits.row(obj) for page in deposits.pages(WINDOW) for obj in page.objects]
    amounts = {row[0]: row[deposits.spec.columns.index("amount")] for row in rows}
    assert amounts == {"9000001": Decimal("100.000000000000000001"), "9000002": exact}
    assert not any(isinstance(value, float) for row in rows for value in row)
    assert {row[1] for row in rows} == {"12", "2"}


def test_one_poisoned_deposit_is_handed_over_for_rejection_and_the_rest_goes_on(sandbox: Sandbox) -> None:
    add(sandbox, 1, START, amt="a lot")
    add(sandbox, 2, START + timedelta(hours=1))
    deposits = provider_for(sandbox).resources["deposits"]
    good, bad = [obj for page in deposits.pages(WINDOW) for obj in page.objects]
    assert deposits.row(good)[0] == "9000002"
    with pytest.raises(MalformedObjectError, match="amt"):
        deposits.row(bad)


def test_one_deposit_is_read_by_id(sandbox: Sandbox) -> None:
    add(sandbox, 1, START)
    deposit_id = add(sandbox, 2, START, state="0")
    deposits = provider_for(sandbox).resources["deposits"]
    page = deposits.read(deposit_id)
    assert page is not None
    assert deposits.row(page.objects[0])[:2] == (deposit_id, "0")
    assert deposits.read("1") is None


def test_the_account_is_the_uid(sandbox: Sandbox) -> None:
    account = provider_for(sandbox).identify()
    assert (account.provider, account.account, account.livemode) == ("okx", sandbox.state.okx.uid, True)


def test_another_account_than_the_expected_one_is_refused(sandbox: Sandbox) -> None:
    provider = OkxProvider(settings_for(sandbox), lambda: START, expected_account="1")
    with pytest.raises(WrongAccountError, match="expected is 1"):
        provider.identify()


def test_okx_account_refuses_a_key_of_another_account(sandbox: Sandbox) -> None:
    settings = settings_for(sandbox, okx_account="1", stripe_api_key=None, nowpayments_api_key=None)
    (provider,) = build_providers(settings, lambda: START)
    with pytest.raises(WrongAccountError, match="expected is 1"):
        provider.identify()


@pytest.mark.parametrize("name", ["okx_api_key", "okx_api_secret", "okx_api_passphrase"])
def test_wrong_credentials_are_refused_with_a_remedy_and_without_the_secret(sandbox: Sandbox, name: str) -> None:
    wrong: dict[str, Any] = {name: "wrong-credential"}
    with pytest.raises(CredentialsError) as caught:
        provider_for(sandbox, **wrong).identify()
    assert "OKX_API_PASSPHRASE" in str(caught.value)
    assert_tells_no_secret(caught.value, sandbox)
    assert len(sandbox.requests) == 1


def test_missing_credentials_are_a_configuration_error(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="OKX_API_PASSPHRASE"):
        provider_for(sandbox, okx_api_passphrase=None)


def test_the_rate_limit_is_waited_for_as_long_as_it_asks(sandbox: Sandbox) -> None:
    expected = [add(sandbox, 1, START)]
    sandbox.faults.rate_limit("okx", HISTORY)
    sandbox.faults.rate_limit("okx", HISTORY, retry_after=7)
    sleep = Sleeps()
    assert listed(provider_for(sandbox, sleep=sleep)) == expected
    assert len(sleep) == 2
    assert sleep[0] > 0
    assert sleep[1] >= 7


def test_a_rate_limit_that_stays_is_a_transient_error(sandbox: Sandbox) -> None:
    sandbox.faults.rate_limit("okx", HISTORY, times=None)
    with pytest.raises(TransientError, match="50011") as caught:
        listed(provider_for(sandbox, http_max_attempts=2))
    assert len(sandbox.requests) == 2
    assert_tells_no_secret(caught.value, sandbox)


def test_calls_stay_below_six_a_second(sandbox: Sandbox) -> None:
    for n in range(30):
        add(sandbox, n, START + timedelta(hours=n))
    listed(provider_for(sandbox, page_size=10))
    times = [request.time for request in sandbox.requests]
    assert min(late - early for early, late in pairwise(times)) > timedelta(seconds=0.16)


def test_server_errors_cut_bodies_and_silence_are_tried_again(sandbox: Sandbox) -> None:
    expected = [add(sandbox, 1, START)]
    sandbox.faults.server_error("okx", HISTORY)
    sandbox.faults.cut_body("okx", HISTORY)
    sandbox.faults.hang("okx", HISTORY, seconds=1.0)
    assert listed(provider_for(sandbox, http_timeout_seconds=0.3)) == expected


def test_silence_for_ever_is_a_transient_error(sandbox: Sandbox) -> None:
    sandbox.faults.hang("okx", HISTORY, seconds=1.0, times=None)
    with pytest.raises(TransientError, match="RequestTimeout") as caught:
        listed(provider_for(sandbox, http_timeout_seconds=0.2, http_max_attempts=2))
    assert_tells_no_secret(caught.value, sandbox)


def test_half_a_json_text_for_ever_is_a_response_error(sandbox: Sandbox) -> None:
    add(sandbox, 1, START)
    sandbox.faults.invalid_json("okx", HISTORY, times=None)
    with pytest.raises(ResponseError, match="not JSON"):
        listed(provider_for(sandbox, http_max_attempts=2))


def test_a_wrong_clock_is_said_to_be_one(sandbox: Sandbox) -> None:
    sandbox.state.okx.skew_seconds = 120
    with pytest.raises(PermanentError, match="NTP"):
        provider_for(sandbox).identify()
    assert len(sandbox.requests) == 1


def test_nobody_listens_is_a_transient_error() -> None:
    with pytest.raises(TransientError, match="OKX_API_BASE"):
        _provider("http://127.0.0.1:9", http_max_attempts=1).identify()


def test_passphrase_and_key_stay_out_of_debug_logs(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    add(sandbox, 1, START)
    with caplog.at_level(logging.DEBUG):
        listed(provider_for(sandbox))
    state = sandbox.state.okx
    assert not [secret for secret in (state.api_key, state.api_secret, state.passphrase) if secret in caplog.text]


def test_a_server_without_account_endpoint_gives_the_key_s_fingerprint() -> None:
    with conversation(lambda path, _: (404, b"{}") if path == CONFIG else (200, _envelope([]))) as server:
        account = _provider(server.base_url).identify().account
    assert account.startswith("okx_")
    assert len(account) == len("okx_") + 8


def test_a_server_without_account_endpoint_still_refuses_a_wrong_key() -> None:
    refusal = b'{"code": "50111", "msg": "Invalid OK-ACCESS-KEY", "data": []}'
    with (
        conversation(lambda path, _: (404, b"Not Found") if path == CONFIG else (401, refusal)) as server,
        pytest.raises(CredentialsError, match="50111"),
    ):
        _provider(server.base_url).identify()


def test_a_refusal_that_comes_with_status_200_is_a_credentials_error() -> None:
    body = b'{"code": "50105", "msg": "passphrase incorrect", "data": []}'
    with conversation(lambda _path, _: (200, body)) as server, pytest.raises(CredentialsError, match="50105"):
        _provider(server.base_url).identify()


def test_key_and_passphrase_do_not_follow_a_redirect() -> None:
    with (
        conversation(lambda _path, _: (200, _envelope([]))) as elsewhere,
        conversation(lambda path, _: (302, (elsewhere.base_url + path).encode())) as server,
    ):
        with pytest.raises(ResponseError, match="redirect"):
            _provider(server.base_url).identify()
        assert elsewhere.asked == []


def test_a_server_with_smaller_pages_loses_nothing() -> None:
    stored = [{"depId": str(n), "ts": str(1_790_900_000_000 + n)} for n in range(9, 0, -1)]

    def script(_path: str, query: dict[str, str]) -> tuple[int, bytes]:
        return 200, _envelope([d for d in stored if int(d["ts"]) < int(query["after"])][:4])

    with conversation(script) as server:
        assert len(listed(_provider(server.base_url))) == 9


@pytest.mark.parametrize(
    ("newer", "tied", "older", "page", "keeps_limit"),
    [(0, 25, 0, 20, True), (0, 5, 0, 4, False), (0, 2, 3, 1, True), (3, 6, 2, 4, True), (1, 25, 0, 20, False)],
)
def test_deposits_of_one_ts_that_a_server_s_own_shorter_pages_cut_are_an_error(
    newer: int, tied: int, older: int, page: int, keeps_limit: bool
) -> None:
    stamps = [1_790_900_000_900 - n for n in range(newer)] + [1_790_900_000_500] * tied
    stamps += [1_790_900_000_400 - n for n in range(older)]
    stored = [{"depId": str(n), "ts": str(ts)} for n, ts in enumerate(stamps)]

    def script(_path: str, query: dict[str, str]) -> tuple[int, bytes]:
        length = min(page, int(query["limit"])) if keeps_limit else page
        return 200, _envelope([d for d in stored if int(d["ts"]) < int(query["after"])][:length])

    with conversation(script) as server, pytest.raises(ResponseError, match="shares one ts"):
        listed(_provider(server.base_url))


@pytest.mark.parametrize("newer", [0, 1])
def test_the_oldest_deposits_of_an_account_may_share_one_ts(sandbox: Sandbox, newer: int) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n // 3)) for n in range(3 + newer)]
    assert sorted(listed(provider_for(sandbox))) == expected


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"depId": "1", "ts": str(4_000_000_000_000)}], "does not page by time"),
        ([{"depId": "1", "ts": "soon"}], "no deposit of this page has a readable ts"),
        ([{"depId": str(n), "ts": str(1_790_900_000_000 + n)} for n in range(100)], "not newest first"),
    ],
)
def test_a_server_whose_pages_lead_nowhere_is_an_error_and_not_an_end(rows: list[Any], problem: str) -> None:
    with (
        conversation(lambda _path, _: (200, _envelope(rows))) as server,
        pytest.raises(ResponseError, match=problem),
    ):
        listed(_provider(server.base_url))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>", TransientError),
        (503, b'{"code": "50001", "msg": "maintenance", "data": []}', TransientError),
        (200, b'{"code": "50013", "msg": "busy", "data": []}', TransientError),
        (403, b"<html>", CredentialsError),
        (400, b'{"code": "51000", "msg": "Parameter after error", "data": []}', ResponseError),
        (400, b"<html>", ResponseError),
        (200, b'{"rows": []}', ResponseError),
        (200, b'{"code": "0", "data": {}}', ResponseError),
        (200, b"[]", ResponseError),
        (200, b"", ResponseError),
    ],
)
def test_each_failure_is_sorted_into_our_tree(status: int, body: bytes, kind: type[PaymentsPipelineError]) -> None:
    with conversation(lambda _path, _: (status, body)) as server, pytest.raises(kind):
        listed(_provider(server.base_url, http_max_attempts=1))


def assert_tells_no_secret(error: PaymentsPipelineError, sandbox: Sandbox) -> None:
    state = sandbox.state.okx
    for secret in (state.api_key, state.api_secret, state.passphrase, "wrong-credential"):
        assert secret not in str(error)


def _envelope(rows: list[Any]) -> bytes:
    return json.dumps({"code": "0", "msg": "", "data": rows}).encode()


def _provider(base_url: str, **changes: Any) -> OkxProvider:
    settings = load_settings(
        _env_file=None,
        okx_api_key="key-key-key",
        okx_api_secret="secret-secret",
        okx_api_passphrase="phrase-phrase",
        okx_api_base=base_url,
        **changes,
    )
    return OkxProvider(settings, lambda: WINDOW.end, sleep=Sleeps())

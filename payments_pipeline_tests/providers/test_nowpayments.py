"""NOWPayments over real HTTP: paging that loses nothing, tokens that run out, failures sorted rightly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    MalformedObjectError,
    ResponseError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Clock, Page, Window
from payments_pipeline.providers.nowpayments import NowPaymentsProvider
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.objects import nowpayments_payment
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.providers.conversation import conversation

START = datetime(2026, 10, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=30))
LIST = "/v1/payment/"


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


def provider_for(
    sandbox: Sandbox,
    *,
    clock: Clock = lambda: WINDOW.end,
    page_size: int = 500,
    sleep: Sleeps | None = None,
    **changes: Any,
) -> NowPaymentsProvider:
    return NowPaymentsProvider(
        settings_for(sandbox, **changes), clock, page_size=page_size, sleep=Sleeps() if sleep is None else sleep
    )


def add(sandbox: Sandbox, number: int, created: datetime, **changes: Any) -> str:
    payment_id = str(5_000_000_000 + number)
    payment = nowpayments_payment(
        payment_id, status="finished", price=Decimal("19.99"), price_currency="USD", pay_amount=Decimal("20.1"),
        actually_paid=Decimal("20.1"), order_id=str(number), address="TAddress", tx_hash="0xabc", created=created,
        updated=created,
    )  # fmt: skip
    with sandbox.state.lock:
        sandbox.state.nowpayments.payments[payment_id] = payment | changes
    return payment_id


def ids(provider: NowPaymentsProvider, pages: list[Page]) -> list[str]:
    return [provider.resources["payments"].object_id(obj) for page in pages for obj in page.objects]


def listed(provider: NowPaymentsProvider, window: Window = WINDOW) -> list[str]:
    return ids(provider, list(provider.resources["payments"].pages(window)))


def test_every_payment_is_listed_once_across_page_borders_and_tied_times(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n // 7)) for n in range(53)]
    assert sorted(listed(provider_for(sandbox, page_size=10))) == expected
    assert [r.query.split("page=")[1][0] for r in sandbox.requests if r.path == LIST] == list("012345")


def test_a_list_that_fills_its_last_page_exactly_ends(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(20)]
    assert listed(provider_for(sandbox, page_size=10)) == expected


def test_an_empty_list_is_one_empty_page(sandbox: Sandbox) -> None:
    assert [len(page.objects) for page in provider_for(sandbox).resources["payments"].pages(WINDOW)] == [0]


def test_the_window_begins_with_its_start_and_ends_before_its_end(sandbox: Sandbox) -> None:
    window = Window(START + timedelta(hours=12), START + timedelta(hours=36))
    add(sandbox, 0, window.start - timedelta(seconds=1))
    first = add(sandbox, 1, window.start)
    last = add(sandbox, 2, window.end - timedelta(seconds=1))
    add(sandbox, 3, window.end)
    assert listed(provider_for(sandbox), window) == [first, last]


def test_a_page_tells_when_its_call_began(sandbox: Sandbox) -> None:
    add(sandbox, 1, START)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    pages = list(provider_for(sandbox, clock=lambda: at).resources["payments"].pages(WINDOW))
    assert [page.read_at for page in pages] == [at]


def test_payments_made_while_the_list_is_read_push_nothing_out(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(30)]

    def drift(provider: str, path: str, page: int) -> None:
        if path == LIST and page == 2:  # one behind the pages read already, one in front of them
            add(sandbox, 100, START + timedelta(hours=100))
            add(sandbox, 101, START + timedelta(minutes=30))

    sandbox.faults.on_page = drift
    got = listed(provider_for(sandbox, page_size=10))
    assert sorted(got) == [*expected, "5000000100", "5000000101"]


def test_a_payment_that_vanishes_while_the_list_is_read_hides_no_other(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(30)]

    def drift(provider: str, path: str, page: int) -> None:
        if path == LIST and page == 2:
            with sandbox.state.lock:
                sandbox.state.nowpayments.payments.pop(expected[0], None)

    sandbox.faults.on_page = drift
    assert sorted(listed(provider_for(sandbox, page_size=10))) == expected


def test_a_list_shorter_than_its_own_total_is_an_error_and_not_an_end() -> None:
    rows = [{"payment_id": n, "created_at": "2026-10-05T00:00:00Z"} for n in range(3)]

    def script(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            return 200, b'{"token": "t"}'
        return 200, json.dumps({"data": [] if query["page"] != "0" else rows, "total": 4, "pagesCount": 1}).encode()

    with conversation(script) as server, pytest.raises(TransientError, match="changed while it was read"):
        listed(NowPaymentsProvider(_settings(server.base_url), lambda: START))


@pytest.mark.parametrize("pages", [{"pagesCount": 3}, {}])
def test_a_total_that_only_counts_the_page_never_ends_the_list_early(pages: dict[str, int]) -> None:
    stored = [{"payment_id": n, "created_at": "2026-10-05T00:00:00Z"} for n in range(25)]

    def script(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            return 200, b'{"token": "t"}'
        first = int(query["page"]) * 10
        page = stored[first : first + 10]
        return 200, json.dumps({"data": page, "total": len(page), **pages}).encode()

    with conversation(script) as server:
        provider = NowPaymentsProvider(_settings(server.base_url), lambda: START, page_size=10)
        if pages:
            assert len(listed(provider)) == 25
        else:  # nothing tells which is wrong
            with pytest.raises(TransientError, match="changed while it was read"):
                listed(provider)


def test_a_token_that_runs_out_in_mid_listing_is_renewed(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(30)]
    sandbox.faults.unauthorized("nowpayments", LIST, page=2)
    assert listed(provider_for(sandbox, page_size=10)) == expected
    assert sum(r.path == "/v1/auth" for r in sandbox.requests) == 2


def test_a_token_is_renewed_before_it_runs_out(sandbox: Sandbox) -> None:
    for n in range(30):
        add(sandbox, n, START + timedelta(hours=n))
    ticks = iter(range(1000))
    listed(provider_for(sandbox, page_size=10, clock=lambda: WINDOW.end + timedelta(minutes=2 * next(ticks))))
    assert all(r.status < 400 for r in sandbox.requests)
    assert sum(r.path == "/v1/auth" for r in sandbox.requests) > 1


def test_a_token_refused_twice_running_is_a_credentials_error(sandbox: Sandbox) -> None:
    for n in range(30):
        add(sandbox, n, START + timedelta(hours=n))
    sandbox.faults.unauthorized("nowpayments", LIST, page=2, times=None)
    with pytest.raises(CredentialsError):
        listed(provider_for(sandbox, page_size=10))
    assert sum(r.path == "/v1/auth" for r in sandbox.requests) == 2


@pytest.mark.parametrize("name", ["nowpayments_api_key", "nowpayments_email", "nowpayments_password"])
def test_a_wrong_key_or_log_in_is_refused_with_a_remedy_and_without_the_secret(sandbox: Sandbox, name: str) -> None:
    wrong: dict[str, Any] = {name: "wrong-secret@example.com"}
    with pytest.raises(CredentialsError) as caught:
        provider_for(sandbox, **wrong).identify()
    assert "NOWPAYMENTS_API_KEY" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
    assert sandbox.state.nowpayments.password not in str(caught.value)


def test_a_key_without_log_in_is_told_what_is_missing(sandbox: Sandbox) -> None:
    with pytest.raises(CredentialsError, match="NOWPAYMENTS_EMAIL"):
        provider_for(sandbox, nowpayments_email=None, nowpayments_password=None).identify()


def test_half_a_log_in_is_a_configuration_error(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="NOWPAYMENTS_PASSWORD"):
        provider_for(sandbox, nowpayments_password=None)


def test_the_account_is_a_fingerprint_that_is_stable_and_not_the_key(sandbox: Sandbox) -> None:
    account = provider_for(sandbox).identify()
    assert account == provider_for(sandbox).identify()
    assert account.account.startswith("np_")
    assert len(account.account) == len("np_") + 8
    assert account.livemode is True
    test_mode = NowPaymentsProvider(settings_for(sandbox), lambda: START, livemode=False)
    assert test_mode.identify().livemode is False


def test_a_new_key_of_the_same_login_is_the_same_account(sandbox: Sandbox) -> None:
    before = NowPaymentsProvider(settings_for(sandbox), lambda: START).identify()
    sandbox.state.nowpayments.api_key = "np-rotated-key"
    rotated = settings_for(sandbox).model_copy(update={"nowpayments_api_key": SecretStr("np-rotated-key")})
    assert NowPaymentsProvider(rotated, lambda: START).identify() == before


def test_another_account_than_the_expected_one_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(WrongAccountError, match="np_00000000"):
        NowPaymentsProvider(settings_for(sandbox), lambda: START, expected_account="np_00000000").identify()


def test_a_busy_provider_is_waited_for_as_long_as_it_asks(sandbox: Sandbox) -> None:
    expected = [add(sandbox, n, START + timedelta(hours=n)) for n in range(20)]
    sandbox.faults.rate_limit("nowpayments", LIST, page=2, retry_after=7)
    sandbox.faults.server_error("nowpayments", LIST, page=1)
    sleep = Sleeps()
    assert listed(provider_for(sandbox, page_size=10, sleep=sleep)) == expected
    assert len(sleep) == 2
    assert sleep[1] >= 7


def test_a_provider_that_stays_busy_is_a_transient_error(sandbox: Sandbox) -> None:
    sandbox.faults.rate_limit("nowpayments", LIST, times=None)
    with pytest.raises(TransientError, match="429"):
        listed(provider_for(sandbox, http_max_attempts=3))
    assert sum(r.path == LIST for r in sandbox.requests) == 3


def test_a_hanging_call_and_a_cut_body_are_tried_again(sandbox: Sandbox) -> None:
    expected = [add(sandbox, 1, START)]
    sandbox.faults.hang("nowpayments", LIST, seconds=1.0)
    sandbox.faults.cut_body("nowpayments", LIST)
    assert listed(provider_for(sandbox, http_timeout_seconds=0.3)) == expected


def test_half_a_json_text_for_ever_is_a_response_error(sandbox: Sandbox) -> None:
    add(sandbox, 1, START)
    sandbox.faults.invalid_json("nowpayments", LIST, times=None)
    with pytest.raises(ResponseError):
        listed(provider_for(sandbox, http_max_attempts=2))


def test_amounts_are_exact_from_the_wire_to_the_row(sandbox: Sandbox) -> None:
    exact = Decimal("0.1234567890123456789")
    add(sandbox, 1, START, price_amount=exact)
    payments = provider_for(sandbox).resources["payments"]
    (page,) = payments.pages(WINDOW)
    row = payments.row(page.objects[0])
    assert row[payments.spec.columns.index("price_amount")] == exact
    assert not any(isinstance(value, float) for value in (*row, *page.objects[0].values()))


def test_one_poisoned_payment_is_handed_over_for_rejection_and_the_rest_goes_on(sandbox: Sandbox) -> None:
    add(sandbox, 1, START, price_amount="a lot")
    add(sandbox, 2, START)
    payments = provider_for(sandbox).resources["payments"]
    (page,) = payments.pages(WINDOW)
    with pytest.raises(MalformedObjectError, match="price_amount"):
        payments.row(page.objects[0])
    assert payments.row(page.objects[1])[0] == "5000000002"


def test_one_payment_is_read_by_id(sandbox: Sandbox) -> None:
    payment_id = add(sandbox, 1, START)
    payments = provider_for(sandbox).resources["payments"]
    page = payments.read(payment_id)
    assert page is not None
    assert payments.row(page.objects[0])[0] == payment_id
    assert payments.read("5999999999") is None


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        (b'{"statusCode": 404, "code": "PAYMENT_NOT_FOUND", "message": "Payment not found"}', True),
        (b'{"status": false, "message": "Payment with id 5 was not found"}', True),
        (b'{"statusCode": 404, "code": "NOT_FOUND", "message": "Cannot GET /v1/payment/5"}', False),
        (b'{"message": "/v1/payment/5 not found"}', False),
        (b'{"message": "Not Found"}', False),
        (b"<html>payment not found</html>", False),
        (b"", False),
    ],
)
def test_only_the_gateways_own_words_mean_that_a_payment_is_gone(sandbox: Sandbox, body: bytes, gone: bool) -> None:
    with conversation(lambda _path, _query: (404, body)) as talk:
        payments = provider_for(sandbox, nowpayments_api_base=talk.base_url).resources["payments"]
        if gone:
            assert payments.read("5") is None
        else:
            with pytest.raises(ResponseError):
                payments.read("5")


def test_a_single_payment_is_told_as_its_list_tells_it_even_where_dates_are_whole_days() -> None:
    single = {"payment_id": "7", "created_at": "2026-10-05T10:00:00.123Z"}
    listed_as = {**single, "payment_id": 7, "parent_payment_id": 3, "origin_type": "REPEATED"}

    def script(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            return 200, b'{"token": "t"}'
        if path != LIST:
            return 200, json.dumps(single).encode()
        found = [listed_as] if query["dateFrom"][:10] <= "2026-10-05" < query["dateTo"][:10] else []
        return 200, json.dumps({"data": found, "total": len(found), "pagesCount": len(found)}).encode()

    with conversation(script) as server:
        page = NowPaymentsProvider(_settings(server.base_url), lambda: START).resources["payments"].read("7")
    assert page is not None
    assert page.objects == [listed_as]


def test_a_payment_that_goes_between_single_read_and_list_is_gone() -> None:
    single = json.dumps({"payment_id": "7", "created_at": "2026-10-05T10:00:00.123Z"}).encode()
    answers = [(200, single), (404, b'{"message": "Payment not found"}')]

    def script(path: str, _query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            return 200, b'{"token": "t"}'
        return (200, b'{"data": [], "total": 0, "pagesCount": 0}') if path == LIST else answers.pop(0)

    with conversation(script) as server:
        payments = NowPaymentsProvider(_settings(server.base_url), lambda: START).resources["payments"]
        assert payments.read("7") is None


def test_threads_that_read_side_by_side_share_a_new_token() -> None:
    living: list[str] = []
    now = {"at": START}

    def script(path: str, _query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            time.sleep(0.05)
            living.append(f"t{len(living)}")
            return 200, json.dumps({"token": living[-1]}).encode()
        return 200, b'{"data": [], "total": 0, "pagesCount": 0}'

    with conversation(script) as server:
        provider = NowPaymentsProvider(_settings(server.base_url), lambda: now["at"], sleep=Sleeps())
        provider.identify()
        now["at"] += timedelta(minutes=5)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: listed(provider), range(16))) == [[]] * 16
    assert len(living) == 2


def test_a_server_with_smaller_pages_and_without_totals_loses_nothing() -> None:
    stored = [{"payment_id": n, "created_at": "2026-10-05T00:00:00Z"} for n in range(9)]

    def script(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path == "/v1/auth":
            return 200, b'{"token": "t"}'
        page = int(query["page"])
        return 200, json.dumps({"data": stored[page * 4 : page * 4 + 4]}).encode()

    with conversation(script) as server:
        provider = NowPaymentsProvider(_settings(server.base_url), lambda: START)
        assert len(listed(provider)) == 9


@pytest.mark.parametrize("body", [b"[]", b'{"data": {}}', b'{"message": "hello"}', b"null"])
def test_what_is_no_list_of_payments_is_a_response_error(body: bytes) -> None:
    with conversation(lambda path, _: (200, b'{"token": "t"}' if path == "/v1/auth" else body)) as server:
        provider = NowPaymentsProvider(_settings(server.base_url), lambda: START)
        with pytest.raises(ResponseError, match="not a list of payments"):
            listed(provider)


def _settings(base_url: str) -> Settings:
    return load_settings(
        _env_file=None,
        nowpayments_api_key="key-key-key",
        nowpayments_email="finance@example.com",
        nowpayments_password="secret-secret",
        nowpayments_api_base=base_url,
    )

"""Scripted misbehaviour, page by page, as clients meet it; and how the sandbox itself starts and stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import ccxt
import pytest
import requests

from payments_pipeline.sandbox.failures import Fault, FaultPlan, RateLimit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.sandbox.provider_states import (
    START_SECONDS,
    card_payment,
    with_crypto_payments,
    with_deposits,
    with_intents,
)

KEY = {"Authorization": "Bearer sk_test_sandbox"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


def intents(
    sandbox: Sandbox, cursor: dict[str, str] | None = None, *, timeout: float = 5, **params: str
) -> requests.Response:
    return requests.get(
        f"{sandbox.stripe_base}/v1/payment_intents", params=params | (cursor or {}), headers=KEY, timeout=timeout
    )


def test_third_page_of_a_listing_fails_twice_then_works(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    fault = plan.server_error("stripe", "/v1/payment_intents", page=3, times=2)
    sandbox.load(with_intents(50), plan)
    statuses: list[int] = []
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = intents(sandbox, cursor)
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            continue
        ids += [intent["id"] for intent in answer.json()["data"]]
        if not answer.json()["has_more"]:
            break
        cursor = {"starting_after": ids[-1]}
    assert statuses == [200, 200, 500, 500, 200, 200, 200]
    assert (len(set(ids)), fault.fired) == (50, 2)


def test_page_faults_follow_nowpayments_page_numbers_and_okx_cursors(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.unauthorized("nowpayments", "/v1/payment/", page=2)
    plan.rate_limit("okx", "/api/v5/asset/deposit-history", page=2)
    state = with_crypto_payments(3)
    state.okx = with_deposits(6).okx
    sandbox.load(state, plan)
    merchant, base = state.nowpayments, f"{sandbox.nowpayments_base}/v1"
    token = requests.post(
        f"{base}/auth", json={"email": merchant.email, "password": merchant.password}, timeout=5
    ).json()["token"]
    headers = {"x-api-key": merchant.api_key, "Authorization": f"Bearer {token}"}
    statuses = [
        requests.get(f"{base}/payment/", params={"page": page}, headers=headers, timeout=5).status_code
        for page in (0, 1, 1)
    ]
    assert statuses == [200, 401, 200]
    exchange = ccxt.okx({"apiKey": state.okx.api_key, "secret": state.okx.api_secret, "password": state.okx.passphrase})
    exchange.urls["api"]["rest"] = sandbox.okx_base
    for listing in range(2):  # the second listing finds the fault used up
        after, codes = START_SECONDS * 1000 + 100, []
        for _ in range(3):
            try:
                page = exchange.private_get_asset_deposit_history({"after": str(after), "limit": "2"})["data"]
                after = int(page[-1]["ts"])
                codes.append("0")
            except ccxt.RateLimitExceeded:
                codes.append("50011")
        assert codes == (["0", "50011", "0"] if listing == 0 else ["0"] * 3)
    exchange.session.close()


def test_retry_after_is_told_when_asked_for(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.rate_limit("stripe", retry_after=3)
    plan.add(Fault("stripe", "lock_timeout"))
    sandbox.load(with_intents(1), plan)
    first, second, third = intents(sandbox), intents(sandbox), intents(sandbox)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "3")
    assert (second.status_code, second.json()["error"]["code"]) == (429, "lock_timeout")
    assert third.status_code == 200


def test_cut_body_breaks_the_connection_half_way(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.cut_body("stripe")
    sandbox.load(with_intents(10), plan)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        intents(sandbox)
    assert sandbox.requests[-1].status == 0
    assert intents(sandbox).status_code == 200


def test_invalid_json_and_empty_body_read_200(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.invalid_json("stripe")
    plan.add(Fault("stripe", "empty_body"))
    sandbox.load(with_intents(10), plan)
    for _ in range(2):
        answer = intents(sandbox)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()


def test_hang_runs_into_the_client_time_out(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.hang("stripe", seconds=0.5)
    sandbox.load(with_intents(1), plan)
    with pytest.raises(requests.exceptions.ReadTimeout):
        intents(sandbox, timeout=0.1)
    assert intents(sandbox).status_code == 200


def test_objects_can_be_created_while_a_client_is_paging(sandbox: Sandbox) -> None:
    state = with_crypto_payments(0)
    state.stripe = with_intents(15).stripe

    def newcomer(provider: str, path: str, page: int) -> None:
        if (provider, path, page) == ("stripe", "/v1/payment_intents", 2):
            intent, _ = card_payment(500, created=START_SECONDS + 500)
            state.stripe.payment_intents["pi_000500"] = intent

    sandbox.load(state, FaultPlan(on_page=newcomer))
    first = intents(sandbox).json()["data"]
    second = intents(sandbox, starting_after=first[-1]["id"]).json()["data"]
    assert len(first) + len(second) == 15
    assert intents(sandbox).json()["data"][0]["id"] == "pi_000500"


def test_late_arrival_with_an_older_creation_time_is_sorted_in(sandbox: Sandbox) -> None:
    state = with_intents(100)
    sandbox.load(state)
    intents(sandbox)
    state.stripe.payment_intents["pi_late"] = card_payment(0, created=START_SECONDS + 95)[0] | {"id": "pi_late"}
    del state.stripe.payment_intents["pi_000097"]
    ids = [intent["id"] for intent in intents(sandbox).json()["data"]]
    assert ids[:5] == ["pi_000099", "pi_000098", "pi_000096", "pi_late", "pi_000095"]


def test_limit_lets_through_what_fits_and_latency_is_added(sandbox: Sandbox) -> None:
    plan = FaultPlan(limits={"stripe": RateLimit(3, seconds=0.2)}, latency={"stripe": 0.02})
    sandbox.load(with_intents(1), plan)
    began = time.monotonic()
    statuses = [intents(sandbox).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert time.monotonic() - began >= 0.08
    time.sleep(0.2)
    assert intents(sandbox).status_code == 200


def test_concurrent_clients_see_whole_pages(sandbox: Sandbox) -> None:
    sandbox.load(with_intents(200))
    lengths: list[int] = []

    def read() -> None:
        lengths.extend(len(intents(sandbox, limit="100").json()["data"]) for _ in range(5))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [100] * 30


def test_sandbox_starts_fast_names_everything_in_its_environment_and_stops_while_a_call_hangs() -> None:
    plan = FaultPlan()
    plan.hang("okx")
    began = time.monotonic()
    with Sandbox(with_intents(1), plan) as sandbox:
        assert time.monotonic() - began < 1
        environment = sandbox.environment()
        assert environment["STRIPE_API_BASE"] == sandbox.stripe_base
        assert environment["DISCORD_WEBHOOK_URL"].startswith(f"{sandbox.discord_base}/webhooks/")
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.get(f"{sandbox.okx_base}/api/v5/public/time", timeout=0.1)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 1.5
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(sandbox.base_url, timeout=1)


def test_path_of_no_provider_is_404(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.base_url}/elsewhere", timeout=5).status_code == 404

"""The simulated NOWPayments, over plain HTTP as its clients speak it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.sandbox.provider_states import with_crypto_payments


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


def log_in(sandbox: Sandbox) -> dict[str, str]:
    merchant = sandbox.state.nowpayments
    answer = requests.post(
        f"{sandbox.nowpayments_base}/v1/auth",
        json={"email": merchant.email, "password": merchant.password},
        timeout=5,
    )
    assert answer.status_code == 200
    return {"x-api-key": merchant.api_key, "Authorization": f"Bearer {answer.json()['token']}"}


def listing(sandbox: Sandbox, headers: dict[str, str], **params: Any) -> requests.Response:
    return requests.get(f"{sandbox.nowpayments_base}/v1/payment/", params=params, headers=headers, timeout=5)


def test_pages_are_numbered_from_zero_and_oldest_first(sandbox: Sandbox) -> None:
    sandbox.load(with_crypto_payments(25))
    headers = log_in(sandbox)
    pages = [listing(sandbox, headers, limit=10, page=page).json() for page in range(4)]
    ids = [payment["payment_id"] for page in pages for payment in page["data"]]
    assert ids == [5_000_000_000 + number for number in range(25)]
    assert [len(page["data"]) for page in pages] == [10, 10, 5, 0]
    assert {name: pages[1][name] for name in ("limit", "page", "pagesCount", "total")} == {
        "limit": 10,
        "page": 1,
        "pagesCount": 3,
        "total": 25,
    }


def test_order_sort_and_dates(sandbox: Sandbox) -> None:
    state = with_crypto_payments(10)
    state.nowpayments.payments["5000000003"]["price_amount"] = 99
    sandbox.load(state)
    headers = log_in(sandbox)
    newest = listing(sandbox, headers, limit=2, orderBy="desc", page=1, sortBy="created_at").json()["data"]
    assert [payment["payment_id"] for payment in newest] == [5_000_000_007, 5_000_000_006]
    dearest = listing(sandbox, headers, limit=1, orderBy="desc", sortBy="price_amount").json()["data"]
    assert dearest[0]["payment_id"] == 5_000_000_003
    between = listing(sandbox, headers, dateFrom="2026-10-01T00:02:00.000Z", dateTo="2026-10-01T00:04:00.000Z").json()
    assert [payment["order_id"] for payment in between["data"]] == ["2", "3", "4"]
    assert listing(sandbox, headers, dateFrom="2026-10-02").json()["total"] == 0


def test_ids_are_numbers_in_the_list_and_text_on_the_single_payment(sandbox: Sandbox) -> None:
    sandbox.load(with_crypto_payments(1))
    headers = log_in(sandbox)
    listed = listing(sandbox, headers).json()["data"][0]
    single = requests.get(
        f"{sandbox.nowpayments_base}/v1/payment/5000000000",
        headers={"x-api-key": headers["x-api-key"]},
        timeout=5,
    ).json()
    assert (listed["payment_id"], listed["purchase_id"]) == (5_000_000_000, 4_944_856_743)
    assert (single["payment_id"], single["purchase_id"]) == ("5000000000", "4944856743")
    assert "parent_payment_id" in listed
    assert not {"parent_payment_id", "origin_type"} & set(single)
    assert listed["burning_percent"] == single["burning_percent"] == "null"


def test_decimal_amounts_keep_their_digits(sandbox: Sandbox) -> None:
    state = with_crypto_payments(1)
    state.nowpayments.payments["5000000000"]["actually_paid"] = Decimal("0.10000000000000000555")
    sandbox.load(state)
    answer = listing(sandbox, log_in(sandbox))
    assert answer.json(parse_float=Decimal)["data"][0]["actually_paid"] == Decimal("0.10000000000000000555")


def test_listing_needs_the_key_and_a_token_that_lives(sandbox: Sandbox) -> None:
    state = with_crypto_payments(1)
    state.nowpayments.token_seconds = 0.05
    sandbox.load(state)
    headers = log_in(sandbox)
    assert listing(sandbox, headers).status_code == 200
    no_key = listing(sandbox, {"Authorization": headers["Authorization"]})
    assert (no_key.status_code, no_key.json()["code"]) == (403, "INVALID_API_KEY")
    no_token = listing(sandbox, {"x-api-key": headers["x-api-key"]})
    assert (no_token.status_code, no_token.json()["code"]) == (401, "AUTH_REQUIRED")
    time.sleep(0.06)
    assert listing(sandbox, headers).status_code == 401
    forged = listing(sandbox, headers | {"Authorization": "Bearer a.b.c"})
    assert forged.status_code == 401


def test_wrong_password_and_missing_fields(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState())
    url = f"{sandbox.nowpayments_base}/v1/auth"
    wrong = requests.post(url, json={"email": "finance@example.com", "password": "guess"}, timeout=5)
    assert wrong.status_code == 401
    assert requests.post(url, data=b"not json", timeout=5).status_code == 400
    assert requests.get(f"{sandbox.nowpayments_base}/v1/status", timeout=5).json() == {"message": "OK"}


@pytest.mark.parametrize(
    "params",
    [{"limit": "501"}, {"limit": "0"}, {"page": "-1"}, {"orderBy": "up"}, {"sortBy": "x"}, {"dateFrom": "soon"}],
)
def test_bad_parameters_are_400(sandbox: Sandbox, params: dict[str, str]) -> None:
    sandbox.load(with_crypto_payments(1))
    answer = listing(sandbox, log_in(sandbox), **params)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST_PARAMS")


def test_unknown_payment_is_404(sandbox: Sandbox) -> None:
    sandbox.load(with_crypto_payments(1))
    answer = requests.get(
        f"{sandbox.nowpayments_base}/v1/payment/1", headers={"x-api-key": "np-sandbox-key"}, timeout=5
    )
    assert (answer.status_code, answer.json()["statusCode"]) == (404, 404)

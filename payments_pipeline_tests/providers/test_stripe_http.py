"""Stripe over a line of our own: proxies of the environment are used, redirects and bad lines are not trusted."""

from __future__ import annotations

import gzip
import socket

import pytest

from payments_pipeline.errors import ResponseError, TransientError
from payments_pipeline.providers.stripe_calls import StripeCalls
from payments_pipeline_tests.providers.conversation import conversation

ACCOUNT = b'{"id":"acct_1","object":"account"}'


def calls(base: str) -> StripeCalls:
    return StripeCalls("sk_test_1", base, timeout=5.0, max_attempts=1, sleep=lambda _seconds: None)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with conversation(lambda _path, _query: (200, ACCOUNT)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        assert calls("http://stripe.example.com").get("/v1/account")["id"] == "acct_1"
    assert proxy.asked[0][2]["host"] == "stripe.example.com"


def test_a_host_that_needs_no_proxy_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with conversation(lambda _path, _query: (200, ACCOUNT)) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert calls(server.base_url).get("/v1/account")["id"] == "acct_1"
    (asked,) = server.asked
    assert asked[2]["authorization"] == "Bearer sk_test_1"


def test_a_compressed_answer_is_read() -> None:
    headers = {"Content-Encoding": "gzip"}
    with conversation(lambda _path, _query: (200, gzip.compress(ACCOUNT)), headers) as server:
        assert calls(server.base_url).get("/v1/account")["id"] == "acct_1"
    assert "gzip" in server.asked[0][2]["accept-encoding"]


def test_the_key_follows_no_redirect() -> None:
    with conversation(lambda _path, _query: (200, ACCOUNT)) as elsewhere:
        there = f"{elsewhere.base_url}/v1/account".encode()
        with conversation(lambda _path, _query: (302, there)) as server, pytest.raises(ResponseError, match="302"):
            calls(server.base_url).get("/v1/account")
    assert elsewhere.asked == []


def test_a_server_that_is_not_there_is_a_transient_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransientError, match="No answer from Stripe"):
        calls(f"http://127.0.0.1:{port}").get("/v1/account")

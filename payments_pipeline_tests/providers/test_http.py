"""Retries, sorting of failures and exact JSON, against a hand-written server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    PaymentsPipelineError,
    ResponseError,
    TransientError,
)
from payments_pipeline.providers.http import HttpClient, retry_after

Script = list[tuple[int, dict[str, str], bytes]]


class Server:
    """Answers from `script`, the last entry for ever; counts what was asked."""

    def __init__(self) -> None:
        self.script: Script = []
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = outer.script[min(outer.asked, len(outer.script) - 1)]
                outer.asked += 1
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(server: Server, pauses: list[float]) -> Iterator[HttpClient]:
    with requests.Session() as session:
        yield HttpClient(
            server.base, system="acme", timeout=2, max_attempts=3, sleep=pauses.append, session=session,
            key_hint="ACME_KEY",
        )  # fmt: skip


def test_numbers_arrive_exactly(server: Server, client: HttpClient) -> None:
    server.script = [(200, {}, b'{"amount": 0.1, "count": 3, "tiny": 1e-8}')]
    assert client.request("GET", "/x") == {"amount": Decimal("0.1"), "count": 3, "tiny": Decimal("1e-8")}


def test_retry_after_is_waited_for(server: Server, client: HttpClient, pauses: list[float]) -> None:
    server.script = [(429, {"Retry-After": "7"}, b"{}"), (200, {}, b"[]")]
    assert client.request("GET", "/x") == []
    assert pauses == [7.0]


def test_429_without_retry_after_backs_off_longer_each_time(
    server: Server, client: HttpClient, pauses: list[float]
) -> None:
    server.script = [(429, {}, b"{}"), (429, {}, b"{}"), (200, {}, b"[]")]
    client.request("GET", "/x")
    assert len(pauses) == 2
    assert 0.5 <= pauses[0] <= 1.0 <= pauses[1] <= 1.5


def test_server_error_is_tried_a_bounded_number_of_times(server: Server, client: HttpClient) -> None:
    server.script = [(503, {"Retry-After": "2"}, b"<html>down</html>")]
    with pytest.raises(TransientError, match=r"503.*acme GET /x") as caught:
        client.request("GET", "/x")
    assert server.asked == 3
    assert caught.value.retry_after == 2


def test_retry_after_beyond_our_patience_is_not_waited_for(
    server: Server, client: HttpClient, pauses: list[float]
) -> None:
    server.script = [(429, {"Retry-After": "3600"}, b"{}")]
    with pytest.raises(TransientError):
        client.request("GET", "/x")
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialsError),
        (403, CredentialsError),
        (404, NotFoundError),
        (400, ResponseError),
        (422, ResponseError),
    ],
)
def test_a_permanent_refusal_is_not_repeated(
    server: Server, client: HttpClient, status: int, error: type[PaymentsPipelineError]
) -> None:
    server.script = [(status, {}, b'{"message": "no"}')]
    with pytest.raises(error, match="no"):
        client.request("GET", "/x")
    assert server.asked == 1


def test_half_a_body_is_read_again(server: Server, client: HttpClient) -> None:
    server.script = [(200, {"Content-Length": "100"}, b'{"half":'), (200, {}, b'{"whole": true}')]
    assert client.request("GET", "/x") == {"whole": True}


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"", b'{"a": NaN}', b"[" * 100_000])
def test_an_answer_that_stays_unreadable_is_an_error_not_an_empty_list(
    server: Server, client: HttpClient, body: bytes
) -> None:
    server.script = [(200, {}, body)]
    with pytest.raises(ResponseError, match="not JSON"):
        client.request("GET", "/x")
    assert server.asked == 3


def test_a_secret_echoed_by_the_server_does_not_reach_the_message(server: Server, client: HttpClient) -> None:
    server.script = [(401, {}, b'{"message": "key k-secret-1 and tok-secret-2 unknown"}')]
    headers = {"x-api-key": "k-secret-1", "Authorization": "Bearer tok-secret-2"}
    with pytest.raises(CredentialsError) as caught:
        client.request("GET", "/x", headers=headers)
    assert "secret" not in str(caught.value)
    assert "ACME_KEY" in str(caught.value)


def test_a_key_is_never_carried_to_another_host(server: Server, client: HttpClient) -> None:
    server.script = [(302, {"Location": "http://localhost:9/steal"}, b"")]
    with pytest.raises(ResponseError, match="redirects"):
        client.request("GET", "/x", headers={"x-api-key": "k-secret-1"})


def test_a_redirect_on_the_same_host_is_followed(server: Server, client: HttpClient) -> None:
    server.script = [(307, {"Location": "/x/"}, b""), (200, {}, b"[1]")]
    assert client.request("GET", "/x") == [1]


def test_nobody_listening_is_transient() -> None:
    with requests.Session() as session, pytest.raises(TransientError, match="No answer"):
        HttpClient("http://127.0.0.1:9", system="acme", max_attempts=1, session=session).request("GET", "/x")


def test_a_base_address_that_is_none_is_a_matter_of_configuration() -> None:
    with requests.Session() as session, pytest.raises(ConfigurationError):
        HttpClient("acme.example.com", system="acme", session=session).request("GET", "/x")


def test_retry_after_as_a_date_counts_from_the_answers_own_date() -> None:
    headers = {"Retry-After": "Sun, 01 Nov 2026 12:00:30 GMT", "Date": "Sun, 01 Nov 2026 12:00:00 GMT"}
    assert retry_after(headers) == 30
    assert retry_after({"Retry-After": "soon"}) is None

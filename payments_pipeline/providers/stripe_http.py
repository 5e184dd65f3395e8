"""The HTTP client inside Stripe's official one: the same requests, with less work around each.

Belongs here: sessions, proxies, reading a body. Does not belong here: what a call means (stripe_calls.py).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
import urllib3
from requests.adapters import HTTPAdapter

CONNECTIONS = 32
"""Kept open to one host; more are opened when needed and closed again."""
ACCEPTED = urllib3.make_headers(accept_encoding="gzip,deflate")


class BodyKeeper(stripe.RequestsClient):
    """Keeps successful bodies for us and shows the library an empty object.

    The library would parse every body into OrderedDicts with the standard json module, which costs several times the
    request itself on a fast line; a custom HTTP client is its documented way in. Errors stay the library's.

    Args:
        timeout: seconds to connect, and seconds of silence while reading.
    """

    def __init__(self, timeout: float) -> None:
        session = _Session()
        super().__init__(timeout=timeout, session=session)
        self._kept = threading.local()
        self._lines = _Lines(session)
        self._seconds = urllib3.Timeout(connect=timeout, read=timeout)

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            pool = self._lines.without_proxy(url) if method.lower() == "get" else None
            content, status, answer_headers = (
                _streamed(self, method, url, headers, post_data) if pool is None else self._direct(pool, url, headers)
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise stripe.APIConnectionError("The answer broke off.") from error  # type: ignore[no-untyped-call]
        self._kept.date = answer_headers.get("Date")
        if not 200 <= status < 300:  # noqa: PLR2004
            return content, status, answer_headers
        self._kept.body = content
        return b"{}", status, answer_headers

    def _direct(
        self, pool: urllib3.HTTPConnectionPool, url: str, headers: Mapping[str, str] | None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        answer = pool.urlopen(
            "GET",
            f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
            headers={**ACCEPTED, **(headers or {})},
            timeout=self._seconds,
            retries=False,
            redirect=False,
        )
        return answer.data, answer.status, answer.headers

    @property
    def date(self) -> str | None:
        """The Date of this thread's last answer."""
        return getattr(self._kept, "date", None)

    def take(self) -> bytes:
        """The body of this thread's last successful request."""
        body: bytes = self._kept.body
        return body


def _streamed(
    client: stripe.RequestsClient, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
) -> tuple[bytes, int, Mapping[str, str]]:
    raw, status, answer_headers = client.request_stream(method, url, headers, post_data)
    try:
        # In one piece: requests would read it 10 KB at a time, which costs more than the transfer.
        return raw.read(decode_content=True), status, answer_headers
    finally:
        raw.release_conn()


class _Lines:
    """Connections without `requests`, which takes longer to prepare a request than a fast line takes to answer it."""

    def __init__(self, session: _Session) -> None:
        self._session = session
        self._pools: dict[tuple[str, str], urllib3.HTTPConnectionPool | None] = {}

    def without_proxy(self, url: str) -> urllib3.HTTPConnectionPool | None:
        """Where the environment names no proxy for this host; None: it does, and `requests` knows how."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        if place not in self._pools:
            given = self._session.merge_environment_settings(url, {}, True, stripe.ca_bundle_path, None)
            plain = not requests.utils.select_proxy(url, given["proxies"])
            # One host's own pool: the manager around it would take the address apart four times for each call.
            self._pools[place] = (
                urllib3.PoolManager(num_pools=4, maxsize=CONNECTIONS, ca_certs=given["verify"]).connection_from_url(url)
                if plain
                else None
            )
        return self._pools[place]


class _Session(requests.Session):
    """One for all threads, so that connections are reused whichever thread asks next.

    Proxies and certificates are taken from the environment once for each host, not at each call, and ~/.netrc never:
    an entry there would replace the key.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = _as_it_is
        self._environment: dict[tuple[str, str], dict[str, Any]] = {}
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """See `requests.Session`; the client always passes the same arguments."""
        parts = urlsplit(str(url))
        place = (parts.scheme, parts.netloc)
        if place not in self._environment:
            self._environment[place] = dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        return {**self._environment[place], "proxies": dict(self._environment[place]["proxies"])}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request

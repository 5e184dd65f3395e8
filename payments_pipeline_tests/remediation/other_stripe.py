"""A small server that speaks Stripe's API as others do: few fields, other errors, pages of proxies in between.

Belongs here: one intent, and answers a test puts in place of the ordinary ones. Does not belong here: what Stripe
itself does (the sandbox).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ACCOUNT = "acct_other"
Answer = tuple[int, object]
"""Status and body; a text is sent as a page of HTML."""


def refusal(status: int, code: str | None = None, kind: str = "invalid_request_error") -> Answer:
    """An error as Stripe words it, with or without a code."""
    return status, {"error": {"type": kind, "message": f"Told {code or kind}."} | ({"code": code} if code else {})}


@dataclass
class OtherStripe:
    """Attributes:
    intent: the only payment. reads, writes: answers used up one by one before the ordinary ones; None: ordinary.
    deaf: a POST in `writes` takes effect all the same.
    keys: idempotency keys of all POSTs. captured: minor units, one a capture.
    """

    intent: dict[str, Any] = field(default_factory=dict)
    reads: list[Answer | None] = field(default_factory=list)
    writes: list[Answer | None] = field(default_factory=list)
    deaf: bool = False
    keys: list[str] = field(default_factory=list)
    captured: list[int] = field(default_factory=list)
    base: str = ""

    def forget(self, intent: dict[str, Any]) -> None:
        """Another payment; nothing was asked for yet."""
        self.intent, self.deaf = intent, False
        self.reads, self.writes, self.keys, self.captured = [], [], [], []

    def get(self, path: str) -> Answer:
        if path == "/v1/account":
            return 404, "404: Not Found"
        if path.startswith("/v1/payment_intents/"):
            told = self.reads.pop(0) if self.reads else None
            return told or (200, self.intent)
        if path == "/v1/charges/ch_other":
            return 200, {"id": "ch_other", "amount_captured": sum(self.captured), "amount_refunded": 0}
        if path == "/v1/refunds":
            return 200, {"object": "list", "data": [], "has_more": False}
        return 404, {"error": {"type": "invalid_request_error", "message": "Not Found"}}

    def post(self, path: str, form: dict[str, str], key: str) -> Answer:
        self.keys.append(key)
        told = self.writes.pop(0) if self.writes else None
        if path.endswith("/capture") and (told is None or self.deaf):
            self.captured.append(int(form["amount_to_capture"]))
            known = {"amount_received": self.captured[-1]} if "amount_received" in self.intent else {}
            self.intent = self.intent | {"status": "succeeded"} | known
        return told or (200, self.intent)


@contextmanager
def other_stripe() -> Iterator[OtherStripe]:
    """The server, on loopback."""
    stripe = OtherStripe()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(stripe.get(urlsplit(self.path).path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._say(stripe.post(self.path, dict(parse_qsl(body)), self.headers["Idempotency-Key"]))

        def _say(self, answer: Answer) -> None:
            status, told = answer
            body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(told, str) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stripe.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield stripe
        server.shutdown()
        thread.join()

"""localstripe, a stateful server of other people's that speaks Stripe's API, as a process of its own on loopback.

Belongs here: starting it, asking it for what a test needs. Does not belong here: assertions. It is a development
dependency (GPL-3.0-or-later) and only ever run beside the tests, never imported by them.
Source: https://github.com/adrienverge/localstripe.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import requests

KEY = "sk_test_localstripe"
LAUNCH = """
import socket
from aiohttp import web
from localstripe import resources, server
type(resources.store).dump_to_disk = lambda store: None
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
web.run_app(server.app, sock=listening, print=None, access_log=None)
"""
"""Its own command listens on every address and keeps its objects in a file that all users of a machine share."""


class LocalStripe:
    """Attributes: base: its address."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {KEY}"

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Ask for a change; the object that came of it."""
        answer = self._session.post(f"{self.base}/v1/{path}", data=flat(fields), timeout=5)
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """An object, or a list of them."""
        answer = self._session.get(f"{self.base}/v1/{path}", timeout=5)
        answer.raise_for_status()
        return dict(answer.json())

    def hold(self, amount: int = 8000) -> str:
        """A card's hold; the intent's id."""
        return str(self.pay(amount, capture_method="manual")["id"])

    def pay(self, amount: int = 8000, **fields: Any) -> dict[str, Any]:
        """A payment by card."""
        whole = {"amount": amount, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
        return self.post("payment_intents", **(whole | fields))


def flat(fields: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """As forms write what is nested: ``card[number]``."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        key = f"{within}[{name}]" if within else name
        found |= flat(value, key) if isinstance(value, Mapping) else {key: str(value)}
    return found


@contextmanager
def localstripe() -> Iterator[LocalStripe]:
    """The server; the test is skipped where it is not installed."""
    if importlib.util.find_spec("localstripe") is None:
        pytest.skip("localstripe is not installed: pip install -c constraints.txt -e '.[dev]'")
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", LAUNCH], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "localstripe did not start"
        stripe = LocalStripe(f"http://127.0.0.1:{port}")
        yield stripe
        stripe._session.close()
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()

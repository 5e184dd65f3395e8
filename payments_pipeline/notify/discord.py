"""Discord over its webhook: one HTTP call a message, no waiting, no retry (the outbox does both).

Belongs here: the call, and what each answer means. Does not belong here: how a message looks (render.py) or when it is
sent again (outbox.py). Why not discord.py's `SyncWebhook`: its base address is a class attribute for the whole process
(no proxy for one webhook), its calls have no time-out, it sleeps as long as Discord says and up to five times inside
the call, and it logs the address with the token. Webhooks know no idempotency: they ignore `nonce`/`enforce_nonce`
(discord-api-docs pull request 6647) and can't list their messages. So a message is shown in two steps: a headline keeps
its place, then an edit, which may be repeated, says what it is about (docs/decisions/0012-discord-in-two-steps.md).
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from importlib.metadata import version
from typing import Any

import requests

from payments_pipeline.errors import (
    ChannelGoneError,
    ConfigurationError,
    MessageGoneError,
    PermanentError,
    TransientError,
    UnclearOutcomeError,
)
from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.render import headline, render

UNKNOWN_MESSAGE = 10008  # Discord's JSON error code; a 404 without it means that the webhook itself is gone
_LONGEST_WAIT = 3600.0  # seconds; no header silences the channel for longer
DEFAULT_WAIT = 5.0  # seconds, for a 429 that does not say how long
_WEBHOOK = re.compile(r"(?P<base>https?://[^?#]+?)?/webhooks/(?P<id>[^/?#]+)/(?P<token>[^/?#]+)/?(?P<query>\?[^#]*)?")
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_ID = re.compile(r'\s*:\s*"(\d{1,20})"')
_CHECK_BASE = "Check DISCORD_WEBHOOK_URL and DISCORD_API_BASE."
_REPLACE = "Create a new webhook in the channel's settings and set DISCORD_WEBHOOK_URL."


class _Redact(logging.Filter):
    """urllib3 logs each path at DEBUG; the token in it is a password."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "/webhooks/" in text:
            record.msg, record.args = re.sub(r"(/webhooks/[^/\s]+/)[^/?\s\"']+", r"\1[token]", text), ()
        return True


_REDACT = _Redact()


def webhook_address(webhook_url: str, api_base: str | None) -> str:
    """Where a webhook is called: the address itself, or, for a proxy, its end below `api_base`; a secret.

    Raises:
        ConfigurationError: the address is not a webhook's.
    """
    match = _WEBHOOK.fullmatch(webhook_url.strip())
    base = (api_base or (match and match["base"]) or "").rstrip("/")
    if match is None or not base:
        raise ConfigurationError(
            "The Discord webhook address is malformed.",
            where="DISCORD_WEBHOOK_URL",
            remedy="Copy it from the channel's settings: https://discord.com/api/webhooks/<id>/<token>.",
        )
    return f"{base}/webhooks/{match['id']}/{match['token']}"


class DiscordChannel:
    """One Discord webhook.

    Args:
        webhook_url: as Discord's settings show it; a secret. ``?thread_id=`` is honoured.
        api_base: replaces everything before ``/webhooks/``, e.g. for a proxy.
        timeout: seconds to connect, and seconds between bytes of the answer.
        personal: show e-mail addresses.

    Raises:
        ConfigurationError: the address is not a webhook's.
    """

    def __init__(
        self, webhook_url: str, api_base: str | None = None, *, timeout: float = 20.0, personal: bool = False
    ) -> None:
        self._address = webhook_address(webhook_url, api_base)
        match = _WEBHOOK.fullmatch(webhook_url.strip())
        assert match is not None  # noqa: S101  (webhook_address looked)
        self._thread = dict(part.split("=", 1) for part in (match["query"] or "")[1:].split("&") if "=" in part)
        self._name = f"discord webhook {match['id']}"
        self._timeout = timeout
        self._personal = personal
        self._not_before: dict[str, float] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"payments-pipeline/{version('payments-pipeline')}"
        logging.getLogger("urllib3.connectionpool").addFilter(_REDACT)  # adding it twice changes nothing

    def __repr__(self) -> str:
        return f"DiscordChannel({self._name})"

    @property
    def edits(self) -> bool:
        return True

    def send(self, message: Message) -> str | None:
        """Post a whole message in one step; see `Channel.send`."""
        return self._posted(message, render(message, personal=self._personal))

    def reserve(self, message: Message) -> str:
        """Post the headline; see `PlacedChannel.reserve`."""
        identifier = self._posted(message, headline(message, personal=self._personal))
        if identifier is None:
            raise UnclearOutcomeError("Discord's answer was cut.", where=self._name, remedy="It is tried again.")
        return identifier

    def edit(self, message_id: str, message: Message) -> None:
        """Replace what a message shows; see `Channel.edit`."""
        payload = render(message, personal=self._personal)
        answer = self._call("PATCH", f"/messages/{message_id}", f"notification {message.notification_id}", payload)
        if answer.get("id") != message_id:  # whoever says 200 without showing the message may not have changed it
            raise UnclearOutcomeError(
                "Discord's answer does not show the message.", where=self._name, remedy="It is edited again."
            )

    def discard(self, message_id: str) -> None:
        """Remove a message; see `PlacedChannel.discard`."""
        try:
            self._call("DELETE", f"/messages/{message_id}", f"message {message_id}", None)
        except MessageGoneError:
            return

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def _posted(self, message: Message, payload: dict[str, Any]) -> str | None:
        answer = self._call("POST", "", f"notification {message.notification_id}", payload, wait="true")
        identifier = answer.get("id")
        return str(identifier) if identifier else None

    def _call(self, method: str, path: str, what: str, payload: dict[str, Any] | None, **query: str) -> dict[str, Any]:
        where = f"{self._name} {method} {what}"
        wait = self._not_before.get(method, 0.0) - time.monotonic()
        if wait > 0:
            raise TransientError("Discord's rate limit is used up for now.", where=where, retry_after=wait)
        thread = {key: value for key, value in self._thread.items() if key == "thread_id"}
        try:
            response = self._session.request(
                method,
                self._address + path,
                params=query | thread,
                json=payload,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
        # `from None` throughout: the library's error carries the address, and with it the token.
        except requests.ConnectTimeout:
            raise TransientError("Discord could not be reached in time.", where=where) from None
        except requests.RequestException as error:
            raise UnclearOutcomeError(
                f"Discord did not answer: {type(error).__name__}.", where=where, remedy="It is tried again."
            ) from None
        with response:
            answer = _body(response)
            self._obey(method, response)
        _judge(response, answer, where)
        return answer

    def _obey(self, method: str, response: requests.Response) -> None:
        """Posting and editing have limits of their own ("per-route", Discord's rate limit documentation)."""
        if response.headers.get("X-RateLimit-Remaining") == "0":
            reset = _seconds(response.headers.get("X-RateLimit-Reset-After")) or 0.0
            self._not_before[method] = time.monotonic() + reset


def _body(response: requests.Response) -> dict[str, Any]:
    """The answer's JSON object; of one that was cut, its id, if it came as far; the status tells if Discord took it."""
    read = bytearray()
    try:
        for piece in response.iter_content(64):  # small: of a cut answer a piece that is not whole is lost
            read += piece
        answer = json.loads(read)
    except (requests.RequestException, ValueError):
        identifier = _own_id(read.decode("utf-8", "replace"))
        return {"id": identifier} if identifier else {}
    return answer if isinstance(answer, dict) else {}


def _own_id(text: str) -> str | None:
    """The id on the first level of a JSON object that may have no end; ids of parts of it do not count."""
    depth = 0
    for token in _NESTING.finditer(text):
        if token.group() in "{[":
            depth += 1
        elif token.group() in "}]":
            depth -= 1
        elif depth == 1 and token.group() == '"id"' and (value := _ID.match(text, token.end())):
            return value.group(1)
    return None


def _judge(response: requests.Response, answer: dict[str, Any], where: str) -> None:
    status = response.status_code
    if status < requests.codes.multiple_choices:
        if answer or not response.headers.get("Content-Type", "application/json").startswith("text/"):
            return
        raise UnclearOutcomeError("Something that is not Discord answered.", where=where, remedy=_CHECK_BASE)
    detail = f"Discord answered {status}"
    if status == requests.codes.too_many_requests:
        asked = _seconds(answer.get("retry_after"))
        asked = _seconds(response.headers.get("Retry-After")) if asked is None else asked
        raise TransientError(f"{detail}.", where=where, retry_after=DEFAULT_WAIT if asked is None else asked)
    if status >= requests.codes.internal_server_error or status == requests.codes.request_timeout:
        raise TransientError(f"{detail}.", where=where, remedy="It is tried again.")
    if status == requests.codes.not_found:
        if answer.get("code") == UNKNOWN_MESSAGE:
            raise MessageGoneError(f"{detail}: the message was removed.", where=where)
        raise ChannelGoneError(f"{detail}: the webhook is gone.", where=where, remedy=_REPLACE)
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        raise ChannelGoneError(f"{detail}: the webhook is refused.", where=where, remedy=_REPLACE)
    if status < requests.codes.bad_request or status == requests.codes.method_not_allowed:
        raise ChannelGoneError(f"{detail}: this is not a webhook.", where=where, remedy=_CHECK_BASE)
    raise PermanentError(f"{detail}: {str(answer)[:300]}.", where=where, remedy="Report this as a bug of rendering.")


def _seconds(value: object) -> float | None:
    """A number of seconds, from 0 to an hour; None when there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):  # JSON knows whole numbers that no float holds
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None

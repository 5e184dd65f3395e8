"""Any service that Apprise knows: mail, Slack, Teams, PagerDuty, webhooks and a hundred more, by its address.

Belongs here: one call, and what its failure means. Does not belong here: how a message reads (plain.py) or when it is
sent again (outbox.py). Apprise says only whether it worked; why not is read off its log. Most of these services can't
change a message, so each change is a new one. Where the service knows idempotency it is used: PagerDuty gets the
thread as `dedup_key`, so that the alert and its end are one incident; webhooks (`json://`, `xml://`, `form://`) get the
header `Idempotency-Key`, which is the same at every attempt.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import apprise
from apprise import conversion

from payments_pipeline.errors import ChannelGoneError, ConfigurationError, TransientError
from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.content import is_over
from payments_pipeline.notify.plain import plain
from payments_pipeline.notify.text import defused

_STATUS = re.compile(r"error=(\d{3})")
_GONE = frozenset({401, 403, 404, 405, 410})
_TOO_MANY = 429
_convert: Callable[..., str] = conversion.convert_between  # which has no types
_TEXT = apprise.NotifyFormat.TEXT
_WAIT = 30.0  # seconds after a 429: Apprise does not pass Retry-After on


class _Heard(logging.Handler):
    """Apprise's complaints of this thread, in the order in which they came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


class AppriseChannel:
    """One service by its Apprise address.

    Args:
        name: what the channel is called in the outbox and in messages.
        url: Apprise's address of the service, e.g. ``mailto://…`` or ``pagerduty://…``; a secret.
        timeout: seconds to connect, and seconds between bytes of the answer.
        personal: show personal data.

    Raises:
        ConfigurationError: Apprise can't read the address.
    """

    def __init__(self, name: str, url: str, *, timeout: float = 20.0, personal: bool = False) -> None:
        self._name = name
        self._url = url
        self._timeout = timeout
        self._personal = personal
        self._asset = apprise.AppriseAsset(
            app_id="payments_pipeline", app_desc="payments_pipeline alerts", app_url="", async_mode=False,
            secure_logging=True,
        )  # fmt: skip
        self._service()

    def __repr__(self) -> str:
        return f"AppriseChannel({self._name})"

    @property
    def edits(self) -> bool:
        return False

    def send(self, message: Message) -> str | None:
        """Tell it; see `Channel.send`. Apprise gives no id."""
        service = self._service()
        self._identify(service, message)
        title, body, form = _told(service, *plain(message, personal=self._personal))
        heard, logger = _Heard(), logging.getLogger("apprise")
        logger.addHandler(heard)
        try:
            accepted = service.notify(title=title, body=body, notify_type=_kind(message), body_format=form)
        finally:
            logger.removeHandler(heard)
        if not accepted:
            raise self._failure(message, heard.lines)
        return None

    def edit(self, message_id: str, message: Message) -> None:  # noqa: ARG002  (there is nothing to edit)
        """These services can't change what was sent: the change is told."""
        self.send(message)

    def _service(self) -> Any:
        """Apprise's object for one call: it may be changed for this message."""
        service = apprise.Apprise.instantiate(self._url, asset=self._asset, suppress_exceptions=True)
        if service is None:
            raise ConfigurationError(
                f"Apprise can't read the address of channel {self._name}.",
                where="ALERT_CHANNELS",
                remedy="Compare it with Apprise's page of that service; try it with the apprise command.",
            )
        service.socket_connect_timeout = service.socket_read_timeout = self._timeout
        return service

    def _identify(self, service: Any, message: Message) -> None:
        if getattr(service, "secure_protocol", None) == "pagerduty":
            service.action = "map"
            service.dedup = service.dedup or f"payments_pipeline:{message.thread or message.key}"
        elif isinstance(getattr(service, "headers", None), dict) and message.key:
            service.headers.setdefault("Idempotency-Key", f"payments_pipeline:{message.key}")

    def _failure(self, message: Message, lines: list[str]) -> TransientError | ChannelGoneError:
        where = f"channel {self._name}, notification {message.notification_id}"
        status = next((int(match.group(1)) for line in lines if (match := _STATUS.search(line))), None)
        what = f"The service answered {status}." if status else "The service could not be told."
        if status in _GONE:
            return ChannelGoneError(what, where=where, remedy="Correct its address in ALERT_CHANNELS.")
        wait = _WAIT if status == _TOO_MANY else None
        return TransientError(what, where=where, remedy="It is tried again.", retry_after=wait)


def _told(service: Any, title: str, body: str) -> tuple[str, str, apprise.NotifyFormat]:
    """Title, body and their format as this service takes them: what a message quotes is no markup and calls nobody.

    Converted here as Apprise does for many services at once: asked singly, not all of them convert (Telegram).
    """
    form = service.resolve_format(_TEXT)
    title, body = defused(title), _convert(_TEXT, form, defused(body))
    if service.title_maxlen <= 0:  # the title becomes a part of the body
        title = _convert(_TEXT, form, title)
    return title, body, form


def _kind(message: Message) -> apprise.NotifyType:
    """What the service colours it by; good news also ends a PagerDuty incident."""
    if is_over(message):
        return apprise.NotifyType.SUCCESS
    if message.kind == "summary":
        return apprise.NotifyType.INFO
    return apprise.NotifyType.FAILURE if message.severity in {"CRITICAL", "HIGH"} else apprise.NotifyType.WARNING

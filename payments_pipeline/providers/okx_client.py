"""Calls to OKX through ccxt: set-up, time-outs, retries, and ccxt's errors as ours.

Belongs here: everything that knows ccxt. Does not belong here: which calls are made (okx.py). ccxt takes seconds to
import, so it is imported when the first call is made, never with this module.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from payments_pipeline.errors import (
    CredentialsError,
    NotFoundError,
    PaymentsPipelineError,
    PermanentError,
    ResponseError,
    TransientError,
)
from payments_pipeline.providers.http import (
    TOO_MANY,
    Sleep,
    UnreadableAnswerError,
    failure,
    redact,
    retry_after,
    retrying,
)
from payments_pipeline.providers.limiter import RateLimiter

KEY_HINT = "OKX_API_KEY, OKX_API_SECRET and OKX_API_PASSPHRASE"
CLOCK_CODES = frozenset({"50102", "50112"})
BUSY_CODES = frozenset({"50011", "50013", "50026", "58007"})
TOO_FREQUENT = "50011"
REFUSED, MISSING, FIRST_SERVER_ERROR = frozenset({401, 403}), 404, 500


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came back over the wire, before ccxt made an exception of it."""

    status: int
    headers: Mapping[str, str]
    body: str

    def envelope(self) -> tuple[str, str]:
        """OKX's code and message; empty where the body is not OKX's."""
        try:
            body = json.loads(self.body)
        except ValueError:
            return "", ""
        if not isinstance(body, dict) or body.get("code") is None:
            return "", ""
        return str(body["code"]), str(body.get("msg") or "")


class OkxClient:
    """Signed calls of one account, one at a time, at most six a second.

    Args:
        base_url: without trailing slash. timeout: seconds. max_attempts: tries of one call, the first included.
        sleep: how to wait between tries.
        limiter: paces the calls over processes, below ccxt's own six a second; None: ccxt's pace alone.
        key_hint: where the credentials are set.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        passphrase: str,
        base_url: str,
        timeout: float = 20.0,
        max_attempts: int = 5,
        sleep: Sleep = time.sleep,
        limiter: RateLimiter | None = None,
        key_hint: str = KEY_HINT,
    ) -> None:
        self._limiter = limiter
        self._key_hint = key_hint
        self._credentials = {"apiKey": api_key, "secret": api_secret, "password": passphrase}
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._sleep = sleep
        self._exchange: Any = None
        self._heard: _Heard | None = None
        # ccxt keeps the time of the last call and its answer on the exchange object: one call at a time.
        self._lock = threading.Lock()

    @property
    def date(self) -> str | None:
        """The Date of the last answer; None: it had none."""
        headers = self._heard.headers if self._heard is not None else {}
        return next((value for name, value in headers.items() if name.lower() == "date"), None)

    def call(self, method: str, path: str, params: Mapping[str, str]) -> list[Any]:
        """The ``data`` list of one call.

        Args:
            method: ccxt's implicit method, e.g. ``private_get_asset_deposit_history``. path: for messages.

        Raises:
            TransientError: time-out, cut connection, 429, 5xx or OKX's busy codes, after all retries.
            CredentialsError, NotFoundError, ResponseError: at once. PermanentError: our clock is off.
        """
        return retrying(
            lambda: self._once(method, f"okx GET {path}", params),
            max_attempts=self._max_attempts,
            sleep=self._sleep,
        )

    def _once(self, method: str, where: str, params: Mapping[str, str]) -> list[Any]:
        import ccxt

        if self._limiter is not None:
            self._limiter.acquire()
        with self._lock:
            if self._exchange is None:
                self._exchange = self._connect()
            self._heard = None
            try:
                answer = getattr(self._exchange, method)(dict(params))
            except ccxt.BaseError as error:
                self._slow_down()
                # Without its cause: ccxt's own texts carry whole answers.
                raise self._translated(error, isinstance(error, ccxt.OperationFailed), where) from None
        if not isinstance(answer, dict):
            raise UnreadableAnswerError(
                "The answer is not JSON.", where=where, remedy="Check OKX_API_BASE; a proxy may answer instead."
            )
        rows = answer.get("data")
        if str(answer.get("code")) != "0" or not isinstance(rows, list):
            raise ResponseError(
                "The answer is not a list in OKX's envelope.", where=where, remedy="Check OKX_API_BASE."
            )
        return rows

    def _slow_down(self) -> None:
        """Tell the limiter, where the failure was a rate limit."""
        heard = self._heard
        if self._limiter is None or heard is None:
            return
        if heard.status == TOO_MANY or heard.envelope()[0] == TOO_FREQUENT:
            self._limiter.throttled(retry_after(heard.headers))

    def _connect(self) -> Any:
        import ccxt

        exchange = ccxt.okx(
            {
                **self._credentials,
                "enableRateLimit": True,
                "timeout": int(self._timeout * 1000),  # milliseconds
                "requests_trust_env": True,  # proxies and certificates as every other client of this project
            }
        )
        exchange.number = str
        exchange.on_json_response = _exact_json
        exchange.on_rest_response = self._listen
        # Redirects would carry key and passphrase to another host.
        exchange.session.max_redirects = 0
        # ccxt's debug log holds request headers, passphrase included.
        exchange.logger = logging.getLogger("payments_pipeline.okx.ccxt")
        exchange.logger.setLevel(logging.WARNING)
        # Last, because ccxt's own switches set it back.
        exchange.urls["api"] = {**exchange.urls["api"], "rest": self._base_url}
        return exchange

    def _listen(
        self, code: int, _reason: str, _url: str, _method: str, headers: Mapping[str, str], body: str, *_sent: object
    ) -> str:
        """ccxt's hook for every answer: keeps status and headers, which its exceptions lose."""
        self._heard = _Heard(code, headers, body)
        return body.strip()

    def _translated(self, error: Exception, may_pass: bool, where: str) -> PaymentsPipelineError:
        """ccxt's exception as ours. `may_pass`: ccxt counts it among failures that a retry can mend."""
        if self._heard is None:
            return _unanswered(error, may_pass, where, self._key_hint)
        heard = self._heard
        code, message = heard.envelope()
        words = redact(f"{code} {message}".strip(), list(self._credentials.values()))
        if not code or heard.status == MISSING or code == "0":
            return _without_code(heard, words, where, self._key_hint)
        if code in CLOCK_CODES:
            return PermanentError(
                f"okx refused our timestamp ({words}).",
                where=where,
                remedy="Set this machine's clock by NTP; OKX allows 30 seconds.",
            )
        if type(error).__name__ in _REFUSALS or heard.status in REFUSED:
            return CredentialsError(
                f"okx refused the credentials ({words}).",
                where=where,
                remedy=f"Check {self._key_hint}: valid, not expired, with Read permission, for this address and IP.",
            )
        if may_pass or code in BUSY_CODES or heard.status == TOO_MANY or heard.status >= FIRST_SERVER_ERROR:
            return TransientError(
                f"okx answered {heard.status} ({words}).",
                where=where,
                remedy="The next run tries again; if it goes on, see OKX's status page.",
                retry_after=retry_after(heard.headers),
            )
        return ResponseError(
            f"okx answered {heard.status} ({words}).",
            where=where,
            remedy="Look the code up in OKX's error list; check OKX_API_BASE.",
        )


_REFUSALS = frozenset({"AuthenticationError", "PermissionDenied", "AccountNotEnabled", "AccountSuspended"})


def _without_code(heard: _Heard, words: str, where: str, key_hint: str) -> PaymentsPipelineError:
    """Not OKX's own words: judged by the HTTP status."""
    if heard.status == MISSING:
        return NotFoundError(f"okx does not have this ({words or MISSING}).", where=where, remedy="Check OKX_API_BASE.")
    if heard.status >= 400:  # noqa: PLR2004
        return failure(
            heard.status,
            system="okx",
            where=where.removeprefix("okx "),
            message="",
            headers=heard.headers,
            key_hint=key_hint,
        )
    return ResponseError("The answer is not in OKX's envelope.", where=where, remedy="Check OKX_API_BASE.")


def _unanswered(error: Exception, may_pass: bool, where: str, key_hint: str) -> PaymentsPipelineError:
    kind = type(error).__name__
    if may_pass:
        return TransientError(
            f"No answer from okx ({kind}).",
            where=where,
            remedy="Check that OKX_API_BASE can be reached from here.",
        )
    if kind in _REFUSALS:
        return CredentialsError("okx credentials are incomplete.", where=where, remedy=f"Set {key_hint}.")
    return ResponseError(
        f"okx can't be called ({kind}): a redirect, an unverified certificate, or a malformed address.",
        where=where,
        remedy="Set OKX_API_BASE to the final https address.",
    )


def _exact_json(text: str) -> Any:
    """JSON without floats; ccxt expects ValueError where it is none."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")

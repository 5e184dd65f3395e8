"""HTTP towards providers: bounded retries that honour Retry-After, failures sorted into our error tree, exact JSON.

Belongs here: what every HTTP client of this project shares. Does not belong here: one provider's paths, paging, words.
"""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    PaymentsPipelineError,
    ResponseError,
    TransientError,
)
from payments_pipeline.providers.limiter import RateLimiter

T = TypeVar("T")
Sleep = Callable[[float], None]

MAX_SECONDS = 180.0
"""No call is retried for longer than this, whatever Retry-After asks for."""
MAX_REDIRECTS = 3
SHORTEST_SECRET = 6
TOO_MANY = 429
_BACK_OFF = wait_exponential_jitter(multiplier=0.5, max=20.0, jitter=0.5)
_TRANSIENT_STATUS = frozenset({408, 409, 423, 425, 429})


class UnreadableAnswerError(TransientError):
    """The body is not JSON: cut short or a proxy's page. Worth another try; `retrying` ends with a ResponseError."""


def retrying(
    attempt: Callable[[], T], *, max_attempts: int, sleep: Sleep = time.sleep, max_seconds: float = MAX_SECONDS
) -> T:
    """Call `attempt` until it answers, at most `max_attempts` times and within `max_seconds`.

    Only TransientError is retried. Between tries: the larger of Retry-After and 0.5, 1, 2, … (at most 20) seconds
    with jitter. A Retry-After that reaches beyond `max_seconds` is not waited for.

    Raises:
        TransientError: the last one, when tries or time are used up.
        ResponseError: the last answer still was not JSON.
        PermanentError: at once.
    """
    machine = Retrying(
        stop=stop_after_attempt(max_attempts) | stop_before_delay(max_seconds),
        wait=_pause,
        retry=retry_if_exception_type(TransientError),
        sleep=sleep,
        reraise=True,
    )
    try:
        return machine(attempt)
    except UnreadableAnswerError as error:
        raise ResponseError(error.what, where=error.where, remedy=error.remedy) from error


def failure(
    status: int, *, system: str, where: str, message: str, headers: Mapping[str, str], key_hint: str
) -> PaymentsPipelineError:
    """What an HTTP status means, as an error of our tree, ready to raise.

    Args:
        system: e.g. ``stripe``. where: method and path. message: the provider's own words, already redacted.
        headers: of the answer; Retry-After and Date are read, any case if the mapping allows it.
        key_hint: which settings hold the credentials, e.g. ``STRIPE_API_KEY``.
    """
    made = _failure(
        status, system=system, place=f"{system} {where}", message=message, headers=headers, key_hint=key_hint
    )
    made.status = status
    return made


def _failure(
    status: int, *, system: str, place: str, message: str, headers: Mapping[str, str], key_hint: str
) -> PaymentsPipelineError:
    words = f": {message}" if message else ""
    if status in {401, 403}:
        return CredentialsError(
            f"{system} refused the credentials ({status}){words}.",
            where=place,
            remedy=f"Check {key_hint}: valid, not expired, allowed to read this, and for this base address.",
        )
    if status in _TRANSIENT_STATUS or status >= 500:  # noqa: PLR2004
        return TransientError(
            f"{system} answered {status}{words}.",
            where=place,
            remedy="The next run tries again; if it goes on, see the provider's status page.",
            retry_after=retry_after(headers),
        )
    if status == 404:  # noqa: PLR2004
        missing = NotFoundError(
            f"{system} does not have this (404){words}.",
            where=place,
            remedy="Check the base address and the id.",
        )
        missing.words = message
        return missing
    return ResponseError(
        f"{system} answered {status}{words}.",
        where=place,
        remedy="Check the base address; if it is right, the API changed: report this.",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds asked for by Retry-After (a number, or a date counted from the answer's own Date); None when unsaid."""
    asked = headers.get("Retry-After") or headers.get("retry-after")
    if not asked:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(asked)
        sent = parsedate_to_datetime(headers.get("Date") or headers.get("date") or "")
        return max(0.0, (until - sent).total_seconds())
    except (TypeError, ValueError):
        return None


def parse_json(text: str | bytes, *, where: str) -> Any:
    """JSON with exact numbers: fractions become `Decimal`, integers `int`; NaN and Infinity are refused.

    Raises:
        UnreadableAnswerError: it is not JSON.
    """
    try:
        return jsonlib.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError(
            f"The answer is not JSON ({len(text)} bytes).",
            where=where,
            remedy="Check the base address; a proxy may answer in the provider's place.",
        ) from error


def redact(text: str, secrets: Iterator[str] | list[str], limit: int = 200) -> str:
    """`text` on one line, at most `limit` characters, with every secret of at least six characters blotted out."""
    line = " ".join(text.split())
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            line = line.replace(secret, "[redacted]")
    return line[:limit]


class HttpClient:
    """JSON over HTTP against one base address.

    Args:
        base_url: without trailing slash.
        system: name used in errors, e.g. ``nowpayments``.
        timeout: seconds to connect, and seconds of silence while reading.
        max_attempts: tries of one call, the first included.
        sleep: how to wait between tries; tests pass their own.
        session: a session to use; one is made otherwise. One client serves one thread.
        key_hint: settings named in the remedy when credentials are refused.
        limiter: paces the calls; None: they are not paced.

    Attributes:
        date: the Date of the last answer; None: it had none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        system: str,
        timeout: float = 20.0,
        max_attempts: int = 5,
        sleep: Sleep = time.sleep,
        session: requests.Session | None = None,
        key_hint: str = "the provider's key settings",
        limiter: RateLimiter | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.system = system
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._sleep = sleep
        self._session = session or requests.Session()
        self._key_hint = key_hint
        self._limiter = limiter
        self.date: str | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Any:
        """One call with retries.

        Args:
            path: begins with a slash, appended to the base address.

        Returns:
            The parsed JSON (see `parse_json`).

        Raises:
            TransientError: time-out, cut connection, 408, 409, 423, 425, 429 or 5xx, after all retries.
            CredentialsError: 401 or 403, at once. NotFoundError: 404, at once.
            ResponseError: another 4xx, a redirect to another host, or no JSON after all retries.
        """
        return retrying(
            lambda: self._once(method, path, params, headers or {}, json),
            max_attempts=self._max_attempts,
            sleep=self._sleep,
        )

    def _once(
        self, method: str, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str], body: Any
    ) -> Any:
        where = f"{method.upper()} {path}"
        if self._limiter is not None:
            self._limiter.acquire()
        answer = self._send(method, f"{self.base_url}{path}", where, params=params, headers=dict(headers), json=body)
        if answer.status_code == TOO_MANY and self._limiter is not None:
            self._limiter.throttled(retry_after(answer.headers))
        if not answer.ok:
            secrets = [*_texts(dict(headers)), *_texts(body)]
            raise failure(
                answer.status_code,
                system=self.system,
                where=where,
                message=redact(_words(answer), secrets),
                headers=answer.headers,
                key_hint=self._key_hint,
            )
        return parse_json(answer.content, where=f"{self.system} {where}")

    def _send(self, method: str, url: str, where: str, **parts: Any) -> requests.Response:
        """Follow redirects on the same host only: requests would carry an API-key header to any other."""
        origin = urlsplit(url)[:2]
        for _ in range(MAX_REDIRECTS + 1):
            try:
                answer = self._session.request(method, url, timeout=self._timeout, allow_redirects=False, **parts)
            except requests.exceptions.SSLError as error:
                raise ResponseError(
                    f"{self.system}'s certificate can't be verified.",
                    where=f"{self.system} {where}",
                    remedy="Check the base address and the certificates trusted on this machine.",
                ) from error
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, ValueError) as error:
                # MissingSchema, InvalidHeader and the like are ValueErrors; their texts may quote a key.
                raise ConfigurationError(
                    f"A call to {self.system} can't be made ({type(error).__name__}).",
                    where=f"{self.system} {where}",
                    remedy=f"Check the base address and {self._key_hint} for stray characters.",
                ) from None
            except requests.exceptions.RequestException as error:
                raise TransientError(
                    f"No answer from {self.system} ({type(error).__name__}).",
                    where=f"{self.system} {where}",
                    remedy="Check that the base address can be reached from here.",
                ) from error
            self.date = answer.headers.get("Date")
            if not answer.is_redirect:
                return answer
            url = urljoin(url, answer.headers["Location"])
            parts["params"] = None  # they stand in the new address already, or are not wanted
            if urlsplit(url)[:2] != origin:
                break
        raise ResponseError(
            f"{self.system} redirects elsewhere.",
            where=f"{self.system} {where}",
            remedy="Set the base address to the final host.",
        )


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, TransientError) else None
    return max(asked or 0.0, _BACK_OFF(state))


def _words(answer: requests.Response) -> str:
    """The provider's own message: ``message``, ``msg``, ``error`` or ``error.message``; else nothing."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    while isinstance(body, dict):
        body = body.get("message") or body.get("msg") or body.get("error")
    return body if isinstance(body, str) else ""


def _texts(value: Any) -> Iterator[str]:
    """Every text inside headers or a body: what must not show up in a message."""
    if isinstance(value, str):
        yield value
        yield value.removeprefix("Bearer ")
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")

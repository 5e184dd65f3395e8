"""Calls to Stripe through its official client: authentication, time-out, our retries, errors in our words.

Belongs here: one request. Does not belong here: lists and paging (stripe.py), what an object means (stripe_objects.py).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

import orjson
import requests
import stripe
import urllib3

from payments_pipeline.errors import (
    ConfigurationError,
    GoneError,
    NotFoundError,
    PaymentsPipelineError,
    RefusedError,
    ResponseError,
    TransientError,
    UnclearOutcomeError,
)
from payments_pipeline.providers.http import Sleep, failure, parse_json, redact, retry_after, retrying
from payments_pipeline.providers.limiter import RateLimiter
from payments_pipeline.providers.stripe_http import BodyKeeper

Answer = TypeVar("Answer")
NO_ROUTE = "404: Not Found"
"""All that servers on aiohttp, among them API-compatible ones, say of a path they do not know."""
_UNDECIDED = frozenset({408, 409})
_NOT_TAKEN = frozenset({401, 403, 429})
LIMITED_REASON = "Stripe-Rate-Limited-Reason"


class StripeCalls:
    """Requests, GETs with our retries: the library's own skip 429 and ignore Retry-After, so they are switched off.

    Args:
        limiter: paces the calls; None: they are not paced.
        key_hint: where the key is set.
    """

    def __init__(
        self,
        api_key: str,
        base: str,
        *,
        timeout: float,
        max_attempts: int,
        sleep: Sleep,
        limiter: RateLimiter | None = None,
        key_hint: str = "STRIPE_API_KEY",
    ) -> None:
        if any(character.isspace() or not character.isprintable() for character in api_key):
            raise ConfigurationError(
                "The Stripe key holds a space or line break.", where=key_hint, remedy="Copy it again."
            )
        self._limiter = limiter
        self._key_hint = key_hint
        self._api_key = api_key
        self._max_attempts = max_attempts
        self._sleep = sleep
        self._http = BodyKeeper(timeout)
        self._client = stripe.StripeClient(
            api_key, base_addresses={"api": base.rstrip("/")}, max_network_retries=0, http_client=self._http
        )

    @property
    def date(self) -> str | None:
        """The Date of this thread's last answer; None: it had none."""
        return self._http.date

    def get(self, path: str, **params: Any) -> Any:
        """The parsed body of one GET.

        Raises:
            TransientError, CredentialsError, ResponseError: see `http.HttpClient.request`.
            GoneError: Stripe says that it has no such object. NotFoundError: an API-compatible server does not know
            the path. Any other 404, a proxy's page or nothing at all, is a plain ResponseError.
        """
        return self.answer(path, parsed, params)

    def answer(self, path: str, read: Callable[[bytes, str], Answer], params: Mapping[str, Any]) -> Answer:
        """As `get`, read otherwise.

        Args:
            read: makes an answer of a body and of where it came from; what it raises is retried like any other error.
        """
        once = functools.partial(self._once, path, read, params)
        return retrying(once, max_attempts=self._max_attempts, sleep=self._sleep)

    def post(self, path: str, params: Mapping[str, Any], *, idempotency_key: str, within: float | None = None) -> str:
        """One POST, sent once, its body left unread: what came of it is read from the object itself.

        Args:
            within: seconds in which it must have been sent; after a longer wait for its slot it is not.

        Returns:
            Stripe's id of the request; empty when it named none.

        Raises:
            UnclearOutcomeError, TransientError, RefusedError, CredentialsError: see `stripe_writes.StripeWrites.send`.
        """
        where = f"stripe POST {path}"
        asked = time.monotonic()
        limiter = self._paced(path)
        if within is not None and time.monotonic() - asked > within:
            raise TransientError("Its turn came too late: it was not sent.", where=where, remedy="It is tried again.")
        try:
            answer = self._client.raw_request("post", path, idempotency_key=idempotency_key, **params)
        except stripe.APIConnectionError as error:
            raise unclear(f"No answer from Stripe ({type(error).__name__}).", where) from error
        except stripe.StripeError as error:
            if _is_limited(error) and limiter is not None:
                _slow_down(limiter, error)
            raise self._not_done(error, where) from error
        return str(answer.request_id or "")

    def _not_done(self, error: stripe.StripeError, where: str) -> PaymentsPipelineError:
        """What an error answer to a POST says about its effect."""
        status = 429 if _is_limited(error) else error.http_status or 0
        message = redact(error.user_message or "", [self._api_key])
        if status in _UNDECIDED or not 400 <= status < 500:  # noqa: PLR2004
            answered = status >= 500  # noqa: PLR2004  (409: a call with this key is still under way)
            return unclear(f"Stripe answered {status}: {message}.", where, answered=answered)
        if status in _NOT_TAKEN:
            return failure(
                status,
                system="stripe",
                where=where.removeprefix("stripe "),
                message=message,
                headers=error.headers or {},
                key_hint=self._key_hint,
            )
        return RefusedError(
            f"Stripe refused ({error.code or _kind(error) or status}): {message}",
            where=where,
            remedy="Look at the object at Stripe.",
            code=str(error.code or ""),
        )

    def _paced(self, path: str) -> RateLimiter | None:
        """Waits for this call's slot; the limiter to tell of a 429."""
        limiter = self._limiter.at(_endpoint(path)) if self._limiter is not None else None
        if limiter is not None:
            limiter.acquire()
        return limiter

    def _once(self, path: str, read: Callable[[bytes, str], Answer], params: Mapping[str, Any]) -> Answer:
        where = f"GET {path}"
        limiter = self._paced(path)
        try:
            self._client.raw_request("get", path, **params)
        except stripe.APIConnectionError as error:
            raise self._unreachable(error, where) from error
        except stripe.StripeError as error:
            limited = _is_limited(error)
            if limited and limiter is not None:
                _slow_down(limiter, error)
            made = failure(
                429 if limited else error.http_status or 0,
                system="stripe",
                where=where,
                message=redact(error.user_message or "", [self._api_key]),
                headers=error.headers or {},
                key_hint=self._key_hint,
            )
            raise (_sorted_404(made, error, path) if isinstance(made, NotFoundError) else made) from error
        return read(self._http.take(), f"stripe {where}")

    @staticmethod
    def _unreachable(error: stripe.APIConnectionError, where: str) -> PaymentsPipelineError:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
            return ResponseError(
                "Stripe's certificate can't be verified.",
                where=f"stripe {where}",
                remedy="Check STRIPE_API_BASE and the certificates trusted on this machine.",
            )
        return TransientError(
            f"No answer from Stripe ({type(cause).__name__ if cause else 'connection failed'}).",
            where=f"stripe {where}",
            remedy="Check that STRIPE_API_BASE can be reached from here.",
        )


def parsed(body: bytes, where: str) -> Any:
    """A body of Stripe's as objects. Raises as `http.parse_json`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses a whole page over one lone surrogate or 20-digit integer; the standard module lets the
        # page through, and the one object is rejected where it is read.
        return parse_json(body, where=where)


def _sorted_404(made: NotFoundError, error: stripe.StripeError, path: str) -> ResponseError:
    """By the server's own words; `resource_missing` is Stripe's code, other servers say less."""
    body = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    kind: type[ResponseError] = ResponseError
    if isinstance(body, dict):
        kind = GoneError if _says_gone(body, path) else NotFoundError
    elif (error.http_body or "").strip() == NO_ROUTE:
        kind = NotFoundError
    sorted_out = kind(made.what, where=made.where, remedy=made.remedy)
    sorted_out.status = made.status
    return sorted_out


def _says_gone(body: Mapping[str, Any], path: str) -> bool:
    words = str(body.get("message") or "").lower()
    if "similar object exists in" in words:  # it is there, in the other mode
        return False
    if body.get("code") == "resource_missing":
        return True
    names = [unquote(part).lower() for part in path.split("/")[3:]]
    no_such = words.startswith("no such") and any(name and name in words for name in names)
    return body.get("type") == "invalid_request_error" and (no_such or words == "not found")


def unclear(what: str, where: str, *, answered: bool = False) -> UnclearOutcomeError:
    """The error of a call that may or may not have taken effect."""
    return UnclearOutcomeError(
        what, where=where, remedy="Nobody need do anything: it is settled by reading.", answered=answered
    )


def _is_limited(error: stripe.StripeError) -> bool:
    return error.code == "rate_limit" or isinstance(error, stripe.RateLimitError)


def _kind(error: stripe.StripeError) -> str:
    """What kind of error it is (``idempotency_error``), where it has no code."""
    body = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    return str(body.get("type") or "") if isinstance(body, dict) else ""


def _endpoint(path: str) -> str:
    """Stripe's limits of single endpoints count by the kind of object: ``charges`` of ``/v1/charges/ch_1``."""
    return path.removeprefix("/v1/").partition("/")[0]


def _slow_down(limiter: RateLimiter, error: stripe.StripeError) -> None:
    """Whose limit was met stands in a header; a lock on one object (also 429) is nobody's."""
    headers = error.headers or {}
    reason = headers.get(LIMITED_REASON) or headers.get(LIMITED_REASON.lower()) or ""
    body = error.json_body.get("error") if isinstance(error.json_body, dict) else None  # a 429 has no `code` of its own
    code = body.get("code") if isinstance(body, dict) else None
    if code == "lock_timeout" or reason == "resource-specific":
        return
    whose = limiter if reason.startswith("endpoint") else limiter.whole or limiter
    whose.throttled(retry_after(headers))

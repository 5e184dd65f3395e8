"""NOWPayments over REST: log-in, the list of payments page by page, one payment by id.

Belongs here: paging, tokens and the traps of this API. Does not belong here: fields of a payment
(nowpayments_objects.py), retries and HTTP failures (http.py).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import quote

from payments_pipeline.config import Settings
from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    MalformedObjectError,
    NotFoundError,
    ResponseError,
    TransientError,
)
from payments_pipeline.providers.base import Account, Clock, Page, Resource, ResourceSpec, Window
from payments_pipeline.providers.clocks import ProviderTime
from payments_pipeline.providers.fields import listing_key
from payments_pipeline.providers.http import HttpClient, Sleep
from payments_pipeline.providers.identity import DEFAULT_LABEL, credentials_hint, expect, key_fingerprint, livemode_of
from payments_pipeline.providers.limiter import RateLimiter
from payments_pipeline.providers.nowpayments_objects import PAYMENTS, payment_fields, payment_row

PAGE_SIZE = 500
PASSES = 3
"""How often a list is read again when it changed under the reader."""
TOKEN_LIFE = timedelta(minutes=4, seconds=30)
"""Tokens live five minutes; ours is renewed before that, and on 401 in any case."""
KEY_HINT = "NOWPAYMENTS_API_KEY, NOWPAYMENTS_EMAIL and NOWPAYMENTS_PASSWORD"
LIST_PATH = "/v1/payment/"
GONE = re.compile(r"(?<![/\w])payment\b(?!/)[^/]*\bnot found\b", re.IGNORECASE)
"""NOWPayments' words for a payment it does not have; a path it does not know is ``Cannot GET /v1/…``."""


class NowPaymentsProvider:
    """One NOWPayments account. One instance serves one thread.

    Args:
        settings: key, log-in, base address, time-out, attempts. Without a log-in lists are asked for by key alone.
        livemode: live money or not; None: by the host's name (see `livemode_of`), since no endpoint tells.
        expected_account: refuse any other account.
        page_size: payments a list call, 1 to 500.
        sleep: how to wait between tries.
        label: the account's name in the configuration.
        limiter: paces the calls; None: they are not paced.

    Raises:
        ConfigurationError: no key, or half a log-in.
    """

    name = "nowpayments"

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        livemode: bool | None = None,
        expected_account: str | None = None,
        page_size: int = PAGE_SIZE,
        sleep: Sleep = time.sleep,
        label: str = DEFAULT_LABEL,
        limiter: RateLimiter | None = None,
    ) -> None:
        self.label = label
        key_hint = credentials_hint(label, KEY_HINT)
        key, email, password = (
            secret.get_secret_value() if secret is not None else ""
            for secret in (settings.nowpayments_api_key, settings.nowpayments_email, settings.nowpayments_password)
        )
        if not key or bool(email) != bool(password):
            raise ConfigurationError(
                f"NOWPayments is configured by halves: {KEY_HINT} belong together.",
                where=key_hint,
                remedy="See .env.example.",
            )
        base_url = settings.nowpayments_api_base
        # The log-in outlives its keys: after a rotation the same payments must not turn up as another account's.
        identity = key_fingerprint("np", email.lower() or key)
        self._account = Account(self.name, identity, livemode_of(base_url) if livemode is None else livemode)
        self.expected_account = expected_account
        self.own_time = ProviderTime(clock, self.name)
        self._http = HttpClient(
            base_url,
            system=self.name,
            timeout=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            sleep=sleep,
            key_hint=key_hint,
            limiter=limiter,
        )
        login = {"email": email, "password": password} if email else None
        self._session = _Session(self._http, key, login, self.own_time)
        self._resources = {PAYMENTS.name: Payments(self._session, self.own_time, page_size)}

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def identify(self) -> Account:
        """A fingerprint of the log-in (of the key, without one) as account, after a list call proved both accepted.

        Raises:
            CredentialsError: key or log-in is refused. WrongAccountError: it is not the expected account.
        """
        began = self.own_time.machine()
        self._session.get_list({"limit": 1, "page": 0})
        self.own_time.compare(self._http.date, began)
        return expect(self._account, self.expected_account)


class Payments:
    """The list of payments."""

    spec: ResourceSpec = PAYMENTS

    def __init__(self, session: _Session, clock: Clock, page_size: int = PAGE_SIZE) -> None:
        self._session = session
        self._clock = clock
        self._page_size = page_size

    def pages(self, window: Window) -> Iterator[Page]:
        """Every payment created in the window, oldest first, none twice.

        Pages are numbered, so an object that comes or goes while reading moves the others across a page border. The
        list's own total is compared with what was seen; when they differ the list is read again, at most three times.

        Raises:
            TransientError: retries are used up, or the list never held still. PermanentError: nobody should retry.
        """
        seen: set[str] = set()
        for _ in range(PASSES):
            steady = yield from self._pass(window, seen)
            if steady:
                return
        raise TransientError(
            f"The list of payments changed while it was read, {PASSES} times over ({len(seen)} seen).",
            where=f"nowpayments GET {LIST_PATH}",
            remedy="The next run tries again; if it goes on, read shorter windows.",
        )

    def _pass(self, window: Window, seen: set[str]) -> Generator[Page, None, bool]:
        """Yields what `seen` does not hold yet. Returns whether all that the list counts was seen.

        A total that is reached before `pagesCount` is (some servers give the page's length) is believed no more: the
        list then ends with an empty page.
        """
        number, largest, believed = 0, 0, True
        told: set[str] = set()
        while True:
            read_at = self._clock()
            answer = self._session.get_list(_query(_whole_days(window), self._page_size, number))
            objects = _objects(answer)
            news = _unseen(objects, told)
            yield Page([obj for obj in _unseen(news, seen) if _inside(obj, window)], read_at)
            total, last = _count(answer.get("total")), _count(answer.get("pagesCount"))
            behind = last is None or number + 1 >= last
            complete = total is not None and len(told) >= total
            believed = believed and total is not None and (behind or not complete)
            largest = max(largest, total or 0)
            # Without news a page is behind the end, or one that a server repeats for lack of a next one.
            if not objects or (behind and not news) or (believed and complete and last is not None):
                return complete and total == largest if believed else behind
            number += 1

    def read(self, object_id: str) -> Page | None:
        """The payment as it is now, in the list's words; None when NOWPayments says it has none.

        Raises:
            ResponseError: another 404, or another payment, than that: who answers is not NOWPayments.
        """
        read_at = self._clock()
        payment = self._single(object_id)
        if payment is None:
            return None
        listed = self._as_listed(payment)
        if listed is None and self._single(object_id) is None:
            return None  # gone between the two calls
        return Page([payment if listed is None else listed], read_at)

    def _single(self, object_id: str) -> Mapping[str, Any] | None:
        try:
            payment = self._session.get(f"/v1/payment/{quote(object_id, safe='')}")
        except NotFoundError as error:
            if GONE.search(error.words):
                return None
            raise
        if not isinstance(payment, Mapping) or listing_key(payment, "payment_id") != object_id:
            raise ResponseError(
                "The answer is not the payment asked for.",
                where=f"nowpayments GET /v1/payment/{object_id}",
                remedy="Check NOWPAYMENTS_API_BASE.",
            )
        return payment

    def _as_listed(self, single: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The payment from the list, which alone tells parent and origin; None: the list lacks it.

        Asked for by its second; a server that reads dates by the day has it in the list of that day.
        """
        try:
            second = payment_fields(single).moment("created_at").replace(microsecond=0)
        except MalformedObjectError:
            return None
        window = Window(second, second + timedelta(seconds=1))
        near = _objects(self._session.get_list(_query(window, self._page_size, 0)))
        day = (obj for page in self.pages(window) for obj in page.objects)
        wanted = listing_key(single, "payment_id")
        return next((obj for obj in chain(near, day) if listing_key(obj, "payment_id") == wanted), None)

    def object_id(self, obj: Mapping[str, Any]) -> str:
        return payment_fields(obj).id

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        return payment_row(obj)


class _Session:
    """The calls with their credentials: the key always, a fresh token where a list is asked for."""

    def __init__(self, http: HttpClient, api_key: str, login: dict[str, str] | None, clock: Clock) -> None:
        self._http = http
        self._key = {"x-api-key": api_key}
        self._login = login
        self._clock = clock
        self._token: str | None = None
        self._token_since = datetime.min.replace(tzinfo=UTC)
        # Payments are read by id in several threads, and a log-in may end the token before it.
        self._renewing = threading.Lock()

    def get(self, path: str) -> Any:
        return self._http.request("GET", path, headers=self._key)

    def get_list(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """One page. A token refused in mid-listing is renewed once a call.

        Raises:
            CredentialsError: a token that was just issued, or the key, is refused.
        """
        token, renewed = self._living_token()
        try:
            answer = self._list(params, token)
        except CredentialsError:
            if renewed or self._login is None:
                raise
            answer = self._list(params, self._living_token(refused=token)[0])
        if not isinstance(answer, Mapping):
            raise _not_a_list()
        return answer

    def _list(self, params: Mapping[str, Any], token: str | None) -> Any:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return self._http.request("GET", LIST_PATH, params=params, headers=self._key | bearer)

    def _living_token(self, refused: str | None = None) -> tuple[str | None, bool]:
        """A token that is neither old nor the refused one, and whether this call logged in for it."""
        with self._renewing:
            young = self._token is not None and self._clock() - self._token_since < TOKEN_LIFE
            if self._login is None or (young and self._token != refused):
                return self._token, False
            self._log_in()
            return self._token, True

    def _log_in(self) -> None:
        since = self._clock()
        answer = self._http.request("POST", "/v1/auth", headers=self._key, json=self._login)
        token = answer.get("token") if isinstance(answer, Mapping) else None
        if not isinstance(token, str) or not token:
            raise ResponseError(
                "The log-in answered no token.",
                where="nowpayments POST /v1/auth",
                remedy="Check NOWPAYMENTS_API_BASE.",
            )
        self._token, self._token_since = token, since


def _query(window: Window, page_size: int, number: int) -> dict[str, Any]:
    """Oldest first with a fixed end, so that new payments are added behind the pages already read."""
    return {
        "limit": page_size,
        "page": number,
        "sortBy": "created_at",
        "orderBy": "asc",
        "dateFrom": window.start.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "dateTo": window.end.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def _whole_days(window: Window) -> Window:
    """Around the window, because servers differ in how finely they read dates; `_inside` cuts exactly."""
    first = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last = window.end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(first, last + timedelta(days=1))


def _objects(answer: Mapping[str, Any]) -> Sequence[Any]:
    objects = answer.get("data")
    if not isinstance(objects, list):
        raise _not_a_list()
    return objects


def _unseen(objects: Sequence[Any], seen: set[str]) -> list[Any]:
    """Objects whose id is not in `seen`, which is added to."""
    fresh = []
    for obj in objects:
        key = listing_key(obj, "payment_id")
        if key not in seen:
            seen.add(key)
            fresh.append(obj)
    return fresh


def _inside(obj: object, window: Window) -> bool:
    """Created in the window. What can't be read stays in: the load path sets it aside and says so."""
    try:
        return window.start <= payment_fields(obj).moment("created_at") < window.end
    except MalformedObjectError:
        return True


def _count(value: object) -> int | None:
    """`total` or `pagesCount` as a number, sent as such or as text; None when it is not told."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def _not_a_list() -> ResponseError:
    return ResponseError(
        "The answer is not a list of payments.",
        where=f"nowpayments GET {LIST_PATH}",
        remedy="Check NOWPAYMENTS_API_BASE.",
    )

"""OKX: the account, and its deposits page by page.

Belongs here: paging by time and the traps of this API. Does not belong here: fields of a deposit (okx_objects.py),
ccxt and its errors (okx_client.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError, MalformedObjectError, NotFoundError, ResponseError
from payments_pipeline.providers.base import Account, Clock, Page, Resource, ResourceSpec, Window
from payments_pipeline.providers.clocks import ProviderTime
from payments_pipeline.providers.fields import listing_key
from payments_pipeline.providers.http import Sleep
from payments_pipeline.providers.identity import DEFAULT_LABEL, credentials_hint, expect, key_fingerprint, livemode_of
from payments_pipeline.providers.limiter import RateLimiter
from payments_pipeline.providers.okx_client import KEY_HINT, OkxClient
from payments_pipeline.providers.okx_objects import DEPOSITS, deposit_fields, deposit_row

PAGE_SIZE = 100
SHORTEST_PAGE = 10
"""No server has pages of fewer deposits of its own accord, unless it disregards the limit asked for."""
HISTORY = ("private_get_asset_deposit_history", "/api/v5/asset/deposit-history")
CONFIG = ("private_get_account_config", "/api/v5/account/config")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OkxProvider:
    """One OKX account.

    Args:
        settings: the three credentials, base address, time-out, attempts.
        livemode: live money or not; None: by the host's name (see `livemode_of`).
        expected_account: refuse any other account (its uid).
        page_size: deposits a list call, 1 to 100.
        sleep: how to wait between tries.
        label: the account's name in the configuration.
        limiter: paces the calls over processes; None: ccxt's own pace alone.

    Raises:
        ConfigurationError: one of the three credentials is not set.
    """

    name = "okx"

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
        key, secret, passphrase = (
            credential.get_secret_value() if credential is not None else ""
            for credential in (settings.okx_api_key, settings.okx_api_secret, settings.okx_api_passphrase)
        )
        if not (key and secret and passphrase):
            raise ConfigurationError(
                f"OKX is configured by halves: {KEY_HINT} belong together.", where=key_hint, remedy="See .env.example."
            )
        self._client = OkxClient(
            api_key=key,
            api_secret=secret,
            passphrase=passphrase,
            base_url=settings.okx_api_base,
            timeout=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            sleep=sleep,
            limiter=limiter,
            key_hint=key_hint,
        )
        self._fingerprint = key_fingerprint("okx", key)
        self._livemode = livemode_of(settings.okx_api_base) if livemode is None else livemode
        self.expected_account = expected_account
        self.own_time = ProviderTime(clock, self.name)
        self._resources = {DEPOSITS.name: Deposits(self._client, self.own_time, page_size)}

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def identify(self) -> Account:
        """The account's uid; a fingerprint of the key where the server has no account endpoint (404).

        Raises:
            CredentialsError: the key is refused. WrongAccountError: it is not the expected account.
        """
        began = self.own_time.machine()
        try:
            rows = self._client.call(*CONFIG, {})
        except NotFoundError:
            # Other servers of this API keep to deposits; ask for one, so that a refused key still shows here.
            self._client.call(*HISTORY, {"limit": "1"})
            uid = self._fingerprint
        else:
            uid = _uid(rows)
        self.own_time.compare(self._client.date, began)
        return expect(Account(self.name, uid, self._livemode), self.expected_account)


class Deposits:
    """The deposit history."""

    spec: ResourceSpec = DEPOSITS

    def __init__(self, client: OkxClient, clock: Clock, page_size: int = PAGE_SIZE) -> None:
        self._client = client
        self._clock = clock
        self._page_size = page_size

    def pages(self, window: Window) -> Iterator[Page]:
        """Every deposit made in the window, newest first, none twice.

        The cursor is a time, exclusive: each next page begins at the oldest time seen, itself included, or deposits of
        that same millisecond would be lost. The list ends with a page that brings nothing new.

        Raises:
            TransientError: retries are used up. PermanentError: nobody should retry.
        """
        seen: set[str] = set()
        longest = 0
        after = _milliseconds(window.end, up=True)
        first = _milliseconds(window.start)
        while True:
            read_at = self._clock()
            deposits = self._client.call(*HISTORY, {"after": str(after), "limit": str(self._page_size)})
            fresh = _unseen(deposits, seen)
            times = _times(deposits)
            self._check_progress(deposits, times, after)
            yield Page([deposit for deposit in fresh if _inside(deposit, window)], read_at)
            if not fresh or min(times) < first:
                return
            if min(times) == max(times) and len(deposits) >= longest:
                return self._check_last(len(deposits), times[0], longest)
            longest = max(longest, len(deposits))
            after = min(times) + 1

    def _check_progress(self, deposits: Sequence[Any], times: Sequence[int], after: int) -> None:
        """Refuse a page after which paging would lose deposits in silence."""
        problem = None
        if deposits and not times:
            problem = "no deposit of this page has a readable ts, so there is no next page"
        elif times and max(times) > after:
            problem = f"deposits newer than after={after} came back: the server does not page by time"
        elif len(deposits) >= self._page_size:
            if times[0] < times[-1]:
                problem = "the page is not newest first"
            elif min(times) == max(times) and len(deposits) > 1:
                problem = f"a full page shares one ts ({times[0]}), so what lies behind it can't be reached"
        if problem is not None:
            raise _endless(problem)

    def _check_last(self, length: int, ts: int, longest: int) -> None:
        """Refuse a page of one ts that nothing proves to be all of its ts: the server's own pages may be that short.

        A page before it that was longer proves it. The first page of all can only be the oldest ts of the account: then
        nothing is older, and a server that keeps to a limit sends one deposit where one is asked for.

        Args:
            longest: length of the longest page before; 0: there is none.
        """
        if not longest and length < SHORTEST_PAGE:
            older = self._client.call(*HISTORY, {"after": str(ts), "limit": str(self._page_size)})
            first = self._client.call(*HISTORY, {"after": str(ts + 1), "limit": "1"})
            if not older and len(first) <= 1:
                return
        raise _endless(f"a page of {length} shares one ts ({ts}), and what lies behind it may be cut off")

    def read(self, object_id: str) -> Page | None:
        """The deposit as it is now; None when OKX does not have it."""
        read_at = self._clock()
        deposits = self._client.call(*HISTORY, {"depId": object_id, "limit": str(self._page_size)})
        found = [deposit for deposit in deposits if listing_key(deposit, "depId") == object_id]
        if deposits and not found:
            raise ResponseError(
                "Other deposits than the one asked for came back: the server does not filter by depId.",
                where=f"okx GET {HISTORY[1]} depId {object_id}",
                remedy="Check OKX_API_BASE.",
            )
        return Page(found[:1], read_at) if found else None

    def object_id(self, obj: Mapping[str, Any]) -> str:
        return deposit_fields(obj).id

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        return deposit_row(obj)


def _endless(problem: str) -> ResponseError:
    return ResponseError(
        f"The deposit history can't be read to its end: {problem}.",
        where=f"okx GET {HISTORY[1]}",
        remedy="Check OKX_API_BASE; on OKX itself ask their support for these deposits, and report this.",
    )


def _uid(rows: Sequence[Any]) -> str:
    uid = rows[0].get("uid") if rows and isinstance(rows[0], Mapping) else None
    if not isinstance(uid, str | int) or not str(uid):
        raise ResponseError(
            "The account's configuration names no uid.", where=f"okx GET {CONFIG[1]}", remedy="Check OKX_API_BASE."
        )
    return str(uid)


def _unseen(deposits: Sequence[Any], seen: set[str]) -> list[Any]:
    """Deposits whose id is not in `seen`, which is added to."""
    fresh = []
    for deposit in deposits:
        key = listing_key(deposit, "depId")
        if key not in seen:
            seen.add(key)
            fresh.append(deposit)
    return fresh


def _times(deposits: Sequence[Any]) -> list[int]:
    """The readable `ts`, in milliseconds, in the page's order."""
    texts = (str(deposit.get("ts")) for deposit in deposits if isinstance(deposit, Mapping))
    return [int(text) for text in texts if text.isascii() and text.isdigit()]


def _inside(deposit: object, window: Window) -> bool:
    """Made in the window. What can't be read stays in: the load path sets it aside and says so."""
    try:
        return window.start <= deposit_fields(deposit).moment("ts") < window.end
    except MalformedObjectError:
        return True


def _milliseconds(moment: datetime, *, up: bool = False) -> int:
    """Whole milliseconds since 1970, rounded down, or up so that nothing before `moment` is cut off."""
    passed = moment - EPOCH
    micro = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    return -(-micro // 1000) if up else micro // 1000

"""Stripe: which account answers, its resources, and its feed of changes.

Belongs here: one configured account. Does not belong here: a call (stripe_calls.py), lists and paging
(stripe_lists.py), which kinds are read and how (stripe_resources.py), what an event announces (stripe_feed.py).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import stripe

from payments_pipeline.config import Settings
from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    ResponseError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Account, ChangePage, Clock, Resource, Window
from payments_pipeline.providers.clocks import ProviderTime
from payments_pipeline.providers.http import Sleep
from payments_pipeline.providers.identity import DEFAULT_LABEL, UNTOLD, credentials_hint, mode_of_key
from payments_pipeline.providers.limiter import RateLimiter
from payments_pipeline.providers.stripe_calls import StripeCalls
from payments_pipeline.providers.stripe_feed import StripeFeed
from payments_pipeline.providers.stripe_lists import StripeList
from payments_pipeline.providers.stripe_resources import stripe_resources

NAMED_ACCOUNT = re.compile(r"\bon account '(acct_\w+)'")
"""In Stripe's refusal of a call that a restricted key may not make."""
Json = dict[str, Any]


class StripeProvider:
    """The Stripe account that STRIPE_API_KEY belongs to.

    Args:
        settings: key, expected account, base address, time-out, attempts.
        label: the account's name in the configuration.
        limiter: paces the calls; None: they are not paced.
        sleep: how to wait between tries.

    Raises:
        ConfigurationError: no key is set, or it is malformed.
    """

    name = "stripe"

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        label: str = DEFAULT_LABEL,
        limiter: RateLimiter | None = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        if settings.stripe_api_key is None:
            raise ConfigurationError("Stripe is not configured.", where="STRIPE_API_KEY", remedy="Set the key.")
        key = settings.stripe_api_key.get_secret_value()
        self.label = label
        self.expected_account = settings.stripe_account
        self._mode = mode_of_key(key)
        self.own_time = ProviderTime(clock, self.name)
        self._calls = StripeCalls(
            key,
            settings.stripe_api_base,
            timeout=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            sleep=sleep,
            limiter=limiter,
            key_hint=credentials_hint(label, "STRIPE_API_KEY"),
        )
        self.resources: Mapping[str, Resource] = stripe_resources(self._calls, self.own_time, lambda: self._mode)
        self._feed = StripeFeed(StripeList(self._calls, self.own_time, lambda: self._mode, "/v1/events"), self.own_time)

    @property
    def calls(self) -> StripeCalls:
        """This account's calls, with its key, retries and pace."""
        return self._calls

    @property
    def reach(self) -> timedelta:
        """See `base.ChangeFeed.reach`."""
        return self._feed.reach

    def changes(self, window: Window) -> Iterator[ChangePage]:
        """What the events feed says changed in the window; see `stripe_feed.StripeFeed.changes`."""
        return self._feed.changes(window)

    def identify(self) -> Account:
        """Who the key belongs to, by GET /v1/account; the mode is the key's (the account object has none).

        A server that says it has no such call gives STRIPE_ACCOUNT, else ``default``; a restricted key that may not
        use it gives the account that the refusal names if one is expected, else ``default``.

        Raises:
            CredentialsError: the key is refused, or may not tell which account it is for while one is expected.
            ResponseError: the answer is not an account; nothing is taken for granted.
            WrongAccountError: it is another account than STRIPE_ACCOUNT. TransientError: retries are used up.
        """
        began = self.own_time.machine()
        answer = self._account()
        self.own_time.compare(self._calls.date, began)
        found = answer.get("id")
        if isinstance(found, str) and found and self.expected_account not in {None, "", found}:
            raise WrongAccountError(
                f"The Stripe key belongs to {found}, not to {self.expected_account}.",
                where=f"stripe GET /v1/account, account {self.label} of the configuration",
                remedy="Set the expected account's key, or correct the account that is expected (STRIPE_ACCOUNT).",
            )
        if self._mode is None:
            self._mode = self._observed_mode(answer)
        account = found if isinstance(found, str) and found else self.expected_account or UNTOLD
        return Account(self.name, account, self._mode)

    def _observed_mode(self, account: Json) -> bool:
        """Live or test, of a key that does not say: by the account (on some servers), else by any payment."""
        found = account.get("livemode")
        if not isinstance(found, bool):
            answer = self._calls.get("/v1/payment_intents", limit=1)
            listed = answer.get("data") if isinstance(answer, dict) else None
            newest = listed[0] if isinstance(listed, list) and listed else {}
            found = newest.get("livemode") if isinstance(newest, dict) else None
        return found is True

    def _account(self) -> Json:
        try:
            answer = self._calls.get("/v1/account")
        except NotFoundError:
            return {}
        except CredentialsError as error:
            if not isinstance(error.__cause__, stripe.PermissionError):
                raise
            if self.expected_account is None:
                return {}
            named = NAMED_ACCOUNT.search(error.__cause__.user_message or "")
            if named is None:
                raise
            return {"id": named[1]}
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str) or not answer["id"]:
            raise ResponseError(
                "Stripe's answer is not an account.",
                where="stripe GET /v1/account",
                remedy="Check STRIPE_API_BASE: a proxy or another service seems to answer there.",
            )
        return answer

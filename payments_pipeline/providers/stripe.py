"""Stripe: which account answers, its lists page by page, single objects.

Belongs here: paging and what guards it. Does not belong here: a call (stripe_calls.py), an object's meaning
(stripe_objects.py), retry rules (http.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
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
from payments_pipeline.providers import stripe_objects
from payments_pipeline.providers.base import Account, Clock, Page, Resource, ResourceSpec, Window
from payments_pipeline.providers.http import Sleep
from payments_pipeline.providers.stripe_calls import StripeCalls

PAGE_LIMIT = 100  # Stripe's largest
UNIDENTIFIED = "default"
# A charge says whether the money was captured, returned and by when a hold must be captured; other states need none.
NEEDS_CHARGE = frozenset({"requires_capture", "succeeded"})
Json = dict[str, Any]


class StripeResource:
    """One of Stripe's lists."""

    def __init__(
        self,
        spec: ResourceSpec,
        calls: StripeCalls,
        clock: Clock,
        *,
        row: Callable[[Mapping[str, Any]], tuple[Any, ...]],
        mode: Callable[[], bool | None],
        expand: tuple[str, ...] = (),
    ) -> None:
        self.spec = spec
        self._calls = calls
        self._clock = clock
        self._row = row
        self._mode = mode
        self._expand = expand
        self._path = f"/v1/{spec.name}"

    def pages(self, window: Window) -> Iterator[Page]:
        """See `base.Resource.pages`. Stripe's `created` has whole seconds, so both ends are rounded up.

        Raises:
            ResponseError: the list is malformed, or pages repeat.
            WrongAccountError: an object is of the other mode.
        """
        first, end = math.ceil(window.start.timestamp()), math.ceil(window.end.timestamp())
        params: Json = {"limit": PAGE_LIMIT, "created": {"gte": first, "lt": end}}
        if self._expand:
            params["expand"] = [f"data.{name}" for name in self._expand]
        cursors: set[str] = set()
        while True:
            read_at = self._clock()
            answer = self._calls.get(self._path, **params)
            objects, more = self._listed(answer)
            yield Page(
                [self._complete(obj) for obj in objects if _inside(obj, first, end)],
                read_at,
            )
            if not more:
                return
            params["starting_after"] = self._cursor(objects, cursors)

    def read(self, object_id: str) -> Page | None:
        """See `base.Resource.read`."""
        params: Json = {"expand": list(self._expand)} if self._expand else {}
        read_at = self._clock()
        try:
            answer = self._calls.get(f"{self._path}/{object_id}", **params)
        except NotFoundError:
            return None
        return Page([self._complete(answer)], read_at)

    def object_id(self, obj: Mapping[str, Any]) -> str:
        """See `base.Resource.object_id`."""
        return stripe_objects.object_id(obj)

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        """See `base.Resource.row`."""
        return self._row(obj)

    def _listed(self, answer: Any) -> tuple[list[Any], bool]:
        objects = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(objects, list):
            raise ResponseError(
                "Stripe's answer has no list of objects.",
                where=f"stripe GET {self._path}",
                remedy="Check STRIPE_API_BASE: another service seems to answer there.",
            )
        more = answer.get("has_more")
        return objects, bool(more) if more is not None else len(objects) >= PAGE_LIMIT

    def _cursor(self, objects: list[Any], cursors: set[str]) -> str:
        """The id to go on after; a cursor seen before would mean an endless list."""
        ids = [obj["id"] for obj in objects if isinstance(obj, dict) and isinstance(obj.get("id"), str)]
        if not ids or ids[-1] in cursors:
            raise ResponseError(
                "Stripe repeats a page." if ids else "Stripe says there is more after a page without ids.",
                where=f"stripe GET {self._path} page {len(cursors) + 1}",
                remedy="Check STRIPE_API_BASE: the server there does not honour starting_after.",
            )
        cursors.add(ids[-1])
        return str(ids[-1])

    def _complete(self, obj: Any) -> Any:
        """Check the mode, add a charge that was not expanded, drop what must not be stored."""
        if not isinstance(obj, dict):
            return obj  # rejected by the load path, which can say where
        expected = self._mode()
        if expected is not None and isinstance(obj.get("livemode"), bool) and obj["livemode"] != expected:
            raise WrongAccountError(
                f"{obj.get('id')} is in {_mode_name(not expected)} mode, the key is for {_mode_name(expected)} mode.",
                where=f"stripe GET {self._path}",
                remedy="Use the key of the account and mode whose money this database describes.",
            )
        if "latest_charge" in self._expand:
            self._add_charge(obj)
        # The secret lets its holder confirm the payment; a receipt link opens without log-in and is new at each read.
        obj.pop("client_secret", None)
        charge = obj.get("latest_charge")
        if isinstance(charge, dict):
            charge.pop("receipt_url", None)
        return obj

    def _add_charge(self, obj: Json) -> None:
        """API-compatible servers that ignore `expand` leave an id: one more call, only where the charge matters."""
        charge_id = obj.get("latest_charge")
        if isinstance(charge_id, str) and charge_id and obj.get("status") in NEEDS_CHARGE:
            try:
                charge = self._calls.get(f"/v1/charges/{charge_id}")
            except NotFoundError:
                return
            if isinstance(charge, dict):
                obj["latest_charge"] = charge


class StripeProvider:
    """The Stripe account that STRIPE_API_KEY belongs to.

    Raises:
        ConfigurationError: no key is set, or it is malformed.
    """

    name = "stripe"

    def __init__(self, settings: Settings, clock: Clock, *, sleep: Sleep = time.sleep) -> None:
        if settings.stripe_api_key is None:
            raise ConfigurationError("Stripe is not configured.", where="STRIPE_API_KEY", remedy="Set the key.")
        key = settings.stripe_api_key.get_secret_value()
        self._expected = settings.stripe_account
        self._mode = _mode_of_key(key)
        self._calls = StripeCalls(
            key,
            settings.stripe_api_base,
            timeout=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            sleep=sleep,
        )
        self.resources: Mapping[str, Resource] = {
            "payment_intents": StripeResource(
                stripe_objects.PAYMENT_INTENTS,
                self._calls,
                clock,
                row=stripe_objects.intent_row,
                mode=lambda: self._mode,
                expand=("latest_charge",),
            ),
            "refunds": StripeResource(
                stripe_objects.REFUNDS,
                self._calls,
                clock,
                row=stripe_objects.refund_row,
                mode=lambda: self._mode,
            ),
        }

    def identify(self) -> Account:
        """Who the key belongs to, by GET /v1/account; the mode is the key's (the account object has none).

        A server without that call, or a restricted key that may not use it, gives STRIPE_ACCOUNT, else ``default``.

        Raises:
            CredentialsError: the key is refused, or may not tell which account it is for while one is expected.
            WrongAccountError: it is another account than STRIPE_ACCOUNT. TransientError: retries are used up.
        """
        answer = self._account()
        found = answer.get("id")
        if isinstance(found, str) and found and self._expected and found != self._expected:
            raise WrongAccountError(
                f"The Stripe key belongs to {found}, not to {self._expected}.",
                where="stripe GET /v1/account",
                remedy="Set STRIPE_API_KEY to the expected account's key, or correct STRIPE_ACCOUNT.",
            )
        if self._mode is None:
            self._mode = answer.get("livemode") is True
        account = found if isinstance(found, str) and found else self._expected or UNIDENTIFIED
        return Account(self.name, account, self._mode)

    def _account(self) -> Json:
        try:
            answer = self._calls.get("/v1/account")
        except ResponseError:
            return {}
        except CredentialsError as error:
            if isinstance(error.__cause__, stripe.PermissionError) and self._expected is None:
                return {}
            raise
        return answer if isinstance(answer, dict) else {}


def _inside(obj: Any, first: int, end: int) -> bool:
    """Whether `created` lies in the range, for servers that ignore the filter; the unreadable go on, to be named."""
    created = obj.get("created") if isinstance(obj, dict) else None
    return not isinstance(created, int) or first <= created < end


def _mode_of_key(key: str) -> bool | None:
    """True for live keys, False for test keys, None when the key does not say."""
    if key.startswith(("sk_live_", "rk_live_")):
        return True
    return False if key.startswith(("sk_test_", "rk_test_")) else None


def _mode_name(livemode: bool) -> str:
    return "live" if livemode else "test"

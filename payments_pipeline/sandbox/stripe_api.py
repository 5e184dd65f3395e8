"""Stripe as the official client sees it: authentication, lists, single objects, errors (PROVIDERS.md, "Stripe").

Belongs here: reading, and the order of checks. Does not belong here: what capture and cancel change (stripe_writes.py).
"""

from __future__ import annotations

import base64
import binascii
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from payments_pipeline.sandbox import stripe_writes
from payments_pipeline.sandbox.listing import Key, Listing, epoch_seconds
from payments_pipeline.sandbox.state import Json, SandboxState, StripeState
from payments_pipeline.sandbox.stripe_errors import not_found, refuse, stripe_failure, unknown_url
from payments_pipeline.sandbox.stripe_parameters import Parameters
from payments_pipeline.sandbox.wire import Call, FailureKind, Quota, RefusalError, Reply, json_reply

# Expanded when the sandbox holds such objects, left as an id otherwise.
EXPANDABLE = {
    "latest_charge": "charges",
    "charge": "charges",
    "payment_intent": "payment_intents",
    "customer": None,
    "payment_method": None,
    "balance_transaction": None,
    "invoice": None,
}


@dataclass(frozen=True, slots=True)
class Collection:
    """One list endpoint: where its objects are, what an error calls one, and which fields filter it."""

    store: str
    noun: str
    id_param: str
    filters: frozenset[str]


COLLECTIONS = {
    "payment_intents": Collection("payment_intents", "payment_intent", "intent", frozenset({"customer"})),
    "charges": Collection("charges", "charge", "id", frozenset({"customer", "payment_intent", "transfer_group"})),
    "refunds": Collection("refunds", "refund", "id", frozenset({"payment_intent", "charge"})),
}
PAGING = frozenset({"limit", "starting_after", "ending_before", "created"})


class StripeApi:
    """Answers for one account; `state.stripe` is read anew at each call."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._listings = {name: Listing(epoch_seconds) for name in COLLECTIONS}
        self._request_numbers = itertools.count(1)

    def answer(self, call: Call) -> Reply:
        request_id = f"req_{next(self._request_numbers):014d}"
        try:
            with self._state.lock:
                reply = self._route(call, request_id)
        except RefusalError as refusal:
            reply = refusal.reply
        headers = {"Request-Id": request_id, **reply.headers}
        if version := call.headers.get("stripe-version"):
            headers["Stripe-Version"] = version
        return Reply(reply.status, reply.body, headers)

    def failure(self, kind: FailureKind, retry_after: float | None) -> Reply:
        return stripe_failure(kind, retry_after, f"req_{next(self._request_numbers):014d}")

    def remember(self, call: Call, reply: Reply) -> None:
        with self._state.lock:
            stripe_writes.remember(self._state.stripe, call, reply, reply.headers.get("Request-Id", ""))

    def quota_headers(self, quota: Quota | None) -> Mapping[str, str]:
        del quota
        return {}

    def _route(self, call: Call, request_id: str) -> Reply:
        state = self._state.stripe
        _authenticate(state, call)
        match call.method, call.path.strip("/").split("/"):
            case "GET", ["v1", "account"]:
                return json_reply(200, _account(state))
            case "GET", ["v1", "balance"]:
                return json_reply(200, _balance(state))
            case "GET", ["v1", name] if name in COLLECTIONS:
                return self._list(state, COLLECTIONS[name], call)
            case "GET", ["v1", name, object_id] if name in COLLECTIONS:
                return _retrieve(state, COLLECTIONS[name], object_id, call)
            case "POST", ["v1", "payment_intents", object_id, ("capture" | "cancel") as action]:
                reply = stripe_writes.perform(
                    state, action, object_id, call, request_id, now=int(self._state.clock().timestamp())
                )
                return _expanded_write(state, reply, call)
        raise unknown_url(call)

    def _list(self, state: StripeState, collection: Collection, call: Call) -> Reply:
        params = Parameters(call.query, PAGING | collection.filters | {"expand"})
        objects: dict[str, Json] = getattr(state, collection.store)
        keys = self._listings[collection.store].keys(objects)
        low, high = _created_span(keys, params.created)
        limit = params.limit()
        after, before = params.plain.get("starting_after"), params.plain.get("ending_before")
        if after and before:
            raise refuse(
                400,
                "You may only specify one of these parameters: ending_before, starting_after.",
                param="starting_after",
            )
        if after:
            high = min(high, bisect_left(keys, _cursor(objects, collection, after, "starting_after")))
        if before:
            low = max(low, bisect_right(keys, _cursor(objects, collection, before, "ending_before")))
        wanted = {name: params.plain[name] for name in collection.filters if name in params.plain}
        # Newest first; with ending_before the page is the one next to the cursor, still newest first.
        span = range(low, high) if before else range(high - 1, low - 1, -1)
        page, has_more = _take((objects[keys[place][1]] for place in span), wanted, limit)
        if before:
            page.reverse()
        for path in params.expand:
            page = [_expand(state, obj, _inside_data(path)) for obj in page]
        return json_reply(200, {"object": "list", "data": page, "has_more": has_more, "url": call.path.rstrip("/")})


def _created_span(keys: list[Key], created: Mapping[str, int]) -> tuple[int, int]:
    low, high = 0, len(keys)
    for operator, moment in created.items():
        place = bisect_left(keys, (moment + (operator in {"gt", "lte"}),))
        if operator in {"gt", "gte"}:
            low = max(low, place)
        else:
            high = min(high, place)
    return low, high


def _cursor(objects: dict[str, Json], collection: Collection, object_id: str, param: str) -> Key:
    obj = objects.get(object_id)
    if obj is None:
        raise not_found(collection.noun, object_id, param=param, status=400)
    return epoch_seconds(obj), object_id


def _take(objects: Iterable[Json], wanted: Mapping[str, str], limit: int) -> tuple[list[Json], bool]:
    if wanted:
        objects = (obj for obj in objects if all(obj.get(name) == value for name, value in wanted.items()))
    page = list(itertools.islice(objects, limit + 1))
    return page[:limit], len(page) > limit


def _retrieve(state: StripeState, collection: Collection, object_id: str, call: Call) -> Reply:
    params = Parameters(call.query, frozenset({"expand", "client_secret"}))
    obj = getattr(state, collection.store).get(object_id)
    if obj is None:
        raise not_found(collection.noun, object_id, param=collection.id_param)
    for path in params.expand:
        obj = _expand(state, obj, path)
    return json_reply(200, obj)


def _expanded_write(state: StripeState, reply: Reply, call: Call) -> Reply:
    """A stored answer is replayed as it was; a fresh one honours `expand` of the body."""
    paths = [value for name, value in call.form() if name.startswith("expand")]
    if not paths or reply.status != HTTPStatus.OK or "Idempotent-Replayed" in reply.headers:
        return reply
    obj = state.payment_intents[call.path.strip("/").split("/")[2]]
    for path in paths:
        obj = _expand(state, obj, path)
    return json_reply(200, obj, reply.headers)


def _inside_data(path: str) -> str:
    head, _, rest = path.partition(".")
    if head != "data" or not rest:
        raise refuse(
            400,
            f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.",
            param="expand",
        )
    return rest


def _expand(state: StripeState, obj: Json, path: str) -> Json:
    head, _, rest = path.partition(".")
    if head not in EXPANDABLE or head not in obj:
        raise refuse(400, f"This property cannot be expanded ({head}).", param="expand")
    store, value = EXPANDABLE[head], obj[head]
    if isinstance(value, str) and store is not None:
        value = getattr(state, store).get(value, value)
    if rest and isinstance(value, dict):
        value = _expand(state, value, rest)
    return {**obj, head: value}


def _authenticate(state: StripeState, call: Call) -> None:
    """Bearer, or basic with the key as user name, as Stripe's own examples use it."""
    scheme, _, credential = call.headers.get("authorization", "").partition(" ")
    key = credential.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise refuse(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    masked = f"{key[:8]}{'*' * 8}{key[-4:]}"
    if key in state.expired_keys:
        raise refuse(401, f"Expired API Key provided: {masked}", code="api_key_expired")
    if key not in state.api_keys:
        raise refuse(401, f"Invalid API Key provided: {masked}")
    asked = call.headers.get("stripe-account")
    if asked and asked != state.account_id:
        raise refuse(
            403,
            f"The provided key '{masked}' does not have access to account '{asked}' (or that account does not "
            "exist). Application access may have been revoked.",
            code="account_invalid",
        )


def _account(state: StripeState) -> Json:
    return {
        "id": state.account_id, "object": "account", "charges_enabled": True, "country": "US",
        "default_currency": "usd", "details_submitted": True, "email": "finance@example.com",
        "payouts_enabled": True, "type": "standard",
        "settings": {"dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"}},
    }  # fmt: skip


def _balance(state: StripeState) -> Json:
    money = [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
    return {"object": "balance", "available": money, "pending": money, "livemode": state.livemode}

"""Stripe as the official client sees it: authentication, routes, errors (PROVIDERS.md, "Stripe").

Belongs here: the order of checks, and the account. Does not belong here: lists and single objects (stripe_lists.py), or
what a POST changes (stripe_writes.py).
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Mapping
from http import HTTPStatus

from payments_pipeline.sandbox import stripe_writes
from payments_pipeline.sandbox.state import Json, SandboxState, StripeState
from payments_pipeline.sandbox.stripe_collections import COLLECTIONS, REVERSALS
from payments_pipeline.sandbox.stripe_errors import not_found, refuse, stripe_failure, unknown_url
from payments_pipeline.sandbox.stripe_lists import StripeLists, expanded, retrieve
from payments_pipeline.sandbox.wire import Call, FailureKind, Quota, RefusalError, Reply, json_reply


class StripeApi:
    """Answers for one account; `state.stripe` is read anew at each call."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._lists = StripeLists()
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
            case "GET", ["v1", ("account" | "balance") as own]:
                return json_reply(200, _account(state) if own == "account" else _balance(state))
            case "GET", ["v1", *parts]:
                return self._read(state, parts, call)
            case "POST", ["v1", "payment_intents", object_id, ("capture" | "cancel") as action]:
                reply = stripe_writes.perform(self._state, action, object_id, call, request_id)
                return _expanded_write(state, reply, call)
            case "POST", ["v1", "refunds"]:
                intent = dict(call.form()).get("payment_intent", "")
                return stripe_writes.perform(self._state, "refund", intent, call, request_id)
            case "POST", ["v1", ("transfers" | "payouts") as made]:
                sent_on: stripe_writes.Action = "transfer" if made == "transfers" else "payout"
                return stripe_writes.perform(self._state, sent_on, "", call, request_id)
        raise unknown_url(call)

    def _read(self, state: StripeState, parts: list[str], call: Call) -> Reply:
        """A list or a single object, by what follows `/v1/`."""
        now = int(self._state.clock().timestamp())
        match parts:
            case ["transfers", transfer_id, "reversals", *reversal]:
                if transfer_id not in state.transfers:
                    raise not_found("transfer", transfer_id, param="id")
                if not reversal:
                    return self._lists.page(state, REVERSALS, call, now=now, fixed={"transfer": transfer_id})
                if len(reversal) == 1:
                    return retrieve(state, REVERSALS, reversal[0], call, now=now, parent=transfer_id)
        if collection := COLLECTIONS.get("/".join(parts)):
            return self._lists.page(state, collection, call, now=now)
        if collection := COLLECTIONS.get("/".join(parts[:-1])):
            return retrieve(state, collection, parts[-1], call, now=now)
        raise unknown_url(call)


def _expanded_write(state: StripeState, reply: Reply, call: Call) -> Reply:
    """A stored answer is replayed as it was; a fresh one honours `expand` of the body."""
    paths = [value for name, value in call.form() if name.startswith("expand")]
    if not paths or reply.status != HTTPStatus.OK or "Idempotent-Replayed" in reply.headers:
        return reply
    intent = state.payment_intents[call.path.strip("/").split("/")[2]]
    return json_reply(200, expanded(state, intent, paths), reply.headers)


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

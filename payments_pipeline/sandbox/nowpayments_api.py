"""NOWPayments as its REST clients see it: log-in, list, single payment, errors (PROVIDERS.md, "NOWPayments").

Belongs here: its words, and its habits that break readers: ids that change type between endpoints, fields that only
the list has, the text "null" for no figure. Does not belong here: which payments exist.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import orjson

from payments_pipeline.sandbox.listing import Key, Listing, epoch_ms
from payments_pipeline.sandbox.state import Json, NowPaymentsState, SandboxState
from payments_pipeline.sandbox.wire import Call, FailureKind, Quota, RefusalError, Reply, json_reply

MAX_PAGE = 500
DEFAULT_PAGE = 10
SORTABLE = frozenset(
    {
        "payment_id", "payment_status", "pay_address", "price_amount", "price_currency", "pay_amount", "actually_paid",
        "pay_currency", "order_id", "order_description", "purchase_id", "outcome_amount", "outcome_currency",
        "created_at", "updated_at",
    }
)  # fmt: skip
KNOWN = frozenset({"limit", "page", "sortBy", "orderBy", "dateFrom", "dateTo", "invoiceId"})
ID_FIELDS = ("payment_id", "purchase_id", "parent_payment_id", "invoice_id")
LISTED_ONLY = frozenset({"parent_payment_id", "origin_type"})
JWT_HEADER = {"alg": "HS256", "typ": "JWT"}


class NowPaymentsApi:
    """Answers for one merchant."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._listing = Listing(lambda payment: epoch_ms(payment.get("created_at")))

    def answer(self, call: Call) -> Reply:
        try:
            with self._state.lock:
                return self._route(call)
        except RefusalError as refusal:
            return refusal.reply

    def failure(self, kind: FailureKind, retry_after: float | None) -> Reply:
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        status, code, message = {
            "rate_limited": (429, "TOO_MANY_REQUESTS", "Too Many Requests"),
            "lock_timeout": (429, "TOO_MANY_REQUESTS", "Too Many Requests"),
            "server_error": (500, "INTERNAL_SERVER_ERROR", "Internal server error"),
            "unauthorized": (401, "AUTH_REQUIRED", "Access denied | Invalid access token"),
            "forbidden": (403, "INVALID_API_KEY", "Invalid api key"),
        }[kind]
        reply = refuse(status, code, message).reply
        return Reply(reply.status, reply.body, headers)

    def remember(self, call: Call, reply: Reply) -> None:
        """NOWPayments has no idempotency keys."""

    def quota_headers(self, quota: Quota | None) -> Mapping[str, str]:
        del quota
        return {}

    def _route(self, call: Call) -> Reply:
        state = self._state.nowpayments
        match call.method, call.path.strip("/").split("/"):
            case "GET", ["v1", "status"]:
                return json_reply(200, {"message": "OK"})
            case "POST", ["v1", "auth"]:
                return _log_in(state, call)
            case "GET", ["v1", "payment"]:
                _check_key(state, call)
                _check_token(state, call)
                return self._list(state, call)
            case "GET", ["v1", "payment", payment_id]:
                _check_key(state, call)
                return _payment(state, payment_id)
        raise refuse(404, "NOT_FOUND", f"Cannot {call.method} {call.path}")

    def _list(self, state: NowPaymentsState, call: Call) -> Reply:
        params = call.params()
        if unknown := sorted(set(params) - KNOWN):
            raise refuse(400, "INVALID_REQUEST_PARAMS", f'"{unknown[0]}" is not allowed')
        limit = _integer(params, "limit", DEFAULT_PAGE, 1, MAX_PAGE)
        page = _integer(params, "page", 0, 0, None)
        newest_first = _choice(params, "orderBy", "asc", frozenset({"asc", "desc"})) == "desc"
        field = _choice(params, "sortBy", "created_at", SORTABLE)
        keys = self._listing.keys(state.payments)
        low, high = _span(keys, params)
        if field != "created_at":
            keys = sorted(keys[low:high], key=lambda key: _sort_value(state.payments[key[1]].get(field)))
            low, high = 0, len(keys)
        start = low + page * limit
        if newest_first:
            places = range(high - 1 - page * limit, max(low - 1, high - 1 - (page + 1) * limit), -1)
        else:
            places = range(start, min(high, start + limit))
        total = high - low
        return json_reply(
            200,
            {
                "data": [listed(state.payments[keys[place][1]]) for place in places],
                "limit": limit,
                "page": page,
                "pagesCount": -(-total // limit),
                "total": total,
            },
        )


def refuse(status: int, code: str, message: str) -> RefusalError:
    """An error answer in NOWPayments' form."""
    return RefusalError(json_reply(status, {"status": False, "statusCode": status, "code": code, "message": message}))


def _integer(params: Mapping[str, str], name: str, default: int, low: int, high: int | None) -> int:
    text = params.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise refuse(400, "INVALID_REQUEST_PARAMS", f"{name} must be a number") from None
    if value < low:
        raise refuse(400, "INVALID_REQUEST_PARAMS", f"{name} must be larger than or equal to {low}")
    if high is not None and value > high:
        raise refuse(400, "INVALID_REQUEST_PARAMS", f"{name} must be less than or equal to {high}")
    return value


def _choice(params: Mapping[str, str], name: str, default: str, allowed: frozenset[str]) -> str:
    value = params.get(name, default)
    if value not in allowed:
        raise refuse(400, "INVALID_REQUEST_PARAMS", f"{name} must be one of [{', '.join(sorted(allowed))}]")
    return value


def _span(keys: list[Key], params: Mapping[str, str]) -> tuple[int, int]:
    """Places of payments created from dateFrom to dateTo, both included."""
    low, high = 0, len(keys)
    if text := params.get("dateFrom"):
        low = bisect_left(keys, (_moment("dateFrom", text), ""))
    if text := params.get("dateTo"):
        high = bisect_left(keys, (_moment("dateTo", text) + 1, ""))
    return low, max(low, high)


def _moment(name: str, text: str) -> int:
    moment = epoch_ms(text)
    if not moment or text.isdigit():
        raise refuse(400, "INVALID_REQUEST_PARAMS", f"{name} must be a valid ISO 8601 date")
    return moment


def _sort_value(value: object) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    try:
        return 1, float(str(value)), ""
    except ValueError:
        return 2, 0.0, str(value)


def listed(payment: Json) -> Json:
    """As the list shows a payment: ids are numbers."""
    return _rendered(payment, lambda text: int(text) if text.isdigit() else text)


def _payment(state: NowPaymentsState, payment_id: str) -> Reply:
    payment = state.payments.get(payment_id)
    if payment is None:
        raise refuse(404, "PAYMENT_NOT_FOUND", "Payment not found")
    shown = _rendered(payment, str)
    return json_reply(200, {name: value for name, value in shown.items() if name not in LISTED_ONLY})


def _rendered(payment: Json, as_id: Any) -> Json:
    shown = dict(payment)
    for name in ID_FIELDS:
        if shown.get(name) is not None:
            shown[name] = as_id(str(shown[name]))
    if shown.get("burning_percent") is None:
        shown["burning_percent"] = "null"
    return shown


def _check_key(state: NowPaymentsState, call: Call) -> None:
    if not hmac.compare_digest(call.headers.get("x-api-key", "").encode(), state.api_key.encode()):
        raise refuse(403, "INVALID_API_KEY", "Invalid api key")


def _log_in(state: NowPaymentsState, call: Call) -> Reply:
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not body.get("email") or not body.get("password"):
        raise refuse(400, "INVALID_REQUEST_PARAMS", "email and password are required")
    if (body["email"], body["password"]) != (state.email, state.password):
        raise refuse(401, "AUTH_REQUIRED", "Invalid login or password")
    issued = time.time()
    claims = {"id": "1", "iat": issued, "exp": issued + state.token_seconds}
    signed = f"{_encoded(orjson.dumps(JWT_HEADER))}.{_encoded(orjson.dumps(claims))}"
    return json_reply(200, {"token": f"{signed}.{_signature(state, signed)}"})


def _check_token(state: NowPaymentsState, call: Call) -> None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise refuse(401, "AUTH_REQUIRED", "Authorization header is empty (Bearer JWTtoken is required)")
    signed, _, signature = token.strip().rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(state, signed).encode()):
        raise refuse(401, "AUTH_REQUIRED", "Access denied | Invalid access token")
    claims = orjson.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    if claims["exp"] <= time.time():
        raise refuse(401, "AUTH_REQUIRED", "Access denied | Access token expired")


def _signature(state: NowPaymentsState, signed: str) -> str:
    # Bound to the password: changing it in the state makes older tokens invalid, as it would at the provider.
    return _encoded(hmac.digest(state.password.encode(), signed.encode(), hashlib.sha256))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

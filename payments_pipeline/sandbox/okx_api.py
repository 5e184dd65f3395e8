"""OKX as ccxt sees it: signed requests, deposit history, and the small lists its markets need (PROVIDERS.md, "OKX").

Belongs here: paging by time, the envelope, error codes (https://www.okx.com/docs-v5/en/#error-code). Does not belong
here: which deposits exist.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from payments_pipeline.sandbox.listing import Listing, epoch_ms
from payments_pipeline.sandbox.state import Json, OkxState, SandboxState
from payments_pipeline.sandbox.wire import Call, FailureKind, Quota, RefusalError, Reply, json_reply

MAX_PAGE = 100
TIMESTAMP_TOLERANCE_SECONDS = 30
FILTERS = ("ccy", "depId", "fromWdId", "txId", "type", "state")
STATES = frozenset({"0", "1", "2", "8", "11", "12", "13", "14", "17"})
CURRENCIES = (
    ("USDT", "Tether", ("USDT-TRC20", "USDT-ERC20")),
    ("USDC", "USD Coin", ("USDC-ERC20",)),
    ("BTC", "Bitcoin", ("BTC-Bitcoin",)),
    ("ETH", "Ethereum", ("ETH-ERC20",)),
    ("XRP", "Ripple", ("XRP-Ripple",)),
    ("TON", "Toncoin", ("TON-TON",)),
)


class OkxApi:
    """Answers for one account."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._listing = Listing(lambda deposit: epoch_ms(deposit.get("ts")))

    def answer(self, call: Call) -> Reply:
        try:
            with self._state.lock:
                return self._route(call)
        except RefusalError as refusal:
            return refusal.reply

    def failure(self, kind: FailureKind, retry_after: float | None) -> Reply:
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        status, code, message = {
            "rate_limited": (429, "50011", "Requests too frequent."),
            "lock_timeout": (429, "50013", "Systems are busy. Please try again later."),
            "server_error": (500, "50026", "System error. Try again later."),
            "unauthorized": (401, "50111", "Invalid OK-ACCESS-KEY"),
            "forbidden": (401, "50110", "Your IP is not included in your API key's IP whitelist."),
        }[kind]
        reply = refuse(status, code, message).reply
        return Reply(reply.status, reply.body, headers)

    def remember(self, call: Call, reply: Reply) -> None:
        """OKX has no idempotency keys."""

    def quota_headers(self, quota: Quota | None) -> Mapping[str, str]:
        del quota
        return {}

    def _route(self, call: Call) -> Reply:
        state = self._state.okx
        if call.method != "GET":
            raise refuse(405, "50115", "Invalid request method.")
        match call.path.removeprefix("/api/v5/").strip("/"):
            case "public/time":
                return _envelope([{"ts": str(round(_now(state) * 1000))}])
            case "public/instruments":
                return _envelope(_instruments(call.params().get("instType", "")))
            case "asset/deposit-history":
                _check_signature(state, call)
                return self._deposits(state, call)
            case "asset/currencies":
                _check_signature(state, call)
                return _envelope(_currencies(call.params().get("ccy")))
            case "account/config":
                _check_signature(state, call)
                return _envelope([_account(state)])
        raise refuse(404, "404", "Not Found")

    def _deposits(self, state: OkxState, call: Call) -> Reply:
        """Newest first; `after` means older than, `before` newer than, both exclusive, in ms of `ts`."""
        params = call.params()
        if params.get("state", "2") not in STATES:
            raise refuse(400, "51000", "Parameter state error")
        limit = _integer(params, "limit", MAX_PAGE)
        if not 1 <= limit <= MAX_PAGE:
            raise refuse(400, "51000", "Parameter limit error")
        keys = self._listing.keys(state.deposits)
        low, high = 0, len(keys)
        if "after" in params:
            high = bisect_left(keys, (_integer(params, "after", 0), ""))
        if "before" in params:
            low = bisect_left(keys, (_integer(params, "before", 0) + 1, ""))
        newest_first = (state.deposits[keys[place][1]] for place in range(high - 1, low - 1, -1))
        return _envelope(list(itertools.islice(_matching(newest_first, params), limit)))


def refuse(status: int, code: str, message: str) -> RefusalError:
    """An error answer in OKX's envelope."""
    return RefusalError(json_reply(status, {"code": code, "data": [], "msg": message}))


def _envelope(rows: list[Json]) -> Reply:
    return json_reply(200, {"code": "0", "data": rows, "msg": ""})


def _matching(deposits: Iterable[Json], params: Mapping[str, str]) -> Iterable[Json]:
    wanted = {name: params[name] for name in FILTERS if params.get(name)}
    if not wanted:
        return deposits
    return (
        deposit for deposit in deposits if all(str(deposit.get(name, "")) == value for name, value in wanted.items())
    )


def _integer(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name, default))
    except ValueError:
        raise refuse(400, "51000", f"Parameter {name} error") from None


def _now(state: OkxState) -> float:
    return time.time() + state.skew_seconds


def _check_signature(state: OkxState, call: Call) -> None:
    """https://www.okx.com/docs-v5/en/#overview-rest-authentication: base64 of HMAC-SHA256 over
    timestamp + method + path with query + body."""
    sent = {}
    for name, code in (("KEY", "50103"), ("PASSPHRASE", "50104"), ("SIGN", "50106"), ("TIMESTAMP", "50107")):
        value = call.headers.get(f"ok-access-{name.lower()}", "")
        if not value:
            raise refuse(401, code, f"Request header OK-ACCESS-{name} can not be empty.")
        sent[name] = value
    if sent["KEY"] != state.api_key:
        raise refuse(401, "50111", "Invalid OK-ACCESS-KEY")
    try:
        moment = datetime.fromisoformat(sent["TIMESTAMP"])
    except ValueError:
        raise refuse(401, "50112", "Invalid OK-ACCESS-TIMESTAMP") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if abs(_now(state) - moment.timestamp()) > TIMESTAMP_TOLERANCE_SECONDS:
        raise refuse(401, "50102", "Timestamp request expired")
    if sent["PASSPHRASE"] != state.passphrase:
        raise refuse(401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
    target = f"{call.path}?{call.query}" if call.query else call.path
    signed = f"{sent['TIMESTAMP']}{call.method}{target}".encode() + call.body
    expected = base64.b64encode(hmac.digest(state.api_secret.encode(), signed, hashlib.sha256))
    if not hmac.compare_digest(expected, sent["SIGN"].encode()):
        raise refuse(401, "50113", "Invalid Sign")


def _account(state: OkxState) -> Json:
    return {
        "uid": state.uid, "mainUid": state.uid, "acctLv": "1", "posMode": "net_mode", "label": "sandbox",
        "perm": "read_only", "ip": "", "kycLv": "3", "type": "0", "level": "Lv1", "roleType": "0",
    }  # fmt: skip


def _currencies(asked: str | None) -> list[Json]:
    wanted = set(asked.split(",")) if asked else None
    return [
        {
            "ccy": ccy, "name": name, "chain": chain, "canDep": True, "canWd": True, "canInternal": True,
            "ctAddr": "", "depQuotaFixed": "", "logoLink": "", "mainNet": place == 0, "maxFee": "2", "minFee": "1",
            "maxWd": "1000000", "minDep": "0.00000001", "minWd": "1", "minDepArrivalConfirm": "1",
            "minWdUnlockConfirm": "1", "needTag": ccy in {"XRP", "TON"}, "usedWdQuota": "0", "wdQuota": "100000",
            "wdTickSz": "8", "fee": "1", "burningFeeRate": "",
        }
        for ccy, name, chains in CURRENCIES
        for place, chain in enumerate(chains)
        if wanted is None or ccy in wanted
    ]  # fmt: skip


def _instruments(kind: str) -> list[Json]:
    if kind not in {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}:
        raise refuse(400, "51000", "Parameter instType error")
    if kind != "SPOT":
        return []
    return [
        {
            "instType": "SPOT", "instId": f"{ccy}-USDT", "baseCcy": ccy, "quoteCcy": "USDT", "settleCcy": "", "uly": "",
            "instFamily": "", "alias": "", "category": "1", "ctMult": "", "ctType": "", "ctVal": "", "ctValCcy": "",
            "expTime": "", "lever": "1", "listTime": "1548133413000", "lotSz": "0.00000001", "minSz": "0.00001",
            "maxMktSz": "1000000", "optType": "", "state": "live", "stk": "", "tickSz": "0.1",
        }
        for ccy, _, _ in CURRENCIES
        if ccy != "USDT"
    ]  # fmt: skip

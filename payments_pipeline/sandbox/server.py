"""The simulated providers on one loopback port, in a thread for tests and demos or in the foreground for `make dev`.

Belongs here: the transport, recording of requests, acting out faults. Does not belong here: what a provider answers
(one module each) or which call fails (failures.py).
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import uvicorn

from payments_pipeline.errors import TransientError
from payments_pipeline.sandbox.discord_api import DiscordApi
from payments_pipeline.sandbox.failures import Fault, FaultPlan
from payments_pipeline.sandbox.nowpayments_api import NowPaymentsApi
from payments_pipeline.sandbox.okx_api import OkxApi
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_api import StripeApi
from payments_pipeline.sandbox.wire import Call, ProviderApi, Reply, json_reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROVIDERS = frozenset({"stripe", "nowpayments", "okx", "discord"})
DISCORD_API = "/api"
UNHURRIED = "1000"
"""Calls a second that a sandbox on loopback is asked at most: more than it answers."""
OKX_AT_MOST = "6"
START_SECONDS = 10.0
STOP_SECONDS = 5.0
HANG_STEP_SECONDS = 0.02


@dataclass(slots=True)
class RecordedRequest:
    """One request as it came in. `time` is UTC, `path` the provider's own, `status` 0 while unanswered or cut."""

    provider: str
    method: str
    path: str
    query: str
    time: datetime
    headers: dict[str, str]
    body: bytes
    status: int = 0


class Application:
    """The ASGI application: `/stripe`, `/nowpayments`, `/okx` and `/discord/api` on one port."""

    def __init__(self, state: SandboxState, faults: FaultPlan) -> None:
        self.requests: list[RecordedRequest] = []
        self.stopping = False
        self.load(state, faults)

    def load(self, state: SandboxState, faults: FaultPlan) -> None:
        """Serve another world from now on."""
        self.faults = faults
        self._state = state
        self._apis: dict[str, ProviderApi] = {
            "stripe": StripeApi(state),
            "nowpayments": NowPaymentsApi(state),
            "okx": OkxApi(state),
            "discord": DiscordApi(state),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        call = _call(scope, bytes(body))
        if call is None:
            await _send(send, json_reply(404, {"message": "no simulated provider has this path"}))
            return
        record = RecordedRequest(
            call.provider, call.method, call.path, call.query, datetime.now(UTC), dict(call.headers), call.body
        )
        self.requests.append(record)
        reply, fault = await self._respond(call)
        if self._state.tells_time:
            reply = _with_headers(reply, {"Date": format_datetime(self._state.clock(), usegmt=True)})
        if fault is not None and fault.kind == "cut_body":
            await _send_half(send, reply)
            return
        record.status = reply.status
        await _send(send, reply)

    async def _respond(self, call: Call) -> tuple[Reply, Fault | None]:
        faults, api = self.faults, self._apis[call.provider]
        if delay := faults.latency.get(call.provider):
            await asyncio.sleep(delay)
        quota = faults.take(call.provider, time.monotonic())
        if quota is not None and not quota.allowed:
            return _with_headers(
                api.failure("rate_limited", _told_wait(call, quota.wait)), api.quota_headers(quota)
            ), None
        page = faults.page_of(call)
        if faults.on_page is not None and page:
            faults.on_page(call.provider, call.path, page)
        fault = faults.draw(call, page)
        reply = api.answer(call) if fault is None or fault.applied else None
        if fault is not None:
            reply = await self._spoil(fault, call, reply, api)
        assert reply is not None  # noqa: S101  (either answered, or spoiled into an answer)
        return _with_headers(reply, api.quota_headers(quota)), fault

    async def _spoil(self, fault: Fault, call: Call, reply: Reply | None, api: ProviderApi) -> Reply:
        match fault.kind:
            case "hang":
                await self._hang(fault.seconds)
                return reply or api.answer(call)
            case "cut_body":
                return reply or api.answer(call)
            case "invalid_json":
                whole = (reply or api.answer(call)).body
                return Reply(200, whole[: max(1, len(whole) // 2)])
            case "empty_body":
                return Reply(200, b"")
            case kind:
                failure = api.failure(kind, fault.retry_after)
                if fault.stored:
                    api.remember(call, failure)
                return failure

    async def _hang(self, seconds: float) -> None:
        """Wait, but not beyond the sandbox's own end."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(HANG_STEP_SECONDS, left))


class Sandbox:
    """All simulated providers over HTTP, served from a thread while the `with` block runs.

    Args:
        state: what they hold; may be changed at any time under its lock.
        faults: what goes wrong; none by default.
        port: 0 picks a free one. The server listens on loopback only.
    """

    def __init__(self, state: SandboxState, faults: FaultPlan | None = None, *, port: int = 0) -> None:
        self.state = state
        self.faults = faults or FaultPlan()
        self._port = port
        self._application = Application(state, self.faults)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request since the start or the last `load`, in order of arrival."""
        return self._application.requests

    def load(self, state: SandboxState, faults: FaultPlan | None = None) -> None:
        """Swap the world under the running server and forget the requests; cheaper than a new sandbox."""
        self.state, self.faults = state, faults or FaultPlan()
        self._application.load(self.state, self.faults)
        self.requests.clear()

    def environment(self) -> dict[str, str]:
        """Environment variables that point the pipeline at this sandbox."""
        return environment(self.state, self.base_url)

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self._port))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.stripe_base = f"{self.base_url}/stripe"
        self.nowpayments_base = f"{self.base_url}/nowpayments"
        self.okx_base = f"{self.base_url}/okx"
        self.discord_base = f"{self.base_url}/discord{DISCORD_API}"
        self._application.stopping = False
        self._server = uvicorn.Server(_config(self._application))
        self._listener = listener
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise TransientError("The simulated providers did not start.", where=self.base_url, remedy="Try again.")
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._application.stopping = True
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(STOP_SECONDS)
        self._listener.close()


def serve(state: SandboxState, host: str = "127.0.0.1", port: int = 8765, faults: FaultPlan | None = None) -> None:
    """Serve in the foreground until interrupted (SIGINT or SIGTERM)."""
    application = Application(state, faults or FaultPlan())
    try:
        uvicorn.Server(_config(application, host=host, port=port)).run()
    except KeyboardInterrupt:
        application.stopping = True


def environment(state: SandboxState, base_url: str) -> dict[str, str]:
    """Environment variables that point the pipeline at a sandbox served at `base_url` (no trailing slash).

    The rates that protect a real provider's quota would only slow a sandbox down; OKX's can't be set higher.
    """
    discord = f"{base_url}/discord{DISCORD_API}"
    return {
        "STRIPE_API_KEY": min(state.stripe.api_keys, default=""),
        "STRIPE_ACCOUNT": state.stripe.account_id,
        "STRIPE_API_BASE": f"{base_url}/stripe",
        "STRIPE_CALLS_PER_SECOND": UNHURRIED,
        "STRIPE_ENDPOINT_CALLS_PER_SECOND": UNHURRIED,
        "NOWPAYMENTS_API_KEY": state.nowpayments.api_key,
        "NOWPAYMENTS_EMAIL": state.nowpayments.email,
        "NOWPAYMENTS_PASSWORD": state.nowpayments.password,
        "NOWPAYMENTS_API_BASE": f"{base_url}/nowpayments",
        "NOWPAYMENTS_CALLS_PER_SECOND": UNHURRIED,
        "OKX_API_KEY": state.okx.api_key,
        "OKX_API_SECRET": state.okx.api_secret,
        "OKX_API_PASSPHRASE": state.okx.passphrase,
        "OKX_API_BASE": f"{base_url}/okx",
        "OKX_CALLS_PER_SECOND": OKX_AT_MOST,
        "DISCORD_API_BASE": discord,
        "DISCORD_WEBHOOK_URL": f"{discord}/webhooks/{state.discord.webhook_id}/{state.discord.webhook_token}",
    }


def _config(application: Application, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    return uvicorn.Config(
        application, host=host, port=port, lifespan="off", ws="none", access_log=False, log_config=None,
        log_level="critical", server_header=False, date_header=False, timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )  # fmt: skip


def _call(scope: Scope, body: bytes) -> Call | None:
    """The request as a value; None when its path names no provider."""
    _, _, tail = scope["path"].partition("/")
    provider, slash, path = tail.partition("/")
    if provider not in PROVIDERS:
        return None
    path = slash + path
    if provider == "discord":
        path = path.removeprefix(DISCORD_API)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(provider, scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


def _told_wait(call: Call, wait: float) -> float | None:
    """Discord says how long to wait at its own limit; the others leave the client to guess."""
    return wait if call.provider == "discord" else None


def _with_headers(reply: Reply, more: Any) -> Reply:
    return Reply(reply.status, reply.body, {**more, **reply.headers}, reply.content_type) if more else reply


def _start(reply: Reply) -> dict[str, Any]:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    if reply.status != HTTPStatus.NO_CONTENT:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    if reply.body:
        headers.append((b"content-type", reply.content_type.encode()))
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send(send: Send, reply: Reply) -> None:
    await send(_start(reply))
    await send({"type": "http.response.body", "body": reply.body})


async def _send_half(send: Send, reply: Reply) -> None:
    """Promise the whole body, send half; the server then closes the connection because the answer is incomplete."""
    await send(_start(reply))
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})

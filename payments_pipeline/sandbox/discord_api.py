"""Discord's webhook endpoints: post, read, edit and delete a message (PROVIDERS.md, "Discord webhooks").

Belongs here: routing, messages, quota headers. Does not belong here: what a message may contain (discord_limits.py).
Source: https://discord.com/developers/docs/resources/webhook.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping

import orjson

from payments_pipeline.sandbox.discord_limits import check_message
from payments_pipeline.sandbox.state import DiscordState, Json, SandboxState
from payments_pipeline.sandbox.wire import Call, FailureKind, Quota, RefusalError, Reply, json_reply

# What Discord shows when nobody has measured more (about 5 calls in 2 seconds for each webhook).
NOMINAL_QUOTA = Quota(limit=5, remaining=4, seconds=2.0, wait=0.0, allowed=True)
FIRST_MESSAGE_ID = 1_400_000_000_000_000_000
ROUTE = re.compile(r"^(?:/v\d+)?/webhooks/(?P<webhook>\d+)/(?P<token>[^/]+)(?:/messages/(?P<message>[^/]+))?/?$")
OURS_ALONE = frozenset({"edits", "allowed_mentions"})


class DiscordApi:
    """Answers for one webhook."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._numbers = itertools.count(FIRST_MESSAGE_ID)

    def answer(self, call: Call) -> Reply:
        try:
            with self._state.lock:
                return self._route(call)
        except RefusalError as refusal:
            return refusal.reply

    def failure(self, kind: FailureKind, retry_after: float | None) -> Reply:
        match kind:
            case "rate_limited" | "lock_timeout" if retry_after is None:
                # The edge's ban, not the API's limit: no JSON and no hint how long.
                return Reply(429, b"error code: 1015", {}, "text/plain; charset=UTF-8")
            case "rate_limited" | "lock_timeout":
                return _rate_limited(retry_after or 0.0)
            case "server_error":
                return json_reply(500, {"message": "500: Internal Server Error", "code": 0})
            case "unauthorized":
                return json_reply(401, {"message": "Invalid Webhook Token", "code": 50027})
            case "forbidden":
                return json_reply(403, {"message": "Missing Access", "code": 50001})

    def remember(self, call: Call, reply: Reply) -> None:
        """Discord has no idempotency keys; a message posted twice is shown twice."""

    def quota_headers(self, quota: Quota | None) -> Mapping[str, str]:
        shown = quota or NOMINAL_QUOTA
        reset_after = shown.wait if shown.remaining == 0 else shown.seconds
        return {
            "X-RateLimit-Limit": str(shown.limit),
            "X-RateLimit-Remaining": str(shown.remaining),
            "X-RateLimit-Reset": f"{self._state.clock().timestamp() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": "sandbox-webhook",
            "Via": "1.1 sandbox",
        }

    def _route(self, call: Call) -> Reply:
        state = self._state.discord
        route = ROUTE.match(call.path)
        if route is None:
            raise refuse(404, 0, "404: Not Found")
        if state.gone or route["webhook"] != state.webhook_id:
            raise refuse(404, 10015, "Unknown Webhook")
        if route["token"] != state.webhook_token:
            raise refuse(401, 50027, "Invalid Webhook Token")
        if route["message"] is None:
            return self._webhook(state, call)
        return self._message(state, route["message"], call)

    def _webhook(self, state: DiscordState, call: Call) -> Reply:
        if call.method == "GET":
            return json_reply(
                200, {"id": state.webhook_id, "type": 1, "name": "Payments", "token": state.webhook_token}
            )
        if call.method != "POST":
            raise refuse(405, 0, "405: Method Not Allowed")
        payload = _payload(call)
        check_message(payload, complete=True)
        message = self._create(state, payload)
        if call.params().get("wait", "false").lower() not in {"true", "1"}:
            return Reply(204, b"")
        return json_reply(200, _shown(message))

    def _create(self, state: DiscordState, payload: Json) -> Json:
        message_id = str(next(self._numbers))
        while message_id in state.messages:
            message_id = str(next(self._numbers))
        content = payload.get("content") or ""
        message: Json = {
            "id": message_id, "type": 0, "content": content, "channel_id": "1000000000000000002",
            "author": {"id": state.webhook_id, "username": payload.get("username") or "Payments", "avatar": None,
                       "discriminator": "0000", "bot": True, "global_name": None, "public_flags": 0},
            "embeds": payload.get("embeds") or [], "attachments": [], "mentions": [], "mention_roles": [],
            "mention_everyone": _pings_everyone(content, payload), "pinned": False, "tts": bool(payload.get("tts")),
            "timestamp": self._state.clock().isoformat(), "edited_timestamp": None, "flags": 0, "components": [],
            "webhook_id": state.webhook_id, "edits": 0, "allowed_mentions": payload.get("allowed_mentions"),
        }  # fmt: skip
        state.messages[message_id] = message
        return message

    def _message(self, state: DiscordState, message_id: str, call: Call) -> Reply:
        message = state.messages.get(message_id)
        if message is None:
            raise refuse(404, 10008, "Unknown Message")
        match call.method:
            case "GET":
                return json_reply(200, _shown(message))
            case "DELETE":
                del state.messages[message_id]
                return Reply(204, b"")
            case "PATCH":
                payload = _payload(call)
                check_message(message | payload, complete=True)
                message.update({name: payload[name] for name in ("content", "embeds") if name in payload})
                message["content"], message["embeds"] = message["content"] or "", message["embeds"] or []
                message["edits"] += 1
                message["edited_timestamp"] = self._state.clock().isoformat()
                return json_reply(200, _shown(message))
        raise refuse(405, 0, "405: Method Not Allowed")


def refuse(status: int, code: int, message: str) -> RefusalError:
    """An error answer in Discord's form; `code` 0 is a general HTTP error."""
    return RefusalError(json_reply(status, {"message": message, "code": code}))


def _payload(call: Call) -> Json:
    """The JSON body.

    Raises:
        RefusalError: it is not a JSON object; attachments (multipart) are not simulated.
    """
    try:
        payload = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        raise refuse(400, 50109, "The request body contains invalid JSON.") from None
    if not isinstance(payload, dict):
        raise refuse(400, 50109, "The request body contains invalid JSON.")
    return payload


def _shown(message: Json) -> Json:
    return {name: value for name, value in message.items() if name not in OURS_ALONE}


def _pings_everyone(content: str, payload: Json) -> bool:
    allowed = payload.get("allowed_mentions")
    permitted = allowed is None or "everyone" in (allowed.get("parse") or [])
    return permitted and ("@everyone" in content or "@here" in content)


def _rate_limited(retry_after: float) -> Reply:
    return json_reply(
        429,
        {"message": "You are being rate limited.", "retry_after": round(retry_after, 3), "global": False},
        {"Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": "user"},
    )

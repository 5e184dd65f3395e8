"""What Discord accepts in a message, and its "Invalid Form Body" answer that names every broken field.

Belongs here: limits of content and embeds (https://discord.com/developers/docs/resources/message#embed-object-embed-limits).
Does not belong here: routes and stored messages (discord_api.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from payments_pipeline.sandbox.wire import RefusalError, json_reply

CONTENT = 2000
EMBEDS = 10
FIELDS = 25
ALL_EMBEDS_TOGETHER = 6000
MAX_COLOUR = 0xFFFFFF
USERNAME = 80
TEXT_LIMITS = {"title": 256, "description": 4096}
PART_LIMITS = {("footer", "text"): 2048, ("author", "name"): 256}
FIELD_LIMITS = {"name": 256, "value": 1024}
MENTION_TYPES = frozenset({"everyone", "roles", "users"})

Problem = tuple[tuple[str, ...], str, str]
"""Path in the payload, Discord's code, Discord's message."""


def check_message(payload: dict[str, Any], *, complete: bool) -> None:
    """Refuse what Discord would refuse.

    Args:
        complete: an empty message is refused too.

    Raises:
        RefusalError: 400 with code 50035 and the tree of problems, or 50006 for an empty message.
    """
    problems = list(_problems(payload))
    if problems:
        tree: dict[str, Any] = {}
        for path, code, message in problems:
            node = tree
            for step in path:
                node = node.setdefault(step, {})
            node.setdefault("_errors", []).append({"code": code, "message": message})
        raise RefusalError(json_reply(400, {"message": "Invalid Form Body", "code": 50035, "errors": tree}))
    shown = [embed for embed in payload.get("embeds") or [] if any(embed.values())]
    if complete and not str(payload.get("content") or "").strip() and not shown:
        raise RefusalError(json_reply(400, {"message": "Cannot send an empty message", "code": 50006}))


def _problems(payload: dict[str, Any]) -> Iterator[Problem]:
    yield from _text(("content",), payload.get("content"), CONTENT)
    yield from _text(("username",), payload.get("username"), USERNAME)
    yield from _mentions(payload.get("allowed_mentions"))
    embeds = payload.get("embeds")
    if embeds is None:
        return
    if not isinstance(embeds, list):
        yield ("embeds",), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"
        return
    if len(embeds) > EMBEDS:
        yield ("embeds",), "BASE_TYPE_MAX_LENGTH", f"Must be {EMBEDS} or fewer in length."
    total = 0
    for place, embed in enumerate(embeds):
        path = ("embeds", str(place))
        if not isinstance(embed, dict):
            yield path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"
            continue
        yield from _embed(path, embed)
        total += _length(embed)
    if total > ALL_EMBEDS_TOGETHER:
        yield (
            ("embeds",), "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {ALL_EMBEDS_TOGETHER}",
        )  # fmt: skip


def _embed(path: tuple[str, ...], embed: dict[str, Any]) -> Iterator[Problem]:
    for name, limit in TEXT_LIMITS.items():
        yield from _text((*path, name), embed.get(name), limit)
    for (part, name), limit in PART_LIMITS.items():
        if embed.get(part) is not None:
            yield from _text((*path, part, name), embed[part].get(name), limit, required=True)
    yield from _colour((*path, "color"), embed.get("color"))
    yield from _url((*path, "url"), embed.get("url"))
    yield from _timestamp((*path, "timestamp"), embed.get("timestamp"))
    fields = embed.get("fields") or []
    if len(fields) > FIELDS:
        yield (*path, "fields"), "BASE_TYPE_MAX_LENGTH", f"Must be {FIELDS} or fewer in length."
    for place, field in enumerate(fields):
        for name, limit in FIELD_LIMITS.items():
            yield from _text((*path, "fields", str(place), name), field.get(name), limit, required=True)


def _text(path: tuple[str, ...], value: object, limit: int, *, required: bool = False) -> Iterator[Problem]:
    if value is None or value == "":
        if required:
            yield path, "BASE_TYPE_REQUIRED", "This field is required"
    elif not isinstance(value, str):
        yield path, "STRING_TYPE_CONVERT", "Could not interpret value as string."
    elif len(value) > limit:
        yield path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."


def _colour(path: tuple[str, ...], value: object) -> Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, int):
        yield path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.'
    elif not 0 <= value <= MAX_COLOUR:
        yield path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {MAX_COLOUR}."


def _url(path: tuple[str, ...], value: object) -> Iterator[Problem]:
    if value and not re.match(r"https?://[^\s/]+", str(value)):
        yield path, "URL_TYPE_INVALID_URL", "Not a well formed URL."


def _timestamp(path: tuple[str, ...], value: object) -> Iterator[Problem]:
    if not value:
        return
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        yield path, "DATE_TIME_TYPE_PARSE", f"Could not parse {value}. Should be ISO8601."


def _mentions(value: object) -> Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield ("allowed_mentions",), "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"
        return
    for place, kind in enumerate(value.get("parse") or []):
        if kind not in MENTION_TYPES:
            yield (
                ("allowed_mentions", "parse", str(place)), "BASE_TYPE_CHOICES",
                f"Value must be one of {set(MENTION_TYPES)}.",
            )  # fmt: skip


def _length(embed: dict[str, Any]) -> int:
    """Characters that count towards the sum over all embeds: title, description, fields, footer text, author name."""
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get(part) or {}).get(name) for part, name in PART_LIMITS]
    texts += [field.get(name) for field in embed.get("fields") or [] for name in FIELD_LIMITS]
    return sum(len(text) for text in texts if isinstance(text, str))

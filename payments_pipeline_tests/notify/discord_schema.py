"""What Discord's published OpenAPI description says of a webhook's messages, written down by hand.

Source: specs/openapi.json of github.com/discord/discord-api-spec (API v10, MIT licence), components
IncomingWebhookRequestPartial, IncomingWebhookUpdateRequestPartial, RichEmbed, RichEmbedField, RichEmbedFooter and
MessageAllowedMentionsRequest: the parts that we send; unknown keys are refused here, so that nothing else slips in.
With DISCORD_OPENAPI naming a copy of that file, the same payloads are also held against the file itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema

EVERYWHERE_TOGETHER = 6000  # characters over all embeds of a message: documented, but in no schema


def text(longest: int) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": longest}


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


FIELD = closed(
    {
        "name": {"type": "string", "maxLength": 256},
        "value": {"type": "string", "maxLength": 1024},
        "inline": {"type": ["boolean", "null"]},
    },
    "name",
    "value",
)
EMBED = closed(
    {
        "title": text(256),
        "description": text(4096),
        "url": {"type": ["string", "null"], "maxLength": 2048, "format": "uri"},
        "color": {"type": ["integer", "null"], "minimum": 0, "maximum": 0xFFFFFF},
        "timestamp": {"type": ["string", "null"], "format": "date-time"},
        "footer": closed({"text": text(2048)}),
        "fields": {"type": ["array", "null"], "items": FIELD, "maxItems": 25},
    }
)
MENTIONS = closed(
    {"parse": {"type": ["array", "null"], "items": {"enum": ["users", "roles", "everyone", None]}, "uniqueItems": True}}
)
MESSAGE = closed(
    {
        "content": text(2000),
        "embeds": {"type": ["array", "null"], "items": EMBED, "maxItems": 10},
        "allowed_mentions": MENTIONS,
    }
)
_PUBLISHED = os.environ.get("DISCORD_OPENAPI")


def validators() -> list[jsonschema.Draft202012Validator]:
    """Ours, and those of the published file where there is one."""
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    found = [jsonschema.Draft202012Validator(MESSAGE, format_checker=formats)]
    if _PUBLISHED:
        components = json.loads(Path(_PUBLISHED).read_text())["components"]
        for name in ("IncomingWebhookRequestPartial", "IncomingWebhookUpdateRequestPartial"):
            schema = {"$ref": f"#/components/schemas/{name}", "components": components}
            found.append(jsonschema.Draft202012Validator(schema, format_checker=formats))
    return found

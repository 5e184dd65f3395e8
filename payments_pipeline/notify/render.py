"""A message as a Discord payload: one embed, within every limit, whatever the body holds. Pure.

Belongs here: what stands where, and its colour. Does not belong here: which facts there are (content.py), how text is
made safe (text.py), or HTTP (discord.py). Limits: Discord's documentation of embeds, "Embed Limits".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.content import (
    GAP_REPORT,
    LABELS,
    further,
    identity,
    is_over,
    known,
    lead,
    moment,
    row_of,
    run_url,
    state,
    time_text,
    title,
)
from payments_pipeline.notify.text import clean, fitted, link, shown, units

RED, ORANGE, YELLOW, GREEN, GREY = 0xE01E5A, 0xF2811D, 0xF2C744, 0x2EB67D, 0x8D99A6
COLOURS = {"CRITICAL": RED, "HIGH": ORANGE, "MEDIUM": YELLOW, "LOW": GREY}
WEBHOOK_REPORTS = "webhook"

TOTAL, TITLE, NAME, FIELDS, FOOTER = 6000, 256, 256, 25, 2048
# Shorter than Discord's own limits, so that the fields that matter always fit into TOTAL together.
DESCRIPTION, VALUE, REASON, ADVICE, LINKS, EXTRA, LIST = 800, 200, 600, 1000, 850, 300, 1000
NO_MENTIONS: Mapping[str, Any] = {"parse": []}

Field = dict[str, Any]


def render(message: Message, *, personal: bool = False) -> dict[str, Any]:
    """The payload that creates or edits the message.

    Args:
        message: any body; unknown keys become further fields, missing ones are left out.
        personal: show e-mail addresses and other personal data instead of masking them.

    Returns:
        ``{"content": None, "embeds": [one embed], "allowed_mentions": {"parse": []}}``; without content, because the
        headline that kept the message's place goes.
    """
    embed: dict[str, Any] = {
        "title": shown(f"{state(message)} · {title(message)}", TITLE, personal=personal),
        "description": shown(lead(message), DESCRIPTION, personal=personal),
        "color": colour(message),
        "fields": list(islice(_fields(message, personal), FIELDS)),
        "footer": {"text": fitted(identity(message), FOOTER)},
    }
    if (opened := moment(message.body.get("opened_at"))) is not None:
        embed["timestamp"] = opened.isoformat()
    while size(embed) > TOTAL:
        embed["fields"].pop()
    return {"content": None, "embeds": [embed], "allowed_mentions": dict(NO_MENTIONS)}


def headline(message: Message, *, personal: bool = False) -> dict[str, Any]:
    """The payload that keeps a place for the message: how bad and about what, but not which finding it is."""
    text = shown(f"{state(message)} · {title(message)}", TITLE, personal=personal)
    return {"content": f"{text} …", "allowed_mentions": dict(NO_MENTIONS)}


def colour(message: Message) -> int:
    """Green for what is over; red for gaps and critical, orange for webhooks and high, yellow for medium, else grey."""
    if is_over(message):
        return GREEN
    report = message.body.get("report")
    if report == GAP_REPORT:
        return RED
    if isinstance(report, str) and report.startswith(WEBHOOK_REPORTS) and message.severity != "CRITICAL":
        return ORANGE
    return COLOURS.get(message.severity, GREY)


def size(embed: Mapping[str, Any]) -> int:
    """What Discord counts against its 6000: title, description, footer, names and values, in UTF-16 code units."""
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [part for field in embed["fields"] for part in (field["name"], field["value"])]
    return sum(units(text) for text in texts)


def _fields(message: Message, personal: bool) -> Iterator[Field]:
    body = message.body
    facts = known(row_of(message))
    for key, label in LABELS.items():
        if key in facts or body.get("report") == GAP_REPORT:
            limit = REASON if key == "reason" else VALUE
            yield _field(label, facts.get(key), limit, personal, inline=key != "reason")
    if body.get("what_to_do") and not is_over(message):
        yield _field("What to do", body["what_to_do"], ADVICE, personal, inline=False)
    links = [text for text in (link("report", body.get("report_url")), link("run", run_url(body))) if text]
    if links:
        yield {"name": "Links", "value": fitted(" · ".join(links), LINKS), "inline": False}
    for fact, value in further(message, personal=personal):
        yield from _extra(fact, value, personal)


def _extra(key: object, value: Any, personal: bool) -> Iterator[Field]:
    """A further fact; a mapping (counts by severity, amounts by currency) or a list becomes one line an entry."""
    if value is None or value in ("", {}, []):
        return
    name = shown(str(key).replace("_", " ").strip().capitalize(), NAME, personal=personal)
    if isinstance(value, Mapping):
        lines = [f"{_short(word, personal)}: {_short(number, personal)}" for word, number in value.items()]
    elif isinstance(value, list | tuple):
        lines = [_short(_listed(item), personal) for item in value]
    else:
        yield {"name": name, "value": shown(time_text(clean(value)), EXTRA, personal=personal), "inline": True}
        return
    yield {"name": name, "value": fitted("\n".join(lines[:20]), LIST), "inline": False}


def _listed(item: Any) -> object:
    return ", ".join(f"{key} {value}" for key, value in item.items()) if isinstance(item, Mapping) else item


def _short(value: object, personal: bool) -> str:
    return shown(value, VALUE, personal=personal)


def _field(label: str, value: object, limit: int, personal: bool, *, inline: bool) -> Field:
    return {"name": label, "value": shown(value, limit, personal=personal), "inline": inline}

"""A message as a Discord payload: one embed, within every limit, whatever the body holds. Pure.

Belongs here: what stands where, and its colour. Does not belong here: how text is made safe (text.py), or HTTP
(discord.py). Limits: Discord's documentation of embeds, "Embed Limits".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.text import EMPTY, clean, fitted, link, shown, units

RED, ORANGE, YELLOW, GREEN, GREY = 0xE01E5A, 0xF2811D, 0xF2C744, 0x2EB67D, 0x8D99A6
COLOURS = {"CRITICAL": RED, "HIGH": ORANGE, "MEDIUM": YELLOW, "LOW": GREY}

TOTAL, TITLE, NAME, FIELDS, FOOTER = 6000, 256, 256, 25, 2048
# Shorter than Discord's own limits, so that the fields that matter always fit into TOTAL together.
DESCRIPTION, VALUE, REASON, ADVICE, LINKS, EXTRA, LIST = 800, 200, 600, 1000, 850, 300, 1000

GAP_REPORT = "activation_gaps"
# What an activation gap always shows, even where it is not known; other reports show what they have of it.
_LABELS = {
    "user_id": "User id", "username": "Username", "plan": "Plan", "payment_status": "Payment status",
    "subscription": "Subscription", "transaction": "Transaction id", "paid_at": "Payment time", "amount": "Amount",
    "reason": "Reason",
}  # fmt: skip
_COMPOSED = {
    "provider", "provider_ref", "currency", "subscription_status", "subscription_tier", "expected_tier", "severity",
    "fingerprint", "repairable",
}  # fmt: skip
_FRAME = {
    "report", "title", "why", "what_to_do", "severity", "evidence", "finding_id", "episode", "opened_at", "report_url",
    "run_url", "run_id", "resolution", "kind", "change",
}  # fmt: skip

Field = dict[str, Any]


def render(message: Message, *, personal: bool = False) -> dict[str, Any]:
    """The payload that creates or edits the message.

    Args:
        message: any body; unknown keys become further fields, missing ones are left out.
        personal: show e-mail addresses instead of masking them.

    Returns:
        ``{"embeds": [one embed], "allowed_mentions": {"parse": []}}``.
    """
    body = message.body
    lead = body.get("resolution") if message.kind == "resolved" else None
    embed: dict[str, Any] = {
        "title": _title(message, personal),
        "description": shown(lead or body.get("why"), DESCRIPTION, personal=personal),
        "color": colour(message),
        "fields": list(islice(_fields(message, personal), FIELDS)),
        "footer": {"text": fitted(_footer(message), FOOTER)},
    }
    if (opened := _moment(body.get("opened_at"))) is not None:
        embed["timestamp"] = opened.isoformat()
    while size(embed) > TOTAL:
        embed["fields"].pop()
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def colour(message: Message) -> int:
    """Green for what is over; red for gaps and critical, orange for high, yellow for medium, grey for the rest."""
    if _is_over(message):
        return GREEN
    if message.body.get("report") == GAP_REPORT:
        return RED
    return COLOURS.get(message.severity, GREY)


def size(embed: Mapping[str, Any]) -> int:
    """What Discord counts against its 6000: title, description, footer, names and values, in UTF-16 code units."""
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [part for field in embed["fields"] for part in (field["name"], field["value"])]
    return sum(units(text) for text in texts)


def _is_over(message: Message) -> bool:
    """A resolved finding, or a digest of such."""
    return message.kind == "resolved" or message.body.get("change") == "resolved"


def _title(message: Message, personal: bool) -> str:
    what = message.body.get("title") or message.body.get("report") or message.kind
    state = "Resolved" if _is_over(message) else message.severity
    return shown(f"{state} · {what}", TITLE, personal=personal)


def _footer(message: Message) -> str:
    body = message.body
    parts = [clean(body["report"])[:60]] if body.get("report") else []
    parts += [f"{word} {clean(body[key])[:20]}" for word, key in _IDENTITY if body.get(key) is not None]
    return " · ".join([*parts, f"notification {message.notification_id}"])


_IDENTITY = (("finding", "finding_id"), ("episode", "episode"))


def _fields(message: Message, personal: bool) -> Iterator[Field]:
    body = message.body
    evidence = body.get("evidence")
    row: Mapping[str, Any] = evidence if isinstance(evidence, Mapping) else {}
    known = _known(row)
    for key, label in _LABELS.items():
        if key in known or body.get("report") == GAP_REPORT:
            limit = REASON if key == "reason" else VALUE
            yield _field(label, known.get(key), limit, personal, inline=key != "reason")
    if body.get("what_to_do") and not _is_over(message):
        yield _field("What to do", body["what_to_do"], ADVICE, personal, inline=False)
    links = [text for text in (link("report", body.get("report_url")), link("run", _run_url(body))) if text]
    if links:
        yield {"name": "Links", "value": fitted(" · ".join(links), LINKS), "inline": False}
    for fact, value in _further(body, row):
        yield from _extra(fact, value, personal)


def _known(row: Mapping[str, Any]) -> dict[str, str]:
    """The well-known columns of a report row, composed as people read them; only what the row has."""
    texts = {key: clean(value) for key, value in row.items() if value is not None and isinstance(key, str)}
    found = {key: texts[key] for key in ("user_id", "username", "plan", "payment_status", "reason") if texts.get(key)}
    status = " / ".join(filter(None, (texts.get("subscription_status"), texts.get("subscription_tier"))))
    bought = f" (paid for: {texts['expected_tier']})" if texts.get("expected_tier") else ""
    if status or bought:
        found["subscription"] = (status or EMPTY) + bought
    if texts.get("provider_ref"):
        found["transaction"] = " ".join(filter(None, (texts.get("provider"), texts["provider_ref"])))
    if texts.get("amount"):
        found["amount"] = " ".join(filter(None, (texts["amount"], texts.get("currency"))))
    if texts.get("paid_at"):
        found["paid_at"] = _time(texts["paid_at"])
    return found


def _further(body: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[tuple[object, Any]]:
    yield from ((key, value) for key, value in body.items() if key not in _FRAME)
    for key, value in row.items():
        if key not in _LABELS and key not in _COMPOSED:
            yield key, value


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
        yield {"name": name, "value": shown(_time(clean(value)), EXTRA, personal=personal), "inline": True}
        return
    yield {"name": name, "value": fitted("\n".join(lines[:20]), LIST), "inline": False}


def _listed(item: Any) -> object:
    return ", ".join(f"{key} {value}" for key, value in item.items()) if isinstance(item, Mapping) else item


def _short(value: object, personal: bool) -> str:
    return shown(value, VALUE, personal=personal)


def _field(label: str, value: object, limit: int, personal: bool, *, inline: bool) -> Field:
    return {"name": label, "value": shown(value, limit, personal=personal), "inline": inline}


def _run_url(body: Mapping[str, Any]) -> object:
    """The run's page: given, or beside the report's page in the same Dagster UI."""
    report_url, run_id = body.get("report_url"), body.get("run_id")
    if body.get("run_url") or not isinstance(report_url, str) or not isinstance(run_id, str):
        return body.get("run_url")
    root, found, _ = report_url.rpartition("/assets/")
    return f"{root}/runs/{run_id}" if found else None


def _time(text: str) -> str:
    moment = _moment(text)
    return text if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(value: object) -> datetime | None:
    """An ISO 8601 time as UTC; None for anything else, also for dates without a time."""
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

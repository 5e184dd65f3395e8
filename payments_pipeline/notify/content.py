"""What a message says, whatever the channel: its facts in the order in which people need them. Pure.

Belongs here: which facts a body holds and how they are composed. Does not belong here: how text is made safe (text.py),
how a channel lays it out (render.py for Discord, plain.py for the others).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.text import EMPTY, clean, withheld

GAP_REPORT = "activation_gaps"
# What an activation gap always shows, even where it is not known; other reports show what they have of it.
LABELS = {
    "user_id": "User id", "username": "Username", "plan": "Plan", "payment_status": "Payment status",
    "subscription": "Subscription", "transaction": "Transaction id", "paid_at": "Payment time", "amount": "Amount",
    "reason": "Reason",
}  # fmt: skip
_COMPOSED = {
    "provider", "provider_ref", "currency", "subscription_status", "subscription_tier", "expected_tier", "severity",
    "fingerprint", "repairable", "needs_person",
}  # fmt: skip
_FRAME = {
    "report", "title", "why", "what_to_do", "severity", "evidence", "finding_id", "episode", "opened_at", "report_url",
    "run_url", "run_id", "resolution", "kind", "change", "status", "handled_by", "handled_reason", "resolved_how",
    "edit_only",
}  # fmt: skip
STATES = {"resolved": "Resolved", "acknowledged": "Acknowledged", "snoozed": "Snoozed"}
_GOOD_NEWS = {GAP_REPORT: "Payment completed, subscription active"}


def is_over(message: Message) -> bool:
    """A resolved finding, or a digest of such."""
    return message.kind == "resolved" or message.body.get("change") == "resolved"


def state(message: Message) -> str:
    """The word before the title: how bad it is, or what became of it."""
    if is_over(message):
        return STATES["resolved"]
    word = STATES.get(message.kind)
    return f"{word} · {message.severity}" if word else message.severity


def title(message: Message) -> str:
    """What it is about, in one line."""
    body = message.body
    return str(body.get("title") or body.get("report") or message.kind)


def lead(message: Message) -> object:
    """The first sentence: why it matters; of what people did or what is over, that."""
    body = message.body
    if message.kind == "resolved":
        news = _GOOD_NEWS.get(str(body.get("report"))) if body.get("resolved_how") == "action" else None
        text = body.get("resolution") or body.get("why")
        return f"{news}. {text}" if news else text
    if message.kind in STATES and body.get("handled_by"):
        reason = f": {body['handled_reason']}" if body.get("handled_reason") else "."
        return f"{STATES[message.kind]} by {body['handled_by']}{reason}"
    return body.get("why")


def row_of(message: Message) -> Mapping[str, Any]:
    """The report's row; empty when there is none."""
    evidence = message.body.get("evidence")
    return evidence if isinstance(evidence, Mapping) else {}


def known(row: Mapping[str, Any]) -> dict[str, str]:
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
        found["paid_at"] = time_text(texts["paid_at"])
    return found


def further(message: Message, *, personal: bool) -> Iterator[tuple[object, Any]]:
    """Facts beside the well-known ones: of the body, then of the row.

    Args:
        personal: show columns that hold personal data by their name, e.g. `phone`.
    """
    yield from ((key, value) for key, value in message.body.items() if key not in _FRAME)
    for key, value in row_of(message).items():
        if key not in LABELS and key not in _COMPOSED:
            yield key, value if personal else withheld(key, value)


def identity(message: Message) -> str:
    """Which finding and notification it is, so that a message shown twice is recognised."""
    body = message.body
    parts = [clean(body["report"])[:60]] if body.get("report") else []
    parts += [f"{word} {clean(body[key])[:20]}" for word, key in _IDENTITY if body.get(key) is not None]
    return " · ".join([*parts, f"notification {message.notification_id}"])


_IDENTITY = (("finding", "finding_id"), ("episode", "episode"))


def run_url(body: Mapping[str, Any]) -> object:
    """The run's page: given, or beside the report's page in the same Dagster UI."""
    report_url, run_id = body.get("report_url"), body.get("run_id")
    if body.get("run_url") or not isinstance(report_url, str) or not isinstance(run_id, str):
        return body.get("run_url")
    root, found, _ = report_url.rpartition("/assets/")
    return f"{root}/runs/{run_id}" if found else None


def time_text(text: str) -> str:
    """A time as people read it; anything else as it is."""
    found = moment(text)
    return text if found is None else found.strftime("%Y-%m-%d %H:%M:%S UTC")


def moment(value: object) -> datetime | None:
    """An ISO 8601 time as UTC; None for anything else, also for dates without a time."""
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

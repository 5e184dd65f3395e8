"""A message as plain text: a line for the subject and lines for the body, for channels that know no embeds. Pure.

Belongs here: the layout. Does not belong here: which facts there are (content.py), sending (apprise_channel.py).
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
    row_of,
    run_url,
    state,
    time_text,
    title,
)
from payments_pipeline.notify.text import EMPTY, clean, fitted, masked

TITLE, LINE, LINES = 200, 1000, 60


def plain(message: Message, *, personal: bool = False) -> tuple[str, str]:
    """Subject and body.

    Args:
        personal: show e-mail addresses and other personal data instead of masking them.
    """
    subject = _line(f"{state(message)} · {title(message)}", TITLE, personal)
    return subject, "\n".join([*islice(_lines(message, personal), LINES), "", identity(message)])


def _lines(message: Message, personal: bool) -> Iterator[str]:
    body = message.body
    if first := lead(message):
        yield from (_line(first, LINE, personal), "")
    facts = known(row_of(message))
    for column, label in LABELS.items():
        if column in facts or body.get("report") == GAP_REPORT:
            yield f"{label}: {_line(facts.get(column) or EMPTY, LINE, personal)}"
    if body.get("what_to_do") and not is_over(message):
        yield f"What to do: {_line(body['what_to_do'], LINE, personal)}"
    for key, value in further(message, personal=personal):
        if value is not None and value not in ("", {}, []):
            yield from _fact(str(key).replace("_", " ").strip().capitalize(), value, personal)
    pages: dict[str, object] = {"Report": body.get("report_url"), "Run": run_url(body)}
    yield from (f"{page}: {url}" for page, url in pages.items() if isinstance(url, str) and url.isprintable())


def _fact(name: str, value: Any, personal: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        items = [f"{key}: {number}" for key, number in value.items()]
    elif isinstance(value, list | tuple):
        items = [
            ", ".join(f"{key} {part}" for key, part in item.items()) if isinstance(item, Mapping) else str(item)
            for item in value
        ]
    else:
        yield f"{_line(name, TITLE, personal)}: {_line(time_text(clean(value)), LINE, personal)}"
        return
    yield f"{_line(name, TITLE, personal)}:"
    yield from (f"  {_line(item, LINE, personal)}" for item in items[:20])


def _line(value: object, limit: int, personal: bool) -> str:
    text = clean(value)
    return fitted(text if personal else masked(text), limit)

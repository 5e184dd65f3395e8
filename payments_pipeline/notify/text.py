"""Makes any text safe to show: cleaned, personal data masked, markup escaped for Discord, calls defused, cut to length.

Belongs here: pure rules about text. Does not belong here: which text stands where (render.py).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

EMPTY = "—"  # Discord refuses empty names and values
ELLIPSIS = "…"

# Control characters, and the direction marks with which one name can be made to look like another.
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# An underscore inside a word is none to Discord, and so are these signs but at the start of a line: provider references
# stay as they are, to be found and copied.
_MARKUP = re.compile(r"[\\*~`|<\[\]]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|^[-+#>]")
# Columns whose content is personal by its name; ids, user names and amounts are what people need to act.
_PERSONAL = re.compile(
    r"(^|_)(e_?mail|phone|mobile|tel|address|street|city|postcode|zip|ip|(first|last|full|real|given|family)_?name|name"
    r"|birth\w*|iban|card|last4|tax_id|passport)($|_)",
    re.IGNORECASE,
)
_NOT_PERSONAL = re.compile(r"^(deposit|wallet|pay|coin)_address$|^(plan|report|action|channel|event|job)_name$")
# International numbers, as they turn up in free text: a plus and 8 to 15 digits.
_PHONE = re.compile(r"\+(?:[ ()./-]?\d){8,15}(?!\d)")
# What calls people, or hides where a link goes, in Slack, Discord, Mattermost and their like.
_CALLS = re.compile(r"<(?=[!@#&])|@(?=everyone|here|channel|all\b)|(?<!\w)@(?=\w)|\](?=\()", re.IGNORECASE)
_PIECE = re.compile(r"\\.|.", re.DOTALL)
_LONGEST_LINK = 400


def units(text: str) -> int:
    """Length in UTF-16 code units, the strictest of the ways in which Discord may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(value: object) -> str:
    """Text on one line without control characters, direction marks or halves of surrogate pairs."""
    text = str(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return " ".join(_INVISIBLE.sub("", text).split())


def masked(text: str) -> str:
    """Personal data in free text: telephone numbers, and every word with an ``@`` inside as ``j***@***.com``."""
    text = _PHONE.sub("+***", text)
    return " ".join(_masked_word(word) if "@" in word[1:] else word for word in text.split(" "))


def withheld(column: object, value: Any) -> Any:
    """A column's value, or its first letter where the column's name says that it holds personal data."""
    name = str(column)
    if value is None or not _PERSONAL.search(name) or _NOT_PERSONAL.search(name):
        return value
    return f"{clean(value)[:1]}***"


def escaped(text: str) -> str:
    """Text that Discord shows as it stands: no markup, mention, time stamp or link comes alive."""
    text = _MARKUP.sub(r"\\\g<0>", text)
    text = re.sub(r"@(?=everyone|here)", "@\u200b", text, flags=re.IGNORECASE)
    return text.replace("://", ":\u200b//")


def defused(text: str) -> str:
    """Text that calls nobody in any service: a space without width stands where a mention would begin."""
    return _CALLS.sub("\\g<0>\u200b", text)


def fitted(text: str, limit: int) -> str:
    """Text of at most `limit` UTF-16 code units; an ellipsis shows a cut, no escape or character is split."""
    if units(text) <= limit:
        return text
    kept: list[str] = []
    used = units(ELLIPSIS)
    for match in _PIECE.finditer(text):
        used += units(match.group())
        if used > limit:
            break
        kept.append(match.group())
    return "".join(kept).rstrip() + ELLIPSIS


def shown(value: object, limit: int, *, personal: bool = False) -> str:
    """Any value as text that can stand in an embed.

    Args:
        value: None and empty texts become a dash.
        limit: UTF-16 code units.
        personal: e-mail addresses may be shown.
    """
    text = "" if value is None else clean(value)
    return fitted(escaped(text if personal else masked(text)), limit) or EMPTY


def link(label: str, address: object) -> str | None:
    """A Markdown link; None unless `address` is an http(s) address of reasonable length."""
    if not isinstance(address, str) or not address.isprintable():
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    target = quote(address, safe=":/?#@!$&*+,;=%~[]", errors="replace")  # not ( and ): they would end the link early
    if parts.scheme not in {"http", "https"} or not parts.netloc or units(target) > _LONGEST_LINK:
        return None
    return f"[{label}]({target})"


def _masked_word(word: str) -> str:
    first = next((letter for letter in word if letter.isalnum()), "")
    label = word.rpartition("@")[2].rpartition(".")[2]
    ending = re.match(r"[a-zA-Z]{2,10}", label)
    return f"{first}***@***" + (f".{ending.group()}" if ending else "")

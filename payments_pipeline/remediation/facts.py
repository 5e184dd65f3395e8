"""Facts as JSON: what was read before a repair, in a form that can be stored, hashed and compared later. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Facts = dict[str, Any]
"""JSON values only: texts, whole numbers, booleans, None, lists and objects. Amounts and times are texts."""


def jsonable(value: Any) -> Any:
    """The value in JSON types that come back from PostgreSQL's jsonb exactly as they went in.

    Decimals and floats become texts (jsonb would rewrite their digits), times ISO 8601 in UTC; what jsonb can't hold
    (NUL, halves of surrogate pairs) is replaced.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {_text(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else _text(value)


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: keys sorted, no spaces."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs, in words: ``payment.payment_status was completed and is refunded``."""
    return list(_changes(before, after, ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _changes(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after:
        yield f"{path} was {_word(before)} and is {_word(after)}"


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return "there"
    return "not there" if value is None else str(value)


def _text(value: object) -> str:
    return str(value).replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

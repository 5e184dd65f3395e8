"""Provider objects as rows ready for COPY: canonical bytes, digest, values; or the reason why not. Pure.

Belongs here: what can be said of one object without a database. Does not belong here: SQL, paging.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import Resource

REASON_LIMIT = 500
# What reading a field of an object of another shape can raise.
UNREADABLE = (MalformedObjectError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object as read: not yet interpreted."""

    object_id: str
    obj: Mapping[str, Any]
    body: bytes
    digest: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    """One object that can't be stored, why, and its body as JSON."""

    object_id: str
    reason: str
    body: str
    seen_at: datetime


def sighting(resource: Resource, obj: Any, read_at: datetime, salt: bytes) -> Sighting | Rejection:
    """Identify and digest one object.

    Args:
        salt: see `salt_of`.
    """
    body = canonical_bytes(obj)
    digest = digest_of(body, salt)
    try:
        if not isinstance(obj, Mapping):
            raise MalformedObjectError(f"The object is {type(obj).__name__}, not a JSON object.")
        object_id = resource.object_id(obj)
        if not object_id or "\x00" in object_id:
            raise MalformedObjectError("The id is empty or holds a NUL character.")
        object_id.encode()
    except UNREADABLE as error:
        return rejection(f"unreadable-{digest & (2**64 - 1):016x}", error, body, read_at)
    return Sighting(object_id, obj, body, digest, read_at)


def rejection(object_id: str, error: Exception, body: bytes, seen_at: datetime) -> Rejection:
    """Why an object is set aside, in words that can be stored."""
    reason = str(error) if isinstance(error, MalformedObjectError) else f"{type(error).__name__}: {error}"
    clean = reason.replace("\x00", "").encode("utf-8", "replace").decode()
    return Rejection(object_id, clean[:REASON_LIMIT], body.decode(), seen_at)


def canonical_bytes(obj: Any) -> bytes:
    """The object as JSON with sorted keys: equal objects give equal bytes, whatever order they came in."""
    try:
        return orjson.dumps(obj, default=_literal, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Lone surrogates and integers beyond 64 bits: rare, and json keeps them as escapes and digits.
        return json.dumps(obj, default=str, sort_keys=True, separators=(",", ":")).encode()


def digest_of(body: bytes, salt: bytes) -> int:
    """A 64-bit hash of the canonical bytes, signed as PostgreSQL's bigint is."""
    return int.from_bytes(hashlib.blake2b(body, digest_size=8, key=salt).digest(), "big", signed=True)


def salt_of(columns: Sequence[str]) -> bytes:
    """Key of the digest: with other columns the same body is stored anew, so that an added column gets filled."""
    return hashlib.blake2b("\n".join(columns).encode(), digest_size=16).digest()


def _literal(value: object) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value).encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")

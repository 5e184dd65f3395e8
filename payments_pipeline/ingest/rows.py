"""Provider objects as rows ready for COPY: canonical bytes, digest, values; or the reason why not. Pure.

Belongs here: what can be said of one object without a database. Does not belong here: SQL, paging.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import Page, Resource

REASON_LIMIT = 500
NAMELESS = "unreadable-"
"""Begins what stands for the id of an object that does not say which it is."""
# What reading a field of an object of another shape can raise.
UNREADABLE = (MalformedObjectError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
PIECE = 2047
"""Above this hashlib lets other threads run, and with several loads each object would cost two changes of thread."""
_FIRST_64_BITS = struct.Struct(">q").unpack_from


class Sighting(NamedTuple):
    """One object as read: not yet interpreted.

    Attributes:
        body: canonical bytes of the object, or of its row: what `digest` is of.
        digest: see `Digester`.
        read_at: when the request began that brought it, UTC.
        page: number of the answer that brought it; objects of one answer were read at the same time.
        gone: the provider says that it deleted the object, and says nothing else of it.
        row: its values, where these were needed for the digest.
    """

    object_id: str
    obj: Mapping[str, Any]
    body: bytes
    digest: int
    read_at: datetime
    page: int
    gone: bool
    row: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """One object that can't be stored, why, and its body as JSON.

    Attributes:
        object_id: the provider's; or, of an object that does not say which it is, `NAMELESS` and its digest.
    """

    object_id: str
    reason: str
    body: str
    seen_at: datetime

    @property
    def identified(self) -> bool:
        """Whether we know which object it is, so that only it need be doubted."""
        return not self.object_id.startswith(NAMELESS)


def sightings(
    resource: Resource, page: Page, number: int, digest_of: Digester
) -> tuple[list[Sighting], list[Rejection]]:
    """Identify and digest the objects of one answer.

    Args:
        number: the answer's place among all of the fetch.
    """
    seen: list[Sighting] = []
    rejected: list[Rejection] = []
    read_at, identify, to_row = page.read_at, resource.object_id, resource.row if digest_of.rows else None
    for obj in page.objects:
        object_id = None
        try:
            if type(obj) is not dict and not isinstance(obj, Mapping):
                raise MalformedObjectError(f"The object is {type(obj).__name__}, not a JSON object.")
            object_id = _readable_id(identify(obj))
            gone = obj.get("deleted") is True
            row = to_row(obj) if to_row is not None and not gone else None
        except UNREADABLE as error:
            body = canonical_bytes(obj)
            name = object_id or f"{NAMELESS}{digest_of(body) & (2**64 - 1):016x}"
            rejected.append(rejection(name, error, body, read_at))
            continue
        body = canonical_bytes(obj if row is None else row)
        seen.append(Sighting(object_id, obj, body, digest_of(body), read_at, number, gone, row))
    return seen, rejected


def _readable_id(object_id: str) -> str:
    if not object_id or "\x00" in object_id or object_id.startswith(NAMELESS):
        raise MalformedObjectError("The id is empty or holds a NUL character.")
    if not object_id.isascii():
        object_id.encode()
    return object_id


def rejection(object_id: str, error: Exception, body: bytes, seen_at: datetime) -> Rejection:
    """Why an object is set aside, in words that can be stored."""
    reason = str(error) if isinstance(error, MalformedObjectError) else f"{type(error).__name__}: {error}"
    clean = reason.replace("\x00", "").encode("utf-8", "replace").decode()
    return Rejection(object_id, clean[:REASON_LIMIT], body.decode(), seen_at)


def canonical_bytes(obj: Any) -> bytes:
    """The object as JSON with sorted keys: equal objects give equal bytes, whatever order they came in."""
    try:
        return orjson.dumps(obj, _literal, orjson.OPT_SORT_KEYS)
    except TypeError:
        # Lone surrogates and integers beyond 64 bits: rare, and json keeps them as escapes and digits.
        return json.dumps(obj, default=str, sort_keys=True, separators=(",", ":")).encode()


class Digester:
    """From canonical bytes to their digest: 64 bits of SHA-256, signed as PostgreSQL's bigint is.

    Args:
        columns: part of what is hashed, so that with other columns the same body is stored anew and an added column
            gets filled.
        rows: digest an object's row, which is all that is stored where raw JSON is not kept, in place of its JSON.
    """

    def __init__(self, columns: Sequence[str], *, rows: bool = False) -> None:
        self.rows = rows
        self._salted = hashlib.sha256("\n".join(columns).encode() + b"\n\n")

    def __call__(self, body: bytes) -> int:
        """The digest of these bytes."""
        own = self._salted.copy()
        for start in range(0, len(body), PIECE):
            own.update(body[start : start + PIECE])
        number: int = _FIRST_64_BITS(own.digest())[0]
        return number


def _literal(value: object) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value).encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")

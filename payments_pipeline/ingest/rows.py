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
from typing import Any, NamedTuple

import msgspec

from payments_pipeline import __version__
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.providers.base import Page, Resource, Slice, Sliced

REASON_LIMIT = 500
NAMELESS = "unreadable-"
"""Begins what stands for the id of an object that does not say which it is."""
# What reading a field of an object of another shape can raise.
UNREADABLE = (MalformedObjectError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
PIECE = 2047
"""Above this hashlib lets other threads run, and with several loads each object would cost two changes of thread."""
_FIRST_64_BITS = struct.Struct(">q").unpack_from
_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


class Sighting(NamedTuple):
    """One object as read: not yet interpreted.

    Attributes:
        body: canonical bytes of the object, or of its row: what `digest` is of.
        digest: see `Digester`.
        read_at: when the request began that brought it, UTC.
        page: number of the answer that brought it; objects of one answer were read at the same time.
        gone: the provider says that it deleted the object, and says nothing else of it.
        row: its values, where these were needed for the digest.
        seen: of a list's object: the hash of its own bytes, see `Digester.seen`.
    """

    object_id: str
    obj: Mapping[str, Any]
    body: bytes
    digest: int
    read_at: datetime
    page: int
    gone: bool
    row: tuple[Any, ...] | None = None
    seen: int | None = None


class Glimpse(NamedTuple):
    """One object of a list, as its own bytes: not yet parsed, because most are stored as they are.

    Attributes:
        seen: see `Digester.seen`.
        read_at, page: see `Sighting`.
        created: as the provider gives it; unlike the others it may be anything.
    """

    object_id: str
    raw: bytes
    seen: int
    read_at: datetime
    page: int
    created: Any


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
) -> tuple[list[Sighting | Glimpse], list[Rejection]]:
    """Identify and digest the objects of one answer.

    Args:
        number: the answer's place among all of the fetch.
    """
    found: list[Sighting | Glimpse] = []
    rejected: list[Rejection] = []
    for one in page.slices:
        try:
            name = _readable_id(one.object_id)
        except UNREADABLE as error:
            rejected.append(_nameless(one, error, digest_of, page.read_at))
            continue
        found.append(Glimpse(name, one.raw, digest_of.seen(one.told), page.read_at, number, one.created))
    for obj in page.objects:
        seen = sighting(resource, obj, number, digest_of, read_at=page.read_at)
        if isinstance(seen, Sighting):
            found.append(seen)
        else:
            rejected.append(seen)
    return found, rejected


def opened(resource: Sliced, glimpse: Glimpse, digest_of: Digester) -> Sighting | Rejection:
    """Parse one object after all."""
    try:
        obj = resource.parsed(glimpse.raw)
    except UNREADABLE as error:
        return rejection(glimpse.object_id, error, _as_text(glimpse.raw), glimpse.read_at)
    return sighting(resource, obj, glimpse.page, digest_of, read_at=glimpse.read_at, seen=glimpse.seen)


def as_row(glimpse: Glimpse, values: tuple[Any, ...], digest_of: Digester) -> Sighting:
    """One object by its row alone, for a `digest_of` rows."""
    body = canonical_bytes(values)
    return Sighting(
        glimpse.object_id, {}, body, digest_of(body), glimpse.read_at, glimpse.page, False, values, glimpse.seen
    )


def sighting(
    resource: Resource | Sliced,
    obj: Any,
    number: int,
    digest_of: Digester,
    *,
    read_at: datetime,
    seen: int | None = None,
) -> Sighting | Rejection:
    """Identify and digest one object; or why that can't be done."""
    object_id = None
    try:
        if type(obj) is not dict and not isinstance(obj, Mapping):
            raise MalformedObjectError(f"The object is {type(obj).__name__}, not a JSON object.")
        object_id = _readable_id(resource.object_id(obj))
        gone = obj.get("deleted") is True
        row = resource.row(obj) if digest_of.rows and not gone else None
    except UNREADABLE as error:
        body = canonical_bytes(obj)
        name = object_id or f"{NAMELESS}{digest_of(body) & (2**64 - 1):016x}"
        return rejection(name, error, body, read_at)
    body = canonical_bytes(obj if row is None else row)
    return Sighting(object_id, obj, body, digest_of(body), read_at, number, gone, row, seen)


def _nameless(one: Slice, error: Exception, digest_of: Digester, read_at: datetime) -> Rejection:
    body = _as_text(one.raw)
    return rejection(f"{NAMELESS}{digest_of(body) & (2**64 - 1):016x}", error, body, read_at)


def _as_text(raw: bytes) -> bytes:
    """Bytes that may be no JSON, as a JSON text."""
    return canonical_bytes(raw.decode("utf-8", "replace"))


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
        return _encode(obj)
    except (TypeError, ValueError, OverflowError, RecursionError):
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
        # Another release may keep or read other fields of the same bytes: it parses everything once.
        salt = "\n".join((__version__, str(rows), *columns)).encode()
        self._salt: int = _FIRST_64_BITS(hashlib.sha256(salt).digest())[0]

    def __call__(self, body: bytes) -> int:
        """The digest of these bytes."""
        own = self._salted.copy()
        for start in range(0, len(body), PIECE):
            own.update(body[start : start + PIECE])
        number: int = _FIRST_64_BITS(own.digest())[0]
        return number

    def seen(self, told: bytes) -> int:
        """The hash of an object's own bytes: equal ones mean an equal digest, different ones mean nothing."""
        own = hashlib.sha256(told[:PIECE])
        for start in range(PIECE, len(told), PIECE):
            own.update(told[start : start + PIECE])
        number: int = _FIRST_64_BITS(own.digest())[0]
        return number ^ self._salt

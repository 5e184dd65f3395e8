"""Columns read from an intent's bytes, or from its usual shape, are those that the full reading gives, or none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from payments_pipeline.ingest.rows import UNREADABLE, canonical_bytes
from payments_pipeline.providers import stripe_columns
from payments_pipeline.providers.http import UnreadableAnswerError
from payments_pipeline.providers.stripe_calls import parsed
from payments_pipeline.providers.stripe_objects import PAYMENT_INTENTS, intent_row, unusual_intent_row
from payments_pipeline.providers.stripe_privacy import intent as kept
from payments_pipeline.sandbox.objects import stripe_charge, stripe_intent

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
EXAMPLES = 2_000
ODD: tuple[Any, ...] = (
    None, "", "x", "ünï", "a\x00b", "\ud800", 'quoted "word"', "back\\slash", "line\nbreak", 0, -1, 1, 1.0, 1.5, True,
    False, 10**12, 10**19, -(10**19), 10**30, 253402300800, [], ["x"], {}, {"id": "x"}, {"id": 1}, {"code": 3},
    {"card": "x"}, {"card": {"network": 1}}, {"data": [{"id": "ch_2", "created": 5}]}, {"user_id": 7}, "succeeded",
    "requires_capture", "jpy", "KWD",
)  # fmt: skip
WORDS = (
    b"\\u0000",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"\n",
    b"1.0",
    b"1e3",
    b"01",
    b"-0",
    b"nul",
    b"{}",
)


def intent(*, charged: bool = True, currency: str = "usd", **changes: Any) -> dict[str, Any]:
    made = stripe_intent(
        "pi_1", amount=1999, currency=currency, created=AT, status="succeeded", customer="cus_1",
        metadata={"user_id": "7", "payment_id": "70", "app": "shop"}, description="Monthly plan",
    )  # fmt: skip
    made["invoice"] = "in_1"
    if charged:
        made["latest_charge"] = stripe_charge("ch_1", made, created=AT, last4="4242", captured=1999)
    return made | changes


def in_full(raw: bytes) -> tuple[Any, ...] | None:
    """The row as `unusual_intent_row` reads it; None: refused."""
    try:
        return unusual_intent_row(kept(parsed(raw, "a test")))
    except (*UNREADABLE, UnreadableAnswerError):
        return None


def agrees(raw: bytes) -> bool:
    """Whether the bytes gave a row at once. Fails where it is not the row that reading in full gives."""
    quick, full = stripe_columns.from_bytes(raw), in_full(raw)
    if quick is not None:
        assert full is not None, raw
        assert (quick, canonical_bytes(quick)) == (full, canonical_bytes(full)), raw
    try:
        obj = kept(parsed(raw, "a test"))
        usual = stripe_columns.from_object(obj)
    except (*UNREADABLE, UnreadableAnswerError):
        usual = None
    if usual is not None:
        assert full is not None, raw
        assert (usual, canonical_bytes(usual)) == (full, canonical_bytes(full)), raw
    return quick is not None


def places(obj: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every field, those of objects inside the object, too."""
    for name, value in obj.items():
        yield obj, name
        if isinstance(value, dict):
            yield from places(value)


@pytest.mark.parametrize("currency", ["usd", "jpy", "KWD"])
@pytest.mark.parametrize("charged", [True, False])
def test_intents_as_stripe_sends_them_need_no_second_look(currency: str, charged: bool) -> None:
    obj = intent(charged=charged, currency=currency)
    for option in (0, orjson.OPT_INDENT_2, orjson.OPT_SORT_KEYS):
        assert agrees(orjson.dumps(obj, option=option))
    assert stripe_columns.from_object(obj) == unusual_intent_row(obj)
    assert len(intent_row(obj)) == len(PAYMENT_INTENTS.columns)


def test_letters_of_any_language_need_no_second_look() -> None:
    assert agrees(orjson.dumps(intent(description="Größe, 東京, 🎉")))


def test_intents_of_any_shape_give_the_same_row_or_none() -> None:
    chance = random.Random(7)
    quick = 0
    for _ in range(EXAMPLES):
        obj = orjson.loads(orjson.dumps(intent(charged=chance.random() < 0.7)))
        for _ in range(chance.randint(1, 3)):
            holder, name = chance.choice(list(places(obj)))
            if chance.random() < 0.2:
                holder.pop(name, None)
            else:
                holder[name] = deepcopy(chance.choice(ODD))
        quick += agrees(canonical_bytes(obj))
    assert EXAMPLES // 10 < quick < EXAMPLES


def test_intents_of_any_bytes_give_the_same_row_or_none() -> None:
    chance = random.Random(8)
    sent = [orjson.dumps(intent(charged=charged), option=orjson.OPT_INDENT_2) for charged in (True, False)]
    quick = 0
    for _ in range(EXAMPLES):
        raw = bytearray(chance.choice(sent))
        place = chance.randrange(len(raw))
        word = chance.choice(WORDS) if chance.random() < 0.5 else bytes([chance.randrange(256)])
        raw[place : place + chance.randint(0, len(word))] = word
        quick += agrees(bytes(raw))
    assert EXAMPLES // 10 < quick < EXAMPLES


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 19.99}, {"amount": 1999.0}, {"amount": True}, {"amount": "1999"}, {"status": None}, {"id": ""},
        {"created": 10**15}, {"latest_charge": "ch_1"}, {"metadata": {"user_id": 7}}, {"customer": {"id": "cus_1"}},
        {"description": "a\x00b"}, {"deleted": True}, {"latest_charge": None, "charges": {"data": [{"id": "ch_2"}]}},
    ],
)  # fmt: skip
def test_what_looks_unusual_is_left_to_the_full_reading(changes: dict[str, Any]) -> None:
    assert not agrees(orjson.dumps(intent(**changes)))

"""Reading one field of a Stripe object: texts, ids, amounts, times, flags. Every refusal names the field. Pure.

Belongs here: readers that every kind of object needs. Does not belong here: which kind has which fields
(stripe_objects*.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import from_stripe
from payments_pipeline.errors import MalformedObjectError

NO_OBJECT: Mapping[str, Any] = {}


def object_id(obj: Mapping[str, Any]) -> str:
    """The object's ``id``.

    Raises:
        MalformedObjectError: there is none, or it is not a text.
    """
    return text_needed(obj, "id")


def part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside the object; an empty one where there is none."""
    value = obj.get(name)
    # A comparison of types first, here and below: it is what nearly every field of every object meets.
    if value is None:
        return NO_OBJECT
    return value if type(value) is dict or isinstance(value, Mapping) else NO_OBJECT


def text(obj: Mapping[str, Any], name: str) -> str | None:
    """A text; None for nothing and for the empty text. Raises MalformedObjectError: it is no text."""
    value = obj.get(name)
    if value is None or value == "":
        return None
    if type(value) is not str and not isinstance(value, str):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not a text.")
    if "\x00" in value:
        raise MalformedObjectError(f"{name} holds a NUL character, which PostgreSQL can't store.")
    return value


def text_needed(obj: Mapping[str, Any], name: str) -> str:
    """As `text`. Raises MalformedObjectError: missing, too."""
    value = text(obj, name)
    if value is None:
        raise MalformedObjectError(f"{name} is missing.")
    return value


def reference(obj: Mapping[str, Any], name: str) -> str | None:
    """The id in a field that holds an id or, when expanded, the object itself."""
    value = obj.get(name)
    if value is not None and type(value) is not str and isinstance(value, Mapping):
        return text(value, "id")
    return text(obj, name)


def metadata(obj: Mapping[str, Any], name: str) -> str | None:
    """A value of the object's metadata. Stripe's are texts; other servers keep the numbers they were given."""
    value = part(obj, "metadata").get(name)
    return text({name: str(value)}, name) if value is not None and value != "" else None


def integer(obj: Mapping[str, Any], name: str) -> int | None:
    """A whole number. Raises MalformedObjectError: it is something else."""
    value = obj.get(name)
    if value is None or type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not an integer.")
    return value


def money(obj: Mapping[str, Any], name: str, currency: str) -> Decimal | None:
    """An amount in major units. Raises MalformedObjectError: it is no integer."""
    minor = integer(obj, name)
    return None if minor is None else from_stripe(minor, currency)


def money_needed(obj: Mapping[str, Any], name: str, currency: str) -> Decimal:
    """As `money`. Raises MalformedObjectError: missing, too."""
    amount = money(obj, name, currency)
    if amount is None:
        raise MalformedObjectError(f"{name} is missing.")
    return amount


def moment(obj: Mapping[str, Any], name: str) -> datetime | None:
    """Unix seconds as UTC. Raises MalformedObjectError: it is no time."""
    seconds = integer(obj, name)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise MalformedObjectError(f"{name} is not a time: {str(seconds)[:20]}.") from None


def moment_needed(obj: Mapping[str, Any], name: str) -> datetime:
    """As `moment`. Raises MalformedObjectError: missing, too."""
    value = moment(obj, name)
    if value is None:
        raise MalformedObjectError(f"{name} is missing.")
    return value


def flag(obj: Mapping[str, Any], name: str) -> bool | None:
    """True or false. Raises MalformedObjectError: it is something else."""
    value = obj.get(name)
    if value is not None and not isinstance(value, bool):
        raise MalformedObjectError(f"{name} is {type(value).__name__}, not true or false.")
    return value


def flag_or_false(obj: Mapping[str, Any], name: str) -> bool:
    """As `flag`; nothing counts as false."""
    return bool(flag(obj, name))

"""Reading one field of a provider's object: ids, texts, exact amounts, times. Every refusal names object and field.

Belongs here: readers that more than one provider needs. Does not belong here: any one provider's field names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payments_pipeline.core.money import exact_or_none
from payments_pipeline.errors import MalformedObjectError

NOTHING = frozenset({"", "null", "none", "undefined"})
# No amount of money has more. Postgres' NUMERIC takes 131,072 before the point; one object beyond would fail all rows.
MOST_DIGITS = 60
# March 1973 in milliseconds, the year 5138 in seconds: what is below counts seconds.
FIRST_MILLISECONDS = 100_000_000_000


class ObjectFields:
    """The fields of one object.

    Args:
        obj: as the provider sent it. what: for messages, e.g. ``nowpayments payment``.
        id_field: the field that holds the object's own id.

    Raises:
        MalformedObjectError: `obj` is not an object, or has no id.
    """

    def __init__(self, obj: object, *, what: str, id_field: str) -> None:
        if not isinstance(obj, Mapping):
            raise MalformedObjectError(f"A {what} is {type(obj).__name__}, not an object.", where=what)
        self._obj: Mapping[str, Any] = obj
        self._where = what
        self.id = self.text(id_field)
        self._where = f"{what} {self.id[:80]}"

    def text(self, *names: str) -> str:
        """The first of `names` that holds something, as text. Raises MalformedObjectError: none does."""
        value = self.text_or_none(*names)
        if value is None:
            raise self._malformed(names[0], "is missing")
        return value

    def text_or_none(self, *names: str) -> str | None:
        """As `text`; None when there is nothing ("null" as text counts as nothing). Whole numbers become text."""
        for name in names:
            value = self._obj.get(name)
            if value is None or (isinstance(value, str) and value.strip().lower() in NOTHING):
                continue
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise self._malformed(name, f"is {type(value).__name__}, not a text or whole number")
            text = str(value)
            if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
                raise self._malformed(name, "holds characters that no database text can hold")
            return text
        return None

    def amount(self, name: str) -> Decimal:
        """An exact amount in major units. Raises MalformedObjectError: missing, a float, or not a number."""
        value = self.amount_or_none(name)
        if value is None:
            raise self._malformed(name, "is missing")
        return value

    def amount_or_none(self, name: str) -> Decimal | None:
        """As `amount`; None when there is nothing."""
        try:
            value = exact_or_none(self._obj.get(name), name)
        except MalformedObjectError as error:
            raise MalformedObjectError(error.what, where=self._where) from None
        if value and max(abs(value.adjusted()), len(value.as_tuple().digits)) > MOST_DIGITS:
            raise self._malformed(name, "is no amount of money: too many digits")
        return value

    def moment(self, name: str) -> datetime:
        """A time, UTC. Raises MalformedObjectError: missing or not a time."""
        value = self.moment_or_none(name)
        if value is None:
            raise self._malformed(name, "is missing")
        return value

    def moment_or_none(self, *names: str) -> datetime | None:
        """The first of `names` that holds something: ISO 8601 (without zone: UTC), or a number of milliseconds."""
        for name in names:
            text = self.text_or_none(name)
            if text is not None:
                try:
                    return as_moment(text)
                except (ValueError, OverflowError, OSError):
                    raise self._malformed(name, f"is not a time: {text[:40]!r}") from None
        return None

    def _malformed(self, name: str, problem: str) -> MalformedObjectError:
        return MalformedObjectError(
            f"Field {name} {problem}.",
            where=self._where,
            remedy="The object is set aside; look at it in recon.rejected_objects.",
        )


def as_moment(text: str) -> datetime:
    """ISO 8601 text, or a whole number of milliseconds (of seconds when small), as UTC.

    Raises:
        ValueError, OverflowError, OSError: it is no time.
    """
    number = text.strip()
    if number.isascii() and number.isdigit():
        count = int(number)
        seconds, rest = divmod(count, 1000) if count >= FIRST_MILLISECONDS else (count, 0)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    moment = datetime.fromisoformat(number)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def listing_key(obj: object, id_field: str) -> str:
    """What tells an object from others while its list is paged: its id, or all of it where it has none."""
    value = obj.get(id_field) if isinstance(obj, Mapping) else None
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip().lower() not in NOTHING:
        return str(value)
    return "?" + json.dumps(obj, sort_keys=True, default=str)

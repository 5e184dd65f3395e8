"""Query parameters of Stripe's GET endpoints, taken apart and checked as Stripe checks them.

Belongs here: names, integers, ranges, arrays, page limits. Does not belong here: what a list does with them.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from payments_pipeline.sandbox.stripe_errors import refuse

MAX_PAGE = 100
DEFAULT_PAGE = 10
RANGE_OPERATORS = frozenset({"gt", "gte", "lt", "lte"})


class Parameters:
    """Query parameters taken apart: plain ones, ranges such as `created`, arrays such as `types`, and `expand`.

    Args:
        query: as sent.
        known: names of plain parameters, e.g. `limit` or `customer_details[email]`.
        ranges: names that take an integer or `[gt]`, `[gte]`, `[lt]`, `[lte]`.
        arrays: names that take a list.

    Raises:
        RefusalError: a parameter is unknown or not an integer where one is needed.
    """

    def __init__(
        self,
        query: str,
        known: frozenset[str],
        ranges: frozenset[str] = frozenset(),
        arrays: frozenset[str] = frozenset(),
    ) -> None:
        self.plain: dict[str, str] = {}
        self.ranges: dict[str, dict[str, int]] = {}
        self.arrays: dict[str, list[str]] = {}
        self.expand: list[str] = []
        for name, value in parse_qsl(query, keep_blank_values=True):
            base, bracket, rest = name.partition("[")
            if base == "expand":
                self.expand.append(value)
            elif base in ranges:
                self._range(base, name, rest.rstrip("]"), value)
            elif base in arrays:
                if not bracket:
                    raise refuse(400, "Invalid array", param=name)
                self.arrays.setdefault(base, []).append(value)
            elif name not in known:
                raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
            elif not value:
                raise refuse(
                    400,
                    f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
                    f"parameter; however '{name}' cannot be unset.",
                    code="parameter_invalid_empty",
                    param=name,
                )
            else:
                self.plain[name] = value

    def _range(self, base: str, name: str, operator: str, value: str) -> None:
        moment = _integer(name, value)
        bounds = self.ranges.setdefault(base, {})
        if not operator:
            bounds |= {"gte": moment, "lte": moment}
        elif operator in RANGE_OPERATORS:
            bounds[operator] = moment
        else:
            raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)

    def flag(self, name: str) -> bool | None:
        """A boolean parameter; None when it was not sent."""
        text = self.plain.get(name)
        if text not in {None, "true", "false"}:
            raise refuse(400, f"Invalid boolean: {text}", param=name)
        return None if text is None else text == "true"

    def choice(self, name: str, allowed: frozenset[str]) -> str | None:
        """A parameter with a fixed set of values; None when it was not sent."""
        text = self.plain.get(name)
        if text is not None and text not in allowed:
            raise refuse(400, f"Invalid {name}: must be one of {', '.join(sorted(allowed))}", param=name)
        return text

    def limit(self) -> int:
        limit = _integer("limit", self.plain.get("limit", str(DEFAULT_PAGE)))
        if not 1 <= limit <= MAX_PAGE:
            bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {MAX_PAGE}"
            raise refuse(
                400,
                f"This value must be {bound} (it currently is '{limit}').",
                code="parameter_invalid_integer",
                param="limit",
            )
        return limit


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise refuse(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name) from None

"""Query parameters of Stripe's GET endpoints, taken apart and checked as Stripe checks them.

Belongs here: names, integers, the `created` range, page limits. Does not belong here: what a list does with them.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from payments_pipeline.sandbox.stripe_errors import refuse

MAX_PAGE = 100
DEFAULT_PAGE = 10
RANGE_OPERATORS = frozenset({"gt", "gte", "lt", "lte"})


class Parameters:
    """Query parameters taken apart: plain ones, the `created` range and `expand`.

    Raises:
        RefusalError: a parameter is unknown or not an integer where one is needed.
    """

    def __init__(self, query: str, known: frozenset[str]) -> None:
        self.plain: dict[str, str] = {}
        self.created: dict[str, int] = {}
        self.expand: list[str] = []
        for name, value in parse_qsl(query, keep_blank_values=True):
            base, _, rest = name.partition("[")
            if base not in known:
                raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
            if base == "expand":
                self.expand.append(value)
            elif base == "created":
                self._range(name, rest.rstrip("]"), value)
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

    def _range(self, name: str, operator: str, value: str) -> None:
        moment = _integer(name, value)
        if not operator:
            self.created |= {"gte": moment, "lte": moment}
        elif operator in RANGE_OPERATORS:
            self.created[operator] = moment
        else:
            raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)

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

"""Several deposits that add up to one payment (C5), where deposits of many people reach one address.

Belongs here: finding exact sums, and the most payments that can be settled by them. Does not belong here: which
deposits may belong to which payment (matching.py). Exact sums only: within a tolerance, strangers' deposits add up to
something all the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from payments_pipeline.core.assignment import components

# Beyond these a person looks; each further one doubles the work.
MOST_PIECES = 14
MOST_OPTIONS = 16


@dataclass(frozen=True, slots=True)
class Option:
    """These deposits would settle this payment; both by number."""

    payment: int
    deposits: tuple[int, ...]


def sums_to(total: Decimal, pieces: Mapping[int, Decimal], most: int) -> list[tuple[int, ...]]:
    """Sets of two to `most` pieces that add up to `total` exactly; none where there are too many pieces to try."""
    if len(pieces) > MOST_PIECES:
        return []
    return [
        chosen
        for size in range(2, most + 1)
        for chosen in combinations(sorted(pieces), size)
        if sum(pieces[piece] for piece in chosen) == total
    ]


def settle(options: Sequence[Option]) -> tuple[list[Option], list[Option]]:
    """The options that every best choice has (the most payments, no deposit twice), and those only some have."""
    sure, unsure = [], []
    for part in _entangled(options):
        best = _best(part) if len(part) <= MOST_OPTIONS else []
        for option in part:
            if best and all(option in choice for choice in best):
                sure.append(option)
            elif not best or any(option in choice for choice in best):
                unsure.append(option)
    return sure, unsure


def _entangled(options: Sequence[Option]) -> list[list[Option]]:
    """Options that share a payment or a deposit, directly or through others."""
    pairs = {(option.payment, deposit): None for option in options for deposit in option.deposits}
    parts = [{payment for payment, _ in part} for part in components(pairs)]
    return [[option for option in options if option.payment in payments] for payments in parts]


def _best(options: Sequence[Option]) -> list[frozenset[Option]]:
    found: list[frozenset[Option]] = [frozenset()]
    for option in options:
        found += [choice | {option} for choice in found if all(_apart(option, other) for other in choice)]
    most = max(len(choice) for choice in found)
    return [choice for choice in found if len(choice) == most]


def _apart(one: Option, other: Option) -> bool:
    return one.payment != other.payment and not set(one.deposits) & set(other.deposits)

"""Invented identities, all from one seeded generator: usernames, provider ids, addresses, transaction hashes.

Belongs here: what only has to look right and be unique. Does not belong here: anything with a meaning.
"""

from __future__ import annotations

import random

_BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FIRST = "amber brisk calm copper dapper fern gentle hazel indigo jolly lunar mellow nimble olive plucky quiet".split()  # noqa: SIM905
_SECOND = "badger beacon cedar comet dolphin ember falcon glacier heron island juniper otter raven zephyr".split()  # noqa: SIM905


class Identities:
    """Draws identities; the same generator state gives the same sequence."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._numbers: set[str] = set()

    def username(self, number: int) -> str:
        """Unique because `number` is: ``amber.heron17``."""
        return f"{self._rng.choice(_FIRST)}.{self._rng.choice(_SECOND)}{number}"

    def stripe(self, prefix: str) -> str:
        """A Stripe id with its prefix, e.g. ``pi_3`` or ``cus_``."""
        return prefix + "".join(self._rng.choices(_BASE62, k=23 if prefix.endswith("3") else 14))

    def digits(self, length: int) -> str:
        """Decimal digits that do not begin with 0."""
        return str(self._rng.randrange(10 ** (length - 1), 10**length))

    def number(self, length: int) -> str:
        """As `digits`, but never the same twice in one world: an object's id."""
        drawn = self.digits(length)
        while drawn in self._numbers:
            drawn = self.digits(length)
        self._numbers.add(drawn)
        return drawn

    def transaction_hash(self) -> str:
        """64 hexadecimal digits, as on most chains."""
        return f"{self._rng.getrandbits(256):064x}"

    def tron_address(self) -> str:
        """Looks like a TRON address; its checksum is not valid, so nobody can pay it by accident."""
        return "T" + "".join(self._rng.choices(_BASE58, k=33))

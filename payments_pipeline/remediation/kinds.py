"""The port every kind of repair implements.

Belongs here: the shape of a repair. Does not belong here: when it runs (actions.py), which kinds there are
(registry.py), or any one of them. The kinds of today change the application only, in one transaction with their
outcome; a kind that calls a provider will store its intent first (state applying, with a lease) and settle it by
reading, which the same five steps allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, TextClause

from payments_pipeline.remediation.facts import Facts

Writeback = Callable[[str], TextClause]
"""Gives a write-back statement by name."""


@dataclass(frozen=True, slots=True)
class Order:
    """Under whose name a repair is made, when (UTC), and why."""

    actor: str
    at: datetime
    reason: str


class ActionKind(Protocol):
    """One way to repair. No method commits; all reading is of the live tables."""

    @property
    def name(self) -> str: ...

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """Whom a finding's row asks to repair; None when the row does not say."""
        ...

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Keep everybody else from changing the target until the transaction ends."""
        ...

    def read(self, connection: Connection, target: Mapping[str, str], *, as_of: datetime) -> Facts:
        """Both sides as they are now: all that the repair depends on, and nothing that changes by itself."""
        ...

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Why the repair must not be made; None when it is due. Pure."""
        ...

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The exact effects: ``{"what", "field", "before", "after"}``, one a value changed or a row added. Pure."""
        ...

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Write the effects."""
        ...

    def verify(self, before: Facts, after: Facts) -> str | None:
        """What is not as planned, after the facts were read again; None when all is. Pure."""
        ...

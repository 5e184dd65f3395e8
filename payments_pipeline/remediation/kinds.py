"""The port every kind of repair implements.

Belongs here: the shape of a repair. Does not belong here: when it runs (actions.py), which kinds there are
(registry.py), or any one of them. A kind that changes the application only does so in one transaction with its outcome
(actions.py); one that also asks a provider for something adds what is asked and how to see whether it happened, and is
carried out in steps that survive a death between any two (effects.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable

from sqlalchemy import Connection, TextClause

from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts

Writeback = Callable[[str], TextClause]
"""Gives a write-back statement by name."""


@dataclass(frozen=True, slots=True)
class Order:
    """Under whose name a repair is made, when (UTC), and why."""

    actor: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Money:
    """What an action is about: major units; currency in upper case."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a provider.

    Attributes:
        account: the provider's own id of the account.
        object_id: what is changed; of two actions on one object only one is under way.
        path: e.g. ``/v1/payment_intents/pi_1/capture``.
        parameters: of the call, as the provider names them; amounts in its own minor units.
    """

    account: str
    object_id: str
    path: str
    parameters: Mapping[str, str]


Progress = Literal["open", "done", "other", "unsure"]
"""Has what was asked for happened? open: not, and it still can; other: something else did, and it never will; unsure:
it can't happen any more, and whether it did can't be told."""


@runtime_checkable
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

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """Both sides as they are now: all that the repair depends on, and nothing that changes by itself.

        Args:
            desk: where providers can be asked; None: nowhere, then a kind that must ask says so in an error.
        """
        ...

    def stake(self, facts: Facts) -> Money | None:
        """The money that would move or be given up; None where none does. Pure."""
        ...

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """Why the repair must not be made; None when it is due. Pure."""
        ...

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """The exact effects: ``{"what", "field", "before", "after"}``, one a value changed or a row added. Pure."""
        ...

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """Write the effects in the application. After a provider's effect: what it has come to, as the facts say."""
        ...

    def verify(self, before: Facts, after: Facts) -> str | None:
        """What is not as planned, after the facts were read again; None when all is. Pure."""
        ...


@runtime_checkable
class ProviderKind(ActionKind, Protocol):
    """A repair that asks a provider for something first; the application's rows follow what was read back."""

    @property
    def moves_money(self) -> bool:
        """Money changes hands, and is not only let go: it begins by itself only where that is enabled."""
        ...

    @property
    def repeatable(self) -> bool:
        """The provider itself refuses to do it twice, whatever the idempotency key."""
        ...

    def request(self, facts: Facts) -> Request:
        """What to ask for. Pure."""
        ...

    def progress(self, facts: Facts, request: Request) -> Progress:
        """Whether what was asked for is there, by what was read. Pure."""
        ...

    def aftermath(self, facts: Facts) -> str | None:
        """What a person must see to although both sides agree now: then the action counts as failed. Pure."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """A repair that some facts leave to people, whatever policy says."""

    def doubt(self, facts: Facts) -> str | None:
        """What a person must judge first: then one approval at least is needed; None: nothing. Pure."""
        ...


@runtime_checkable
class Touching(Protocol):
    """A repair after which objects of Stripe's are to be read anew."""

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """The account, and ids by resource, e.g. ``{"payment_intents": ["pi_1"]}``, by what was read last. Pure."""
        ...

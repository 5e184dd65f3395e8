"""The port every provider implements: which account answers, its resources page by page, each object as a row.

Belongs here: the shapes shared by providers and ingestion. Does not belong here: HTTP, SQL, one provider's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Clock = Callable[[], datetime]
"""Tells the present time, UTC and aware. Passed in, so that nothing below the Dagster layer reads the wall clock."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who answered: the provider's account id and whether it is live money."""

    provider: str
    account: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open range [start, end) of the provider's own creation times, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list call: objects as the provider sent them, and when the request began (UTC)."""

    objects: Sequence[Mapping[str, Any]]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """What is known of a resource without asking anybody: enough to define an asset.

    Attributes:
        provider: e.g. ``stripe``.
        name: e.g. ``payment_intents``.
        table: raw table in schema recon, e.g. ``stripe_payment_intents``; also the asset's name.
        description: for the Dagster UI.
        columns: columns that `Resource.row` fills, in order; account, livemode, read_at, digest and vanished_at
            are filled by the load path.
    """

    provider: str
    name: str
    table: str
    description: str
    columns: tuple[str, ...]


class Resource(Protocol):
    """One list of one provider account."""

    @property
    def spec(self) -> ResourceSpec: ...

    def pages(self, window: Window) -> Iterator[Page]:
        """Every object created in the window, in the provider's order.

        Raises:
            TransientError: retries are used up. PermanentError: nobody should retry.
        """
        ...

    def read(self, object_id: str) -> Page | None:
        """One object as it is now; None when the provider does not have it."""
        ...

    def object_id(self, obj: Mapping[str, Any]) -> str:
        """The provider's id, as text.

        Raises:
            MalformedObjectError: there is none.
        """
        ...

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        """Values in the order of `spec.columns`; exact amounts in major units, UTC times.

        Raises:
            MalformedObjectError: a needed field is missing or malformed; names it.
        """
        ...


class Provider(Protocol):
    """One configured account at one provider."""

    @property
    def name(self) -> str: ...

    @property
    def resources(self) -> Mapping[str, Resource]: ...

    def identify(self) -> Account:
        """Ask the provider who we are; asserts the configured account and mode before anything is written.

        Raises:
            CredentialsError: the key is refused. WrongAccountError: it belongs to another account or mode.
        """
        ...

"""The port every provider implements: which account answers, its resources page by page, each object as a row.

Belongs here: the shapes shared by providers and ingestion. Does not belong here: HTTP, SQL, one provider's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, runtime_checkable

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


class Slice(NamedTuple):
    """One object of a list, not parsed yet.

    Attributes:
        created: as the provider gives it.
        raw: its own bytes.
        told: these bytes without what is new at each read though nothing changed: equal ones mean an equal object.
    """

    object_id: str
    created: Any
    raw: bytes
    told: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list call: objects as the provider sent them, and when the request began (UTC).

    Attributes:
        slices: further objects, not parsed; only where `Sliced.sliced` was asked.
    """

    objects: Sequence[Mapping[str, Any]]
    read_at: datetime
    slices: Sequence[Slice] = ()


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
        status_column: which column tells the object's state; None: the object has none.
        open_statuses: raw statuses in which the object may still change; it is read again until it leaves them.
        final_statuses: in place of these where the provider may add statuses: in any other status, one never heard of
            included, the object may still change.
        event_types: types of the provider's event feed that announce a change, e.g. ``payment_intent.*``; empty where
            the provider has no feed or never tells.
        created_column: which column holds the provider's creation time, by which windows select.
        history: how far back the provider's own list goes; None: to the beginning. What is older is absent from the
            list without being gone, so no certificate may reach further back than that.
        grain: the shortest range its list can select; a shorter one costs as much as this.
    """

    provider: str
    name: str
    table: str
    description: str
    columns: tuple[str, ...]
    status_column: str | None = "status"
    open_statuses: frozenset[str] = frozenset()
    final_statuses: frozenset[str] = frozenset()
    event_types: tuple[str, ...] = ()
    created_column: str = "created_at"
    history: timedelta | None = None
    grain: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """The feed says that an object changed; how it reads now only `Resource.read` tells.

    Attributes:
        resource: name of the resource, e.g. ``refunds``.
        object_id: as `Resource.object_id` gives it.
        at: when it changed, by the provider's clock, UTC.
        deleted: the provider said that the object is gone.
        event_id: the provider's id of the event; one event may announce several objects.
    """

    resource: str
    object_id: str
    at: datetime
    deleted: bool
    event_id: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One answer of the feed, and when the request began (UTC).

    Attributes:
        unreadable: ids of events ("?" where there is none) that should announce a change, but do not say of what.
    """

    changes: Sequence[Change]
    read_at: datetime
    unreadable: Sequence[str] = ()


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


@runtime_checkable
class Sliced(Resource, Protocol):
    """A resource whose lists can be read without parsing each object: most of them were read before."""

    def sliced(self, window: Window) -> Iterator[Page]:
        """As `Resource.pages`; objects may come as slices. Raises the same."""
        ...

    def parsed(self, raw: bytes) -> Any:
        """The object of a slice, as `Resource.pages` gives it. Makes no call.

        Raises:
            MalformedObjectError: its bytes are not JSON.
        """
        ...


@runtime_checkable
class Columned(Sliced, Protocol):
    """A resource that can fill its columns from an object's bytes without parsing the rest of it."""

    def columns_of(self, raw: bytes) -> tuple[Any, ...] | None:
        """What `row(parsed(raw))` would give, the object's id first; None where only these can tell. Makes no call."""
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


@runtime_checkable
class ChangeFeed(Protocol):
    """A provider that tells what changed. Never everything: pair it with re-reads."""

    @property
    def reach(self) -> timedelta:
        """How far back the feed goes."""
        ...

    def changes(self, window: Window) -> Iterator[ChangePage]:
        """What the feed says changed in the window, in the provider's order; an object may come several times.

        Raises:
            FeedGapError: the window begins before the feed does, so that changes would be missed unseen.
            TransientError: retries are used up. PermanentError: nobody should retry.
        """
        ...

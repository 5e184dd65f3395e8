"""What every world of a history has: a clock, and the log of every state that each of its objects ever had.

Belongs here: the log and the port by which runs and judge see a world. Does not belong here: one provider's world
(history_world.py, history_crypto.py), ingestion (history_runs.py), judging what it made of it (history_judge.py).
"""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from payments_pipeline.errors import PermanentError
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.sandbox.failures import Fault, Kind
from payments_pipeline.sandbox.state import Json, SandboxState, Store

START = datetime(2026, 10, 1, tzinfo=UTC)
LOOK = timedelta(milliseconds=1)
REFUSALS: tuple[Kind, ...] = ("forbidden", "server_error")

Row = tuple[Any, ...]


class Time:
    """The provider's clock. Each look takes a millisecond, so that no two readings share a moment."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._now += LOOK
            return self._now

    def peek(self) -> datetime:
        """The present, without making it pass."""
        return self._now

    def pass_by(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A state of one object from `at` on.

    Attributes:
        row: as the resource's own `row` gives it; None: the object is gone, or nobody can read it.
        body: what is kept of its JSON, sorted.
        gone: the provider no longer has it.
        parts: the sandbox's own objects it was made of, to see whether something changed.
    """

    at: datetime
    row: Row | None
    body: str | None
    gone: bool
    parts: tuple[Json, ...]


class World(ABC):
    """A provider over time. Every operation is one moment; all states are logged.

    Attributes:
        provider: its name.
        often: what may happen, as often as it is named.

    Args:
        resources: which lists the history is about.
        quiet: the feed tells every change, and nothing happens that no feed tells.
    """

    provider: str
    often: Sequence[str]

    def __init__(self, resources: Sequence[str], *, quiet: bool) -> None:
        self.time = Time()
        self.state = SandboxState(clock=self.time.peek, tells_time=True)
        self.resources = tuple(resources)
        self.quiet = quiet
        self.log: dict[str, dict[str, list[Version]]] = {name: {} for name in self.resources}

    @property
    @abstractmethod
    def account(self) -> str:
        """The account's id in our tables."""

    @property
    def listed_at(self) -> Mapping[str, str]:
        """Names of lists whose windows stand in their requests, by path."""
        return {}

    @abstractmethod
    def spec(self, resource: str) -> ResourceSpec:
        """The resource's own."""

    @abstractmethod
    def created(self, version: Version) -> datetime:
        """When the object was made, as windows see it."""

    @abstractmethod
    def act(self, what: str, chance: random.Random, *, told: bool) -> None:
        """One operation on some object. Raises PermanentError: no object's state allows it."""

    @abstractmethod
    def heal(self) -> None:
        """Every object reads right again."""

    @abstractmethod
    def called(self, resource: str, object_id: str) -> Fault:
        """The call that reads one object, as a fault without a kind."""

    @abstractmethod
    def version(self, resource: str, at: datetime, parts: tuple[Json, ...], obj: Json | None) -> Version:
        """The state of an object."""

    @abstractmethod
    def store(self, resource: str) -> Store:
        """The sandbox's objects."""

    def parts(self, resource: str, obj: Json | None) -> tuple[Json, ...]:
        """The sandbox's own objects that an object is shown with."""
        del resource
        return () if obj is None else (obj,)

    def do(self, what: str, pick: int, *, told: bool = True) -> None:
        """One operation on an object that `pick` chooses among those that allow it; nothing where there is none."""
        with self.state.lock:
            try:
                self.act(what, random.Random(pick), told=told or self.quiet)
            except PermanentError:
                return  # no object's state allows it now
            finally:
                self.note()

    def burst(self, count: int, pick: int) -> None:
        """Many operations in one second, as `pick` chooses them; the feed tells most."""
        chance = random.Random(pick)
        for _ in range(count):
            self.do(chance.choice(self.often), chance.randrange(10**6), told=chance.random() < 0.75)

    def versions(self) -> Iterator[tuple[str, str, list[Version]]]:
        """Resource, object id, and its states in order of time."""
        for resource, objects in self.log.items():
            for object_id, versions in objects.items():
                yield resource, object_id, versions

    def refusal(self, pick: int) -> Fault | None:
        """One object, as `pick` chooses, can't be had singly."""
        chance = random.Random(pick)
        named = sorted((resource, name) for resource, objects in self.log.items() for name in objects)
        if not named:
            return None
        refusal = self.called(*chance.choice(named))
        refusal.kind, refusal.times = chance.choice(REFUSALS), None
        return refusal

    def choose(self, chance: random.Random, resource: str, wanted: Callable[[Json], bool]) -> str:
        """The id of some object that fits.

        Raises:
            PermanentError: there is none.
        """
        found = [name for name, one in self.store(resource).items() if not one.get("deleted") and wanted(one)]
        if not found:
            raise PermanentError("No object fits.")
        return chance.choice(found)

    def note(self) -> None:
        """Log every object that is not as it was."""
        at = self.time.peek()
        for resource, objects in self.log.items():
            store = self.store(resource)
            for name in {*objects, *store}:
                obj = store.get(name)
                parts = self.parts(resource, obj)
                known = objects.setdefault(name, [])
                if (
                    not known
                    or len(known[-1].parts) != len(parts)
                    or any(old is not new for old, new in zip(known[-1].parts, parts, strict=True))
                ):
                    known.append(self.version(resource, at, parts, obj))


def at_time(versions: list[Version], moment: datetime) -> int:
    """Index of the state in force at a moment; -1: the object was not yet there."""
    return bisect_right(versions, moment, key=lambda version: version.at) - 1

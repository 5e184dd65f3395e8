"""The provider's side of a history: a Stripe that lives, and the log of every state that each of its objects ever had.

Belongs here: what happens at the provider, and when. Does not belong here: ingestion (history_runs.py), judging what it
made of it (history_judge.py).
"""

from __future__ import annotations

import random
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from payments_pipeline.errors import PermanentError
from payments_pipeline.providers.stripe_objects import CHARGES, PAYMENT_INTENTS, REFUNDS
from payments_pipeline.providers.stripe_objects_customers import CUSTOMERS
from payments_pipeline.providers.stripe_resources import INTENTS, KINDS
from payments_pipeline.sandbox.state import Json, SandboxState, Store
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline.sandbox.stripe_lists import expanded

START = datetime(2026, 10, 1, tzinfo=UTC)
LOOK = timedelta(milliseconds=1)
BAD_AMOUNT = "much"
ADDRESSES = ("one@example.com", "two@example.com")
"""Few, so that a customer often is as before."""
RESOURCES = tuple(spec.name for spec in (PAYMENT_INTENTS, CHARGES, REFUNDS, CUSTOMERS))
KIND_OF = {kind.spec.name: kind for kind in (INTENTS, *KINDS) if kind.spec.name in RESOURCES}

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


class World:
    """Stripe over time. Every operation is one moment; all states are logged.

    Args:
        account: id of the Stripe account; another one for each history, so that they can share a database.
        resources: which lists the history is about; the others live, but nobody reads them.
        quiet: the feed tells every change, and nothing happens that no feed tells.
    """

    def __init__(self, account: str, resources: Sequence[str], *, quiet: bool) -> None:
        self.time = Time()
        self.state = SandboxState(clock=self.time.peek)
        self.state.stripe.account_id = account
        self.life = StripeLife(self.state)
        self.resources = tuple(resources)
        self.quiet = quiet
        self.log: dict[str, dict[str, list[Version]]] = {name: {} for name in self.resources}
        self._purged: dict[str, Json] = {}

    def do(self, what: str, pick: int, *, told: bool = True) -> None:
        """One operation on an object that `pick` chooses among those that allow it; nothing where there is none."""
        told = told or self.quiet
        if self.quiet and what in UNTOLD:
            return
        with self.state.lock:
            try:
                OPERATIONS[what](self, random.Random(pick), told)
            except PermanentError:
                return  # no object's state allows it now
            finally:
                self._note()

    def burst(self, count: int, pick: int) -> None:
        """Many operations in one second, as `pick` chooses them; the feed tells most."""
        chance = random.Random(pick)
        for _ in range(count):
            self.do(chance.choice(OFTEN), chance.randrange(10**6), told=chance.random() < 0.75)

    def versions(self) -> Iterator[tuple[str, str, list[Version]]]:
        """Resource, object id, and its states in order of time."""
        for resource, objects in self.log.items():
            for object_id, versions in objects.items():
                yield resource, object_id, versions

    def choose(self, chance: random.Random, store: str, wanted: Callable[[Json], bool]) -> str:
        """The id of some object that fits.

        Raises:
            PermanentError: there is none.
        """
        found = [name for name, one in self._store(store).items() if not one.get("deleted") and wanted(one)]
        if not found:
            raise PermanentError("No object fits.")
        return chance.choice(found)

    def purge(self, object_id: str) -> None:
        """The provider no longer has an intent, and tells nobody."""
        self._purged[object_id] = self.state.stripe.payment_intents.pop(object_id)

    def restore(self, chance: random.Random) -> None:
        """An intent is back."""
        if self._purged:
            name = chance.choice(sorted(self._purged))
            self.state.stripe.payment_intents[name] = self._purged.pop(name)

    def spoil(self, object_id: str) -> None:
        """The charge's amount is no amount any longer."""
        charges = self.state.stripe.charges
        if charges[object_id]["amount"] != BAD_AMOUNT:
            charges[object_id] = {
                **charges[object_id],
                "amount": BAD_AMOUNT,
                "right_amount": charges[object_id]["amount"],
            }

    def heal(self) -> None:
        """Every amount reads right again."""
        with self.state.lock:
            charges = self.state.stripe.charges
            for name, charge in list(charges.items()):
                if charge["amount"] == BAD_AMOUNT:
                    charges[name] = {**charge, "amount": charge["right_amount"]}
            self._note()

    def _store(self, name: str) -> Store:
        store: Store = getattr(self.state.stripe, name)
        return store

    def _note(self) -> None:
        """Log every object that is not as it was."""
        at = self.time.peek()
        charges = self.state.stripe.charges
        for resource, objects in self.log.items():
            store = self._store(resource)
            for name in {*objects, *store}:
                obj = store.get(name)
                charge = charges.get(str(obj.get("latest_charge"))) if obj and resource == "payment_intents" else None
                parts = tuple(part for part in (obj, charge) if part is not None)
                known = objects.setdefault(name, [])
                if (
                    not known
                    or len(known[-1].parts) != len(parts)
                    or any(old is not new for old, new in zip(known[-1].parts, parts, strict=True))
                ):
                    known.append(self._version(resource, at, obj, parts))

    def _version(self, resource: str, at: datetime, obj: Json | None, parts: tuple[Json, ...]) -> Version:
        if obj is None or obj.get("deleted"):
            return Version(at, None, None, True, parts)
        kind = KIND_OF[resource]
        kept = kind.kept(orjson.loads(orjson.dumps(expanded(self.state.stripe, obj, kind.expand))))
        try:
            row = kind.row(kept)
        except PermanentError:
            return Version(at, None, None, False, parts)
        return Version(at, row, orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode(), False, parts)


def at_time(versions: list[Version], moment: datetime) -> int:
    """Index of the state in force at a moment; -1: the object was not yet there."""
    return bisect_right(versions, moment, key=lambda version: version.at) - 1


def created(version: Version) -> datetime:
    """When the object was made, in whole seconds."""
    return datetime.fromtimestamp(version.parts[0]["created"], UTC)


def _status(*wanted: str) -> Callable[[Json], bool]:
    return lambda one: one["status"] in wanted


def _returnable(charge: Json) -> bool:
    return (
        charge["status"] == "succeeded"
        and charge["amount"] != BAD_AMOUNT
        and int(charge["amount_captured"]) > int(charge["amount_refunded"])
    )


def _pay(world: World, chance: random.Random, told: bool) -> None:
    at = world.time.peek()
    intent = world.life.create_intent(at=at, amount=chance.randrange(100, 9999), event=told)
    world.life.succeed(intent["id"], at=at, event=told)


def _open(world: World, chance: random.Random, told: bool) -> None:
    world.life.create_intent(
        at=world.time.peek(), amount=chance.randrange(100, 9999), manual=chance.random() < 0.5, event=told
    )


def _settle(world: World, chance: random.Random, told: bool) -> None:
    """An open intent goes on: paid, authorized, or declined."""
    open_intent = world.choose(chance, "payment_intents", _status("requires_payment_method", "processing"))
    intent = world.state.stripe.payment_intents[open_intent]
    steps = [world.life.decline, world.life.process]
    steps += [world.life.authorize if intent["capture_method"] == "manual" else world.life.succeed] * 3
    chance.choice(steps)(open_intent, at=world.time.peek(), event=told)


def _capture(world: World, chance: random.Random, told: bool) -> None:
    held = world.choose(chance, "payment_intents", _status("requires_capture"))
    world.life.capture(held, at=world.time.peek(), event=told)


def _cancel(world: World, chance: random.Random, told: bool) -> None:
    charges = world.state.stripe.charges

    def cancelable(one: Json) -> bool:
        spoiled = charges.get(str(one["latest_charge"]), {}).get("amount") == BAD_AMOUNT
        return one["status"] in {"requires_payment_method", "requires_capture"} and not spoiled

    left = world.choose(chance, "payment_intents", cancelable)
    world.life.cancel(left, at=world.time.peek(), event=told)


def _refund(world: World, chance: random.Random, told: bool) -> None:
    charge = world.choose(chance, "charges", _returnable)
    left = world.state.stripe.charges[charge]
    amount = chance.choice([None, 1, (left["amount_captured"] - left["amount_refunded"] + 1) // 2])
    status = chance.choice(["pending", "succeeded"])
    world.life.refund(charge, at=world.time.peek(), amount=amount, status=status, event=told)


def _end_refund(world: World, chance: random.Random, told: bool) -> None:
    refund = world.choose(chance, "refunds", _status("pending", "succeeded"))
    step = chance.choice([world.life.complete_refund, world.life.fail_refund])
    step(refund, at=world.time.peek(), event=told)


def _dispute(world: World, chance: random.Random, told: bool) -> None:
    charge = world.choose(chance, "charges", lambda one: _returnable(one) and one["captured"] and not one["disputed"])
    world.life.open_dispute(charge, at=world.time.peek(), event=told)


def _customer(world: World, chance: random.Random, told: bool) -> None:
    world.life.create_customer(at=world.time.peek(), email=chance.choice(ADDRESSES), event=told)


def _change_customer(world: World, chance: random.Random, told: bool) -> None:
    customer = world.choose(chance, "customers", lambda _one: True)
    world.life.change_customer(customer, at=world.time.peek(), email=chance.choice(ADDRESSES), event=told)


def _delete_customer(world: World, chance: random.Random, told: bool) -> None:
    world.life.delete_customer(world.choose(chance, "customers", lambda _one: True), at=world.time.peek(), event=told)


def _purge(world: World, chance: random.Random, told: bool) -> None:
    del told
    world.purge(world.choose(chance, "payment_intents", lambda one: one["latest_charge"] is None))


def _restore(world: World, chance: random.Random, told: bool) -> None:
    del told
    world.restore(chance)


def _spoil(world: World, chance: random.Random, told: bool) -> None:
    del told
    world.spoil(world.choose(chance, "charges", lambda _one: True))


OPERATIONS: Mapping[str, Callable[[World, random.Random, bool], None]] = {
    "pay": _pay, "open": _open, "settle": _settle, "capture": _capture, "cancel": _cancel, "refund": _refund,
    "end_refund": _end_refund, "dispute": _dispute, "customer": _customer, "change_customer": _change_customer,
    "delete_customer": _delete_customer, "purge": _purge, "restore": _restore, "spoil": _spoil,
}  # fmt: skip
OFTEN = (*OPERATIONS, "pay", "open", "open", "settle", "settle", "refund", "end_refund", "customer", "change_customer")
UNTOLD = frozenset({"purge", "restore", "spoil"})
"""Of these Stripe tells nothing."""

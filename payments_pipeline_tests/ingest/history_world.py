"""A Stripe that lives: what happens there, and what each of its objects then looks like.

Belongs here: Stripe's side of a history. Does not belong here: the log (history_log.py), ingestion (history_runs.py),
judging what it made of it (history_judge.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from payments_pipeline.errors import PermanentError
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_objects import CHARGES, PAYMENT_INTENTS, REFUNDS
from payments_pipeline.providers.stripe_objects_customers import CUSTOMERS
from payments_pipeline.providers.stripe_resources import INTENTS, KINDS
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline.sandbox.state import Json, Store
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline.sandbox.stripe_lists import expanded
from payments_pipeline_tests.ingest.history_log import Version, World

BAD_AMOUNT = "much"
ADDRESSES = ("one@example.com", "two@example.com")
"""Few, so that a customer often is as before."""
RESOURCES = tuple(spec.name for spec in (PAYMENT_INTENTS, CHARGES, REFUNDS, CUSTOMERS))
KIND_OF = {kind.spec.name: kind for kind in (INTENTS, *KINDS) if kind.spec.name in RESOURCES}


class StripeWorld(World):
    """Stripe over time.

    Args:
        account: id of the Stripe account; another one for each history, so that they can share a database.
        resources: which lists the history is about; the others live, but nobody reads them.
    """

    provider = "stripe"

    def __init__(self, account: str, resources: Sequence[str], *, quiet: bool) -> None:
        super().__init__(resources, quiet=quiet)
        self.state.stripe.account_id = account
        self.life = StripeLife(self.state)
        self.often = OFTEN
        self._purged: dict[str, Json] = {}

    @property
    def account(self) -> str:
        return self.state.stripe.account_id

    @property
    def listed_at(self) -> Mapping[str, str]:
        return {KIND_OF[name].path: name for name in self.resources}

    def spec(self, resource: str) -> ResourceSpec:
        return KIND_OF[resource].spec

    def created(self, version: Version) -> datetime:
        return datetime.fromtimestamp(version.parts[0]["created"], UTC)

    def called(self, resource: str, object_id: str) -> Fault:
        return Fault(self.provider, "server_error", f"{KIND_OF[resource].path}/{object_id}")

    def act(self, what: str, chance: random.Random, *, told: bool) -> None:
        if not self.quiet or what not in UNTOLD:
            OPERATIONS[what](self, chance, told)

    def store(self, resource: str) -> Store:
        store: Store = getattr(self.state.stripe, resource)
        return store

    def parts(self, resource: str, obj: Json | None) -> tuple[Json, ...]:
        """An intent is shown with its charge."""
        linked = str(obj.get("latest_charge")) if obj and resource == "payment_intents" else ""
        charge = self.state.stripe.charges.get(linked)
        return tuple(part for part in (obj, charge) if part is not None)

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
            self.note()

    def version(self, resource: str, at: datetime, parts: tuple[Json, ...], obj: Json | None) -> Version:
        if obj is None or obj.get("deleted"):
            return Version(at, None, None, True, parts)
        kind = KIND_OF[resource]
        kept = kind.kept(orjson.loads(orjson.dumps(expanded(self.state.stripe, obj, kind.expand))))
        try:
            row = kind.row(kept)
        except PermanentError:
            return Version(at, None, None, False, parts)
        return Version(at, row, orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode(), False, parts)


def _status(*wanted: str) -> Callable[[Json], bool]:
    return lambda one: one["status"] in wanted


def _returnable(charge: Json) -> bool:
    return (
        charge["status"] == "succeeded"
        and charge["amount"] != BAD_AMOUNT
        and int(charge["amount_captured"]) > int(charge["amount_refunded"])
    )


def _pay(world: StripeWorld, chance: random.Random, told: bool) -> None:
    at = world.time.peek()
    intent = world.life.create_intent(at=at, amount=chance.randrange(100, 9999), event=told)
    world.life.succeed(intent["id"], at=at, event=told)


def _open(world: StripeWorld, chance: random.Random, told: bool) -> None:
    world.life.create_intent(
        at=world.time.peek(), amount=chance.randrange(100, 9999), manual=chance.random() < 0.5, event=told
    )


def _settle(world: StripeWorld, chance: random.Random, told: bool) -> None:
    """An open intent goes on: paid, authorized, or declined."""
    open_intent = world.choose(chance, "payment_intents", _status("requires_payment_method", "processing"))
    intent = world.state.stripe.payment_intents[open_intent]
    steps = [world.life.decline, world.life.process]
    steps += [world.life.authorize if intent["capture_method"] == "manual" else world.life.succeed] * 3
    chance.choice(steps)(open_intent, at=world.time.peek(), event=told)


def _capture(world: StripeWorld, chance: random.Random, told: bool) -> None:
    held = world.choose(chance, "payment_intents", _status("requires_capture"))
    world.life.capture(held, at=world.time.peek(), event=told)


def _cancel(world: StripeWorld, chance: random.Random, told: bool) -> None:
    charges = world.state.stripe.charges

    def cancelable(one: Json) -> bool:
        spoiled = charges.get(str(one["latest_charge"]), {}).get("amount") == BAD_AMOUNT
        return one["status"] in {"requires_payment_method", "requires_capture"} and not spoiled

    left = world.choose(chance, "payment_intents", cancelable)
    world.life.cancel(left, at=world.time.peek(), event=told)


def _refund(world: StripeWorld, chance: random.Random, told: bool) -> None:
    charge = world.choose(chance, "charges", _returnable)
    left = world.state.stripe.charges[charge]
    amount = chance.choice([None, 1, (left["amount_captured"] - left["amount_refunded"] + 1) // 2])
    status = chance.choice(["pending", "succeeded"])
    world.life.refund(charge, at=world.time.peek(), amount=amount, status=status, event=told)


def _end_refund(world: StripeWorld, chance: random.Random, told: bool) -> None:
    refund = world.choose(chance, "refunds", _status("pending", "succeeded"))
    step = chance.choice([world.life.complete_refund, world.life.fail_refund])
    step(refund, at=world.time.peek(), event=told)


def _dispute(world: StripeWorld, chance: random.Random, told: bool) -> None:
    charge = world.choose(chance, "charges", lambda one: _returnable(one) and one["captured"] and not one["disputed"])
    world.life.open_dispute(charge, at=world.time.peek(), event=told)


def _customer(world: StripeWorld, chance: random.Random, told: bool) -> None:
    world.life.create_customer(at=world.time.peek(), email=chance.choice(ADDRESSES), event=told)


def _change_customer(world: StripeWorld, chance: random.Random, told: bool) -> None:
    customer = world.choose(chance, "customers", lambda _one: True)
    world.life.change_customer(customer, at=world.time.peek(), email=chance.choice(ADDRESSES), event=told)


def _delete_customer(world: StripeWorld, chance: random.Random, told: bool) -> None:
    world.life.delete_customer(world.choose(chance, "customers", lambda _one: True), at=world.time.peek(), event=told)


def _purge(world: StripeWorld, chance: random.Random, told: bool) -> None:
    del told
    world.purge(world.choose(chance, "payment_intents", lambda one: one["latest_charge"] is None))


def _restore(world: StripeWorld, chance: random.Random, told: bool) -> None:
    del told
    world.restore(chance)


def _spoil(world: StripeWorld, chance: random.Random, told: bool) -> None:
    del told
    world.spoil(world.choose(chance, "charges", lambda _one: True))


OPERATIONS: Mapping[str, Callable[[StripeWorld, random.Random, bool], None]] = {
    "pay": _pay, "open": _open, "settle": _settle, "capture": _capture, "cancel": _cancel, "refund": _refund,
    "end_refund": _end_refund, "dispute": _dispute, "customer": _customer, "change_customer": _change_customer,
    "delete_customer": _delete_customer, "purge": _purge, "restore": _restore, "spoil": _spoil,
}  # fmt: skip
OFTEN = (*OPERATIONS, "pay", "open", "open", "settle", "settle", "refund", "end_refund", "customer", "change_customer")
UNTOLD = frozenset({"purge", "restore", "spoil"})
"""Of these Stripe tells nothing."""

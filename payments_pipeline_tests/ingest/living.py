"""A provider over the sandbox's Stripe as time passes, without HTTP: what is listed, read and told, and what fails.

Belongs here: a hand-written `Provider` whose calls can be counted and spoiled. Does not belong here: assertions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from payments_pipeline.errors import FeedGapError, PaymentsPipelineError
from payments_pipeline.providers import stripe_objects
from payments_pipeline.providers.base import Account, Change, ChangePage, Page, Resource, ResourceSpec, Window
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_life import StripeLife

START = datetime(2026, 10, 1, tzinfo=UTC)
INTENTS = replace(
    stripe_objects.PAYMENT_INTENTS,
    open_statuses=frozenset({"requires_payment_method", "requires_capture", "processing"}),
    event_types=("payment_intent.*",),
)
REFUNDS = replace(
    stripe_objects.REFUNDS, open_statuses=frozenset({"pending", "requires_action"}), event_types=("refund.*",)
)
Json = dict[str, Any]


class Time:
    """A clock that tests move; every look at it takes a millisecond."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def pass_by(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now


class Living:
    """Stripe with intents (their charge expanded) and refunds.

    Attributes:
        calls: how often each resource was listed (pages), read (objects) or the feed asked, e.g. ``list refunds``.
        failures: by the same words: raised by the next such call, while it stands there.
        hooks: by the same words: called before each such call.
    """

    name = "stripe"

    def __init__(self, time: Time, *, feed: bool = True, page: int = 3) -> None:
        self.time = time
        self.state = SandboxState()
        self.life = StripeLife(self.state)
        self.page = page
        self.account = Account("stripe", "acct_1", False)
        self.calls: Counter[str] = Counter()
        self.failures: dict[str, PaymentsPipelineError] = {}
        self.hooks: dict[str, Callable[[], object]] = {}
        specs = [INTENTS, REFUNDS] if feed else [replace(spec, event_types=()) for spec in (INTENTS, REFUNDS)]
        rows = {"payment_intents": stripe_objects.intent_row, "refunds": stripe_objects.refund_row}
        self.resources: Mapping[str, Resource] = {spec.name: _Living(self, spec, rows[spec.name]) for spec in specs}
        self.reach = timedelta(days=30)

    def identify(self) -> Account:
        return self.account

    def changes(self, window: Window) -> Iterator[ChangePage]:
        if window.start < self.time.now - self.reach:
            raise FeedGapError("The feed begins later.")
        self.step("feed")
        told = [event for event in self.state.stripe.events.values() if _within(event, window)]
        for event in reversed(told):
            yield ChangePage(list(_changes(event)), self.time())

    def step(self, word: str) -> None:
        self.calls[word] += 1
        if word in self.hooks:
            self.hooks[word]()
        if word in self.failures:
            raise self.failures[word]

    def shown(self, resource: str, obj: Json) -> Json:
        stripe = self.state.stripe
        charge = stripe.charges.get(str(obj.get("latest_charge"))) if resource == "payment_intents" else None
        return obj if charge is None else {**obj, "latest_charge": charge}

    def pay(self, count: int = 1) -> list[Json]:
        """Payments made now, one after the other."""
        return [
            self.life.succeed(self.life.create_intent(at=self.time.now)["id"], at=self.time.now) for _ in range(count)
        ]

    def hold(self) -> Json:
        """A payment authorized now."""
        intent = self.life.create_intent(at=self.time.now, manual=True)
        return self.life.authorize(intent["id"], at=self.time.now)

    def truth(self) -> set[tuple[str, str, Any]]:
        """Intents as they are: id, status, whether the charge is fully refunded."""
        charges = self.state.stripe.charges
        return {
            (one["id"], one["status"], charges.get(str(one["latest_charge"]), {}).get("refunded"))
            for one in self.state.stripe.payment_intents.values()
        }


class _Living:
    def __init__(self, home: Living, spec: ResourceSpec, row: Callable[[Mapping[str, Any]], tuple[Any, ...]]) -> None:
        self._home, self.spec, self.row = home, spec, row

    def pages(self, window: Window) -> Iterator[Page]:
        home, name = self._home, self.spec.name
        found = sorted(
            (one for one in self._store().values() if _within(one, window)), key=lambda one: -int(one["created"])
        )
        for first in range(0, max(1, len(found)), home.page):
            read_at = home.time()
            home.step(f"list {name}")
            ids = [one["id"] for one in found[first : first + home.page]]
            now = [self._store()[one] for one in ids if one in self._store()]
            yield Page([home.shown(name, one) for one in now], read_at)

    def read(self, object_id: str) -> Page | None:
        read_at = self._home.time()
        self._home.step(f"read {self.spec.name}")
        found = self._store().get(object_id)
        return None if found is None else Page([self._home.shown(self.spec.name, found)], read_at)

    def object_id(self, obj: Mapping[str, Any]) -> str:
        return str(obj["id"])

    def _store(self) -> Mapping[str, Json]:
        store: Mapping[str, Json] = getattr(self._home.state.stripe, self.spec.name)
        return store


def stored(engine: Engine) -> set[tuple[str, str, Any]]:
    """Intents as the raw table has them, in the form of `Living.truth`; vanished ones left out."""
    statement = text(
        "SELECT object_id, status, charge_refunded FROM recon.stripe_payment_intents WHERE vanished_at IS NULL"
    )
    with engine.connect() as connection:
        return {(row[0], row[1], row[2]) for row in connection.execute(statement)}


def _within(obj: Json, window: Window) -> bool:
    return window.start <= datetime.fromtimestamp(obj["created"], UTC) < window.end


def _changes(event: Json) -> Iterator[Change]:
    """What an event touches, as the Stripe provider tells it."""
    at, event_id, obj = datetime.fromtimestamp(event["created"], UTC), event["id"], event["data"]["object"]
    kind = str(event["type"])
    if kind.startswith("payment_intent."):
        yield Change("payment_intents", obj["id"], at, False, event_id)
    elif kind.startswith(("charge.", "refund.")) and obj.get("payment_intent"):
        yield Change("payment_intents", obj["payment_intent"], at, False, event_id)
    if kind.startswith("refund."):
        yield Change("refunds", obj["id"], at, False, event_id)

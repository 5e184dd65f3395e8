"""How a fault is written: one small function that plants it once and says which reports must, or must not, show it.

Belongs here: the register and the words for sightings. Does not belong here: any fault. To add one, write in a module
of this folder (and name a new module in faults/__init__.py)::

    @fault(line="E1", name="webhook_never_came")
    def webhook_never_came(town: Town) -> list[Sighting]:
        user = town.user()
        payment = pay_by_card(town, user, town.between(0.1, 25), plan=town.plan(), app="pending")
        return [gap(user), drift(payment)]

A look-alike is the same with `never(...)` around its sightings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from payments_pipeline.sandbox.objects import Json
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.town import Town


@dataclass(frozen=True, slots=True)
class Sighting:
    """A row of `report` whose columns, as text, equal `key`: must be there, or (`expected` false) must not."""

    report: str
    key: dict[str, str]
    expected: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which things go wrong, or only look like it. `line` is the line of the failure catalogue."""

    line: str
    name: str
    plant: Callable[[Town], list[Sighting]]


FAULTS: dict[str, Fault] = {}


def fault(*, line: str, name: str) -> Callable[[Callable[[Town], list[Sighting]]], Callable[[Town], list[Sighting]]]:
    """Registers a function as a fault; names are unique.

    Raises:
        ValueError: the name is taken.
    """

    def register(plant: Callable[[Town], list[Sighting]]) -> Callable[[Town], list[Sighting]]:
        if name in FAULTS:
            raise ValueError(f"Two faults are named {name!r}; rename the one in {plant.__module__}.")
        FAULTS[name] = Fault(line, name, plant)
        return plant

    return register


def gap(user: Row) -> Sighting:
    """A row about this user in activation_gaps."""
    return Sighting("activation_gaps", {"user_id": str(user["id"])})


def drift(payment: Row) -> Sighting:
    """A row about this payment in out_of_sync_payments."""
    return Sighting("out_of_sync_payments", {"payment_id": str(payment["id"])})


def stray(provider: str, ref: str) -> Sighting:
    """A row in out_of_sync_payments about a provider object that no payment of ours refers to."""
    return Sighting("out_of_sync_payments", {"provider": provider, "provider_ref": ref})


def stuck(payment: Row) -> Sighting:
    """A row about this payment's hold in stuck_authorizations."""
    return Sighting("stuck_authorizations", {"provider": "stripe", "provider_ref": payment["transaction_id"]})


def stuck_intent(intent: Json) -> Sighting:
    """A row in stuck_authorizations about a hold that the application does not know."""
    return Sighting("stuck_authorizations", {"provider": "stripe", "provider_ref": intent["id"]})


def never(*sightings: Sighting) -> list[Sighting]:
    """The same sightings, forbidden."""
    return [replace(sighting, expected=False) for sighting in sightings]

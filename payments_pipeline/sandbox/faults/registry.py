"""How a fault is written: one small function that plants it once and says which reports must, or must not, show it.

Belongs here: the register and the words for sightings. Does not belong here: any fault. To add one, write in a module
of this folder, be it a new one::

    @fault(line="E1", name="webhook_never_came")
    def webhook_never_came(town: Town) -> list[Sighting]:
        user = town.user()
        payment = pay_by_card(town, user, town.between(0.1, 25), plan=town.plan(), app="pending")
        return [gap(user), drift(payment)]

A look-alike is the same with `never(...)` around its sightings. A new line of the failure catalogue is told by its
first fault (`what`); nothing else names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from payments_pipeline.sandbox.catalogue import LINES
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
TAKEN = "access taken"  # direction of a row in refunded_access


def fault(
    *, line: str, name: str, what: str | None = None
) -> Callable[[Callable[[Town], list[Sighting]]], Callable[[Town], list[Sighting]]]:
    """Registers a function as a fault; names are unique.

    Args:
        what: what the line means, where the catalogue does not have it yet.

    Raises:
        ValueError: the name is taken, or nobody says what the line means.
    """
    if what is not None:
        LINES.setdefault(line, what)
    if line not in LINES:
        raise ValueError(f'Line {line} of fault {name!r} is not in the catalogue; say what it means: what="...".')

    def register(plant: Callable[[Town], list[Sighting]]) -> Callable[[Town], list[Sighting]]:
        if name in FAULTS:
            raise ValueError(f"Two faults are named {name!r}; rename the one in {plant.__module__}.")
        FAULTS[name] = Fault(line, name, plant)
        return plant

    return register


def gap(user: Row) -> Sighting:
    """A row about this user in activation_gaps."""
    return Sighting("activation_gaps", {"user_id": str(user["id"])})


def other_tier(user: Row) -> Sighting:
    """A row about this user in wrong_tier."""
    return Sighting("wrong_tier", {"user_id": str(user["id"])})


def ends_early(user: Row) -> Sighting:
    """A row about this user in renewal_gaps."""
    return Sighting("renewal_gaps", {"user_id": str(user["id"])})


def for_nothing(user: Row) -> Sighting:
    """A row about this user in unpaid_access."""
    return Sighting("unpaid_access", {"user_id": str(user["id"])})


def returned(user: Row, direction: str = "access kept") -> Sighting:
    """A row about this user in refunded_access; `direction` may be "access taken" instead."""
    return Sighting("refunded_access", {"user_id": str(user["id"]), "direction": direction})


def paid_twice(payment: Row) -> Sighting:
    """A row about this payment, the later of two, in duplicate_payments."""
    return Sighting("duplicate_payments", {"payment_id": str(payment["id"])})


def anything(user: Row) -> list[Sighting]:
    """All that the reports on access could say of this user."""
    return [gap(user), other_tier(user), ends_early(user), for_nothing(user), returned(user), returned(user, TAKEN)]


def drift(payment: Row) -> Sighting:
    """A row about this payment in out_of_sync_payments."""
    return Sighting("out_of_sync_payments", {"payment_id": str(payment["id"])})


def stray(provider: str, ref: str) -> Sighting:
    """A row in out_of_sync_payments about a provider object that no payment of ours refers to."""
    return Sighting("out_of_sync_payments", {"provider": provider, "provider_ref": ref})


def off(payment: Row) -> Sighting:
    """A row about this payment's sum or currency in amount_mismatches."""
    return Sighting("amount_mismatches", {"payment_id": str(payment["id"])})


def unknown(payment: Row) -> Sighting:
    """A row about this payment, of which the provider has nothing, in unknown_payments."""
    return Sighting("unknown_payments", {"payment_id": str(payment["id"])})


def event(report: str, provider: str, ref: str) -> Sighting:
    """A row about a provider's object in one of the reports whose truth is read off the objects (oracle.py).

    Only for objects that a fault makes by itself, so that its line is told; the others are labelled in one place.
    """
    return Sighting(report, {"provider": provider, "provider_ref": ref})


def orphan(provider: str, ref: str) -> Sighting:
    """A row about money that no payment stands for in orphan_provider_payments."""
    return event("orphan_provider_payments", provider, ref)


def stuck(payment: Row, recommendation: str | None = None) -> Sighting:
    """A row about this payment's hold in stuck_authorizations, which must recommend this where it is given."""
    return _hold("stuck_authorizations", payment["transaction_id"], recommendation)


def stuck_intent(intent: Json) -> Sighting:
    """A row in stuck_authorizations about a hold that the application does not know."""
    return _hold("stuck_authorizations", intent["id"], "release")


def expired(payment: Row) -> Sighting:
    """A row about this payment's hold in expired_authorizations."""
    return _hold("expired_authorizations", payment["transaction_id"])


def no_show(payment: Row) -> Sighting:
    """A row about this payment's hold in no_show_holds."""
    return _hold("no_show_holds", payment["transaction_id"])


def unpaid(booking: Row) -> Sighting:
    """A row about this booking in missing_payments."""
    return Sighting("missing_payments", {"booking_id": str(booking["id"])})


def not_arrived(payout: Row) -> Sighting:
    """A row about this payout of the application in failed_payouts."""
    return Sighting("failed_payouts", {"payout_id": str(payout["id"])})


def refused(payout: Json) -> Sighting:
    """A row about this payout of Stripe's in failed_payouts."""
    return Sighting("failed_payouts", {"provider_ref": payout["id"]})


def mismatch(ref: str) -> Sighting:
    """A row in payout_mismatches about this payout, or this charge whose money is in none."""
    return Sighting("payout_mismatches", {"provider_ref": ref})


def _hold(report: str, ref: str, recommendation: str | None = None) -> Sighting:
    key = {"provider": "stripe", "provider_ref": ref}
    return Sighting(report, key if recommendation is None else key | {"recommendation": recommendation})


def never(*sightings: Sighting) -> list[Sighting]:
    """The same sightings, forbidden."""
    return [replace(sighting, expected=False) for sighting in sightings]

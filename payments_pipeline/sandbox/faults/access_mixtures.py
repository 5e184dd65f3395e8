"""The same anomalies in lives that are not simple: an old history behind them, or a reason why nobody minds.

Belongs here: combinations. Does not belong here: an anomaly of its own kind (access.py, entitlement.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.access import dispute
from payments_pipeline.sandbox.faults.registry import (
    Sighting,
    anything,
    ends_early,
    fault,
    for_nothing,
    gap,
    never,
    other_tier,
    returned,
)
from payments_pipeline.sandbox.plans import TIERS, Row
from payments_pipeline.sandbox.purchases import Pay, pay_by_card, pay_by_gateway, refund
from payments_pipeline.sandbox.town import Town

# Days ago, more than a month apart, so that two payments are neither for one month nor add up to the present.
_LONG_AGO = ((48, 52), (84, 86))


def _one_month(town: Town, user: Row, at: tuple[float, float]) -> None:
    plan = town.plan(currency="USD")
    ways: list[Pay] = [pay_by_card, pay_by_gateway]
    payment = town.rng.choice(ways)(town, user, town.between(*at), plan=plan)
    town.activate(user, plan, payment)
    town.deactivate(user, "expired", payment["confirmed_at"] + timedelta(days=30))


def _one_refund(town: Town, user: Row, at: tuple[float, float]) -> None:
    payment = pay_by_card(town, user, town.between(*at), plan=town.plan(), app="refunded")
    refund(town, payment)


def _one_dispute(town: Town, user: Row, at: tuple[float, float]) -> None:
    plan = town.plan()
    payment = pay_by_card(town, user, town.between(*at), plan=plan)
    dispute(town, payment, town.rng.choice(["won", "lost"]))


def _one_failure(town: Town, user: Row, at: tuple[float, float]) -> None:
    pay_by_card(town, user, town.between(*at), plan=town.plan(), app="failed", intent="requires_payment_method")


def _one_part(town: Town, user: Row, at: tuple[float, float]) -> None:
    payment = pay_by_card(town, user, town.between(*at), plan=town.plan(currency="EUR"), app="partially_refunded")
    refund(town, payment, part=Decimal("0.3"))


_STORIES: tuple[Callable[[Town, Row, tuple[float, float]], None], ...] = (
    _one_month,
    _one_refund,
    _one_dispute,
    _one_failure,
    _one_part,
)


def _veteran(town: Town) -> Row:
    """A user without access and with one or two old stories, both over."""
    user = town.user()
    for at in sorted(town.rng.sample(_LONG_AGO, town.rng.randint(1, 2)), reverse=True):
        town.rng.choice(_STORIES)(town, user, at)
    return user


def _subscribe(town: Town, user: Row, plan: Row, newest: float = 2, oldest: float = 24) -> Row:
    payment = pay_by_card(town, user, town.between(newest, oldest), plan=plan)
    town.activate(user, plan, payment)
    return payment


@fault(line="E1", name="gap_of_a_veteran")
def gap_of_a_veteran(town: Town) -> list[Sighting]:
    """Came back, paid, and stands outside."""
    user = _veteran(town)
    pay_by_card(town, user, town.between(1, 25), plan=town.plan())
    return [gap(user), *never(other_tier(user), ends_early(user), for_nothing(user), returned(user))]


@fault(line="E5", name="wrong_tier_of_a_veteran")
def wrong_tier_of_a_veteran(town: Town) -> list[Sighting]:
    """Downgraded, upgraded again: the newest of three payments counts."""
    user = _veteran(town)
    old, middle, newest = (town.plan(tier, currency="USD") for tier in ("pro", "basic", "premium"))
    _subscribe(town, user, old, 20, 25)
    _subscribe(town, user, middle, 11, 18)
    pay_by_card(town, user, town.between(1, 9), plan=newest)
    return [other_tier(user), *never(gap(user), ends_early(user), for_nothing(user), returned(user))]


@fault(line="E6", name="renewal_of_a_veteran_moved_nothing")
def renewal_of_a_veteran_moved_nothing(town: Town) -> list[Sighting]:
    """A part of the new payment was even refunded: a part keeps the whole month."""
    user = _veteran(town)
    plan = town.plan(currency="EUR")
    _subscribe(town, user, plan, 26, 29)
    second = pay_by_card(town, user, town.between(1, 4), plan=plan, app="partially_refunded")
    refund(town, second, part=Decimal("0.2"))
    return [ends_early(user), *never(gap(user), other_tier(user), for_nothing(user), returned(user))]


@fault(line="E9", name="veteran_in_for_nothing")
def veteran_in_for_nothing(town: Town) -> list[Sighting]:
    """Whatever was paid once is over; somebody switched the user on again."""
    user = _veteran(town)
    user.update(subscription_status="active", subscription_tier=town.rng.choice(TIERS))
    return [for_nothing(user), *never(gap(user), other_tier(user), ends_early(user), returned(user))]


@fault(line="E7", name="veteran_refunded_and_still_in")
def veteran_refunded_and_still_in(town: Town) -> list[Sighting]:
    """Paid, refunded or lost to the bank, and still in."""
    user = _veteran(town)
    payment = _subscribe(town, user, town.plan())
    if town.rng.random() < 0.5:  # noqa: PLR2004
        dispute(town, payment, "lost")
    else:
        payment["status"] = "refunded"
        refund(town, payment)
    return [returned(user), *never(gap(user), other_tier(user), ends_early(user), for_nothing(user))]


@fault(line="E5", name="veteran_with_what_was_bought")
def veteran_with_what_was_bought(town: Town) -> list[Sighting]:
    """A long history, and everything as it should be."""
    user = _veteran(town)
    _subscribe(town, user, town.plan("pro", currency="USD"), 12, 24)
    _subscribe(town, user, town.plan("premium", currency="USD"), 2, 10)
    return never(*anything(user))


@fault(line="E9", name="nobody_minds")
def nobody_minds(town: Town) -> list[Sighting]:
    """Staff, and users whom an administrator let in: any of the anomalies, and none is one."""
    favour = {"is_internal": True}, {"access_override_until": town.as_of + timedelta(days=town.rng.randint(2, 40))}
    user = _veteran(town)
    story = town.rng.randrange(4)
    if story == 0:
        pay_by_card(town, user, town.between(1, 25), plan=town.plan())
    elif story == 1:
        user.update(subscription_status="active", subscription_tier="premium")
        pay_by_card(town, user, town.between(1, 25), plan=town.plan("basic", currency="USD"))
    elif story == 2:  # noqa: PLR2004
        _subscribe(town, user, town.plan())["status"] = "refunded"
        refund(town, _last(town))
    else:
        user.update(subscription_status="active", subscription_tier="pro")
    user.update(town.rng.choice(favour))
    return never(*anything(user))


def _last(town: Town) -> Row:
    return town.tables["payment_transactions"][-1]

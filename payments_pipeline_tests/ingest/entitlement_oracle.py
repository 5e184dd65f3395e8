"""What a user should have, told once more in plain Python over a short life story.

Belongs here: a second opinion, written from the rules in words (a payment counts when the money is here; the newest one
that runs decides; what ended it since; what was returned). Does not belong here: SQL, or a look at it.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

Period = Literal["week", "month", "year", "lifetime"]


@dataclass(frozen=True)
class Plan:
    tier: str
    period: Period


@dataclass(frozen=True)
class Payment:
    """One purchase. `there` is the provider's side: None where nothing was read; `back` the share given back."""

    plan: Plan | None
    at: datetime
    here: Literal["succeeded", "pending", "refunded", "failed"]
    there: Literal["paid", "pending", "authorized", "canceled"] | None
    back: Literal["none", "part", "all"] = "none"
    dispute: Literal["none", "open", "won", "lost"] = "none"
    shared: bool = False


@dataclass(frozen=True)
class Event:
    """canceled_now ends access at once; canceled_later at the end of the period; downgraded moves to basic."""

    kind: Literal["activated", "canceled_now", "canceled_later", "downgraded", "suspended", "expired", "note"]
    at: datetime


@dataclass
class Life:
    payments: list[Payment]
    events: list[Event] = field(default_factory=list)
    has_access: bool = True


@dataclass(frozen=True)
class Due:
    """The judgement; `payment` is the index of the purchase it rests on."""

    entitled: bool
    tier: str | None
    since: datetime
    until: datetime | None
    payment: int


def end_of(plan: Plan | None, start: datetime) -> datetime | None:
    """When a purchase runs out; an unknown plan is given the benefit of a year."""
    match plan and plan.period:
        case "lifetime":
            return None
        case "week":
            return start + timedelta(weeks=1)
        case "month":
            return _same_day(start, start.year + start.month // 12, start.month % 12 + 1)
        case _:
            return _same_day(start, start.year + 1, start.month)


def _same_day(start: datetime, year: int, month: int) -> datetime:
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def money_is_here(payment: Payment) -> bool:
    if money_went_back(payment) or payment.here == "refunded":
        return False
    if payment.here == "succeeded":
        return payment.there in {None, "paid"}
    return payment.there == "paid" and not payment.shared


def money_went_back(payment: Payment) -> bool:
    if payment.there == "paid" and (payment.back == "all" or payment.dispute == "lost"):
        return True
    return payment.here == "refunded" and payment.there != "paid"


def judge(life: Life, now: datetime) -> Due | None:
    """None where nothing that was bought runs any more."""
    running = [
        (payment, number)
        for number, payment in enumerate(life.payments)
        if payment.at <= now and ((end := end_of(payment.plan, payment.at)) is None or end > now)
    ]
    good = sorted((p.at, n) for p, n in running if money_is_here(p))
    gone = sorted((p.at, n) for p, n in running if money_went_back(p))
    if good:
        return _since(life, now, [number for _, number in good])
    if gone:
        at, number = gone[-1]
        return Due(False, _tier(life.payments[number]), at, None, number)
    return None


def _since(life: Life, now: datetime, good: list[int]) -> Due:
    """The newest good payment, and what became of it since."""
    number = good[-1]
    payment = life.payments[number]
    tier = _tier(payment)
    alike = [n for n in good if n == number or (tier is not None and _tier(life.payments[n]) == tier)]
    ends = [end_of(life.payments[n].plan, life.payments[n].at) for n in alike]
    until = None if None in ends else max(end for end in ends if end is not None)
    due = Due(True, tier, min(life.payments[n].at for n in alike), until, number)
    since = [event for event in life.events if payment.at < event.at <= now and not _too_early(event, payment)]
    for event in sorted(since, key=lambda event: event.at, reverse=True):
        match event.kind:
            case "activated" if tier is not None:
                break
            case "downgraded":
                return replace(due, tier="basic")
            case "canceled_now" if life.has_access:
                break
            case "canceled_later":
                break
            case "canceled_now" | "suspended" | "expired":
                return replace(due, entitled=False, until=event.at)
    return due


def _too_early(event: Event, payment: Payment) -> bool:
    """The old date of a subscription that was renewed: it expired though the new period ran for a day and more."""
    if event.kind != "expired" or payment.plan is None:
        return False
    end = end_of(payment.plan, payment.at)
    return end is None or event.at < end - timedelta(hours=25)


def _tier(payment: Payment) -> str | None:
    return None if payment.plan is None else payment.plan.tier

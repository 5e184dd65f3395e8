"""Ordinary residents: months of history in which both sides agree and everybody has what they paid for.

Belongs here: clean lives, and the shares in which they are mixed. Does not belong here: anything that a report could
mention; look-alikes that come close to it stand in faults/.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import (
    HOLD,
    Pay,
    pay_by_card,
    pay_by_deposit,
    pay_by_gateway,
)
from payments_pipeline.sandbox.town import Town

_MONTH = timedelta(days=30)


def subscriber(
    town: Town, *, plan: Row | None = None, at: datetime | None = None, pay: Pay = pay_by_card, **sides: object
) -> tuple[Row, Row]:
    """A user whose newest payment was processed as it should be; returns the user and the application's payment."""
    plan = plan or town.plan(currency=None if pay is pay_by_card else "USD")
    user = town.user()
    payment = pay(town, user, at or town.between(0.1, 26), plan=plan, **sides)
    town.webhook(payment)
    town.activate(user, plan, payment)
    return user, payment


def visitor(town: Town) -> None:
    """Never paid."""
    town.user()


def monthly_by_card(town: Town) -> None:
    """Renews each month."""
    _months(town, town.plan(), pay_by_card, town.rng.randint(1, 4))


def yearly_by_card(town: Town) -> None:
    """Paid once, up to ten months ago: often before the window that is listed at the provider."""
    subscriber(town, plan=town.plan(period="year"), at=town.between(1, 300))


def odd_period_by_card(town: Town) -> None:
    """By the week, by the quarter, or for life."""
    tier, period, oldest = town.rng.choice([("basic", "week", 5), ("pro", "quarter", 80), ("premium", "lifetime", 300)])
    subscriber(town, plan=town.plan(tier, period, "USD"), at=town.between(0.1, oldest))


def monthly_by_gateway(town: Town) -> None:
    """Pays each month through NOWPayments."""
    _months(town, town.plan(currency="USD"), pay_by_gateway, town.rng.randint(1, 2))


def monthly_by_deposit(town: Town) -> None:
    """Pays to the exchange account; half the time the application knows only the transaction hash."""
    subscriber(town, pay=pay_by_deposit, by_hash=town.rng.random() < 0.5)  # noqa: PLR2004


def left(town: Town) -> None:
    """Let the subscription run out."""
    plan = town.plan()
    user, payment = subscriber(town, plan=plan, at=town.between(40, 85))
    town.deactivate(user, "expired", payment["confirmed_at"] + _MONTH)


def gave_up_at_checkout(town: Town) -> None:
    """The card was declined; both sides wait or both gave up."""
    app, intent = town.rng.choice([("requires_payment_method", "requires_payment_method"), ("canceled", "canceled")])
    pay_by_card(town, town.user(), town.between(1, 60), plan=town.plan(), app=app, intent=intent)


def crypto_under_way(town: Town) -> None:
    """A gateway payment that is open, or ran out more than a week ago, and the application knows."""
    status, newest, oldest = town.rng.choice([("waiting", 0.05, 2), ("confirming", 0.02, 0.1), ("expired", 15, 60)])
    at = town.between(newest, oldest)
    pay_by_gateway(town, town.user(), at, plan=town.plan(currency="USD"), app=status, gateway=status)


def booker(town: Town) -> None:
    """Books hosts: captured after the hour, the host paid out; often one more hold for an hour to come."""
    customer = town.user()
    for _ in range(town.rng.randint(1, 3)):
        starts = town.between(3, 70)
        booking = town.booking(
            customer, starts, _price(town), "USD", status="completed", actual_start=starts + timedelta(minutes=2)
        )
        payment = pay_by_card(
            town, customer, booking["created_at"], booking=booking, app="captured", captured=booking["price"]
        )
        town.webhook(payment)
        town.payout(booking, starts + timedelta(days=1))
    if town.rng.random() < 0.4:  # noqa: PLR2004
        fresh_hold(town, customer, town.between(0.1, 3.5))


def fresh_hold(town: Town, customer: Row, at: datetime, *, starts_in: timedelta = timedelta(days=1)) -> Row:
    """A hold for an hour `starts_in` after as_of; both sides say authorized. Returns the application's payment."""
    booking = town.booking(customer, town.as_of + starts_in, _price(town), "USD", created_at=at, updated_at=at)
    return pay_by_card(town, customer, at, booking=booking, app="authorized", intent="requires_capture", hold=HOLD)


def _months(town: Town, plan: Row, pay: Pay, months: int) -> None:
    newest = town.between(0.1, 26)
    user = town.user()
    for month in reversed(range(months)):
        payment = pay(town, user, newest - month * _MONTH, plan=plan)
        town.webhook(payment)
        town.activate(user, plan, payment, "renewed" if user["plan_id"] else "activated")


def _price(town: Town) -> Decimal:
    return Decimal(town.rng.randrange(20, 120))


# Shares of the clean residents.
SHARES: dict[Callable[[Town], None], int] = {
    visitor: 24,
    monthly_by_card: 30,
    yearly_by_card: 6,
    odd_period_by_card: 3,
    monthly_by_gateway: 8,
    monthly_by_deposit: 4,
    left: 8,
    gave_up_at_checkout: 4,
    crypto_under_way: 4,
    booker: 9,
}

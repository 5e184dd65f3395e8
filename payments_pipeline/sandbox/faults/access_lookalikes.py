"""Users who look as if access and money did not fit, and do: lines E5 to E11 as clean look-alikes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.access import dispute
from payments_pipeline.sandbox.faults.registry import Sighting, anything, drift, fault, never, paid_twice
from payments_pipeline.sandbox.purchases import pay_by_card, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town

_MONTH = timedelta(days=30)


@fault(line="E6", name="renewed_early_by_the_day")
def renewed_early_by_the_day(town: Town) -> list[Sighting]:
    """Renewed five days early; the new month runs from the day it was paid."""
    plan = town.plan()
    first_at = town.between(26, 44)
    user, first = subscriber(town, plan=plan, at=first_at)
    second = pay_by_card(town, user, first_at + timedelta(days=25), plan=plan)
    town.activate(user, plan, second, "renewed")
    return never(*anything(user), paid_twice(second), drift(first), drift(second))


@fault(line="E6", name="renewed_early_and_added_on")
def renewed_early_and_added_on(town: Town) -> list[Sighting]:
    """The same in an application that adds the new month to the end of the old one, even after that is long over."""
    plan = town.plan()
    first_at = town.between(26, 57)
    user, first = subscriber(town, plan=plan, at=first_at)
    second = pay_by_card(town, user, first_at + timedelta(days=25), plan=plan)
    town.activate(user, plan, second, "renewed")
    end = first["confirmed_at"] + 2 * _MONTH
    user.update(subscription_renewal_date=end, payment_due_date=end)
    return never(*anything(user), paid_twice(second), drift(second))


@fault(line="E10", name="two_months_bought_ahead")
def two_months_bought_ahead(town: Town) -> list[Sighting]:
    """Paid twice on purpose, and given twice: the end lies two months ahead."""
    plan = town.plan()
    user, first = subscriber(town, plan=plan, at=town.between(3, 20))
    second = pay_by_card(town, user, first["created_at"] + timedelta(hours=2), plan=plan)
    town.activate(user, plan, second, "renewed")
    end = first["confirmed_at"] + 2 * _MONTH
    user.update(subscription_renewal_date=end, payment_due_date=end)
    return never(*anything(user), paid_twice(first), paid_twice(second))


@fault(line="E10", name="second_payment_was_refunded")
def second_payment_was_refunded(town: Town) -> list[Sighting]:
    """Paid twice, noticed, given back; the other payment keeps access."""
    plan = town.plan("pro", currency="USD")
    user, first = subscriber(town, plan=plan, at=town.between(3, 25))
    second = pay_by_card(town, user, first["created_at"] + timedelta(minutes=3), plan=plan, app="refunded")
    refund(town, second)
    return never(*anything(user), paid_twice(first), paid_twice(second), drift(second))


@fault(line="E7", name="dispute_that_was_won")
def dispute_that_was_won(town: Town) -> list[Sighting]:
    """The money came back to us; the charge reads disputed for ever."""
    user, payment = subscriber(town, at=town.between(3, 25))
    dispute(town, payment, town.rng.choice(["won", "warning_closed"]))
    return never(*anything(user), drift(payment))


@fault(line="E8", name="part_of_it_lost_in_a_dispute")
def part_of_it_lost_in_a_dispute(town: Town) -> list[Sighting]:
    """Like a refund of a part: access stays."""
    user, payment = subscriber(town, plan=town.plan(currency="EUR"), at=town.between(3, 25))
    dispute(town, payment, "lost", part=Decimal("0.25"))
    return never(*anything(user), drift(payment))


@fault(line="E7", name="refund_failed_access_kept")
def refund_failed_access_kept(town: Town) -> list[Sighting]:
    """The refund bounced and nothing was taken: as if it had never been tried."""
    user, payment = subscriber(town, at=town.between(4, 25))
    refund(town, payment, status="failed")
    return never(*anything(user), drift(payment))


@fault(line="E7", name="refund_failed_then_worked")
def refund_failed_then_worked(town: Town) -> list[Sighting]:
    """The second try reached another card; access is gone, rightly."""
    user, payment = subscriber(town, at=town.between(4, 25))
    refund(town, payment, status="failed", after_hours=5)
    refund(town, payment)
    at = payment["created_at"] + timedelta(hours=6)
    payment.update(status="refunded", updated_at=at)
    town.deactivate(user, "refunded", at)
    return never(*anything(user), drift(payment))


@fault(line="E9", name="waiting_for_the_renewal")
def waiting_for_the_renewal(town: Town) -> list[Sighting]:
    """The month ended a day ago; the application gives a few days for the renewal to come in."""
    user, payment = subscriber(town, at=town.between(30.5, 32.5))
    return never(*anything(user), drift(payment))


@fault(line="E9", name="cancelled_for_the_end_of_the_month")
def cancelled_for_the_end_of_the_month(town: Town) -> list[Sighting]:
    """Will not renew; has paid until the end and keeps access until then."""
    user, payment = subscriber(town, at=town.between(6, 25))
    town.event(user, "canceled", town.between(1, 5), before=("active", user["subscription_tier"]))
    return never(*anything(user), drift(payment))


@fault(line="E9", name="trial_of_a_former_customer")
def trial_of_a_former_customer(town: Town) -> list[Sighting]:
    """Paid last season, came back for a trial on another tier."""
    plan = town.plan("basic", currency="USD")
    user, payment = subscriber(town, plan=plan, at=town.between(60, 85))
    town.deactivate(user, "expired", payment["confirmed_at"] + _MONTH)
    user.update(
        subscription_status="trialing", subscription_tier="premium", trial_ends_at=town.as_of + timedelta(days=5)
    )
    return never(*anything(user), drift(payment))


@fault(line="E11", name="bank_debit_under_way")
def bank_debit_under_way(town: Town) -> list[Sighting]:
    """Let in at once, as banks take days: nothing is wrong until the debit fails."""
    plan = town.plan()
    user = town.user(subscription_status="active", subscription_tier=plan["tier"], plan_id=plan["id"])
    app = town.rng.choice(["pending", "processing"])
    payment = pay_by_card(town, user, town.between(0.5, 5), plan=plan, app=app, intent="processing")
    return never(*anything(user), drift(payment))

"""Users who look as if they lacked what they paid for, and do not: lines E and W as clean look-alikes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, anything, drift, fault, gap, never, paid_twice, stray
from payments_pipeline.sandbox.purchases import card_intent, pay_by_card, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="E5", name="bought_another_plan_since")
def bought_another_plan_since(town: Town) -> list[Sighting]:
    """Premium three weeks ago, basic now: only the newest payment counts."""
    user, first = subscriber(town, plan=town.plan("premium", currency="USD"), at=town.between(12, 25))
    plan = town.plan("basic", currency="USD")
    second = pay_by_card(town, user, town.between(0.1, 10), plan=plan)
    town.webhook(second)
    town.activate(user, plan, second, "plan_changed")
    return never(*anything(user), drift(first), drift(second))


@fault(line="E5", name="downgraded_since")
def downgraded_since(town: Town) -> list[Sighting]:
    """The user asked for a smaller plan after paying."""
    user, payment = subscriber(town, plan=town.plan("premium", currency="USD"), at=town.between(12, 25))
    at = town.between(1, 10)
    smaller = town.plan("basic", currency="USD")
    user.update(subscription_tier="basic", plan_id=smaller["id"], subscription_updated_at=at, updated_at=at)
    town.event(user, "plan_changed", at, before=("active", "premium"), plan=smaller)
    return never(*anything(user), drift(payment))


@fault(line="E7", name="refunded_on_both_sides")
def refunded_on_both_sides(town: Town) -> list[Sighting]:
    """Money back, access gone, everybody agrees."""
    user, payment = subscriber(town, at=town.between(2, 25))
    refund(town, payment)
    at = payment["created_at"] + timedelta(hours=6)
    payment.update(status="refunded", updated_at=at)
    town.deactivate(user, "refunded", at)
    return never(*anything(user), drift(payment))


@fault(line="E7", name="refunded_without_an_event")
def refunded_without_an_event(town: Town) -> list[Sighting]:
    """As above, but the application keeps no history: the refund itself must be enough."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(2, 25), plan=town.plan(), app="refunded")
    refund(town, payment)
    return never(*anything(user), drift(payment))


@fault(line="E8", name="partial_refund_keeps_access")
def partial_refund_keeps_access(town: Town) -> list[Sighting]:
    """Half the money back as a courtesy; half the time the application has a word for it."""
    user, payment = subscriber(town, plan=town.plan(currency="EUR"), at=town.between(2, 25))
    refund(town, payment, part=Decimal("0.5"))
    if town.rng.random() < 0.5:  # noqa: PLR2004
        payment["status"] = "partially_refunded"
    return never(*anything(user), drift(payment))


@fault(line="E9", name="trial_without_payment")
def trial_without_payment(town: Town) -> list[Sighting]:
    """Access on trial, nothing paid yet."""
    user = town.user(
        subscription_status="trialing",
        subscription_tier="pro",
        trial_ends_at=town.as_of + timedelta(days=town.rng.randint(1, 12)),
    )
    return never(*anything(user))


@fault(line="E9", name="internal_account")
def internal_account(town: Town) -> list[Sighting]:
    """Staff bought a plan to test the checkout; nobody minds their tier."""
    user = town.user(is_internal=True)
    payment = pay_by_card(town, user, town.between(1, 25), plan=town.plan())
    return never(*anything(user), drift(payment))


@fault(line="E9", name="admin_override")
def admin_override(town: Town) -> list[Sighting]:
    """An admin set another tier by hand, for a while."""
    user, payment = subscriber(town, plan=town.plan("basic", currency="USD"))
    user.update(subscription_tier="premium", access_override_until=town.as_of + timedelta(days=20))
    return never(*anything(user), drift(payment))


@fault(line="E10", name="paid_twice_for_one_period")
def paid_twice_for_one_period(town: Town) -> list[Sighting]:
    """Two good payments a minute apart: one is owed back; neither a gap nor a disagreement."""
    user, first = subscriber(town, plan=town.plan("pro", currency="USD"))
    second = pay_by_card(town, user, first["created_at"] + timedelta(minutes=1), plan=town.plan("pro", currency="USD"))
    return [paid_twice(second), *never(*anything(user), paid_twice(first), drift(first), drift(second))]


@fault(line="E11", name="checkout_complete_but_unpaid")
def checkout_complete_but_unpaid(town: Town) -> list[Sighting]:
    """A bank debit that is still under way: nothing bought yet."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(0.1, 3), plan=town.plan(), app="pending", intent="processing")
    return never(*anything(user), drift(payment))


@fault(line="E13", name="one_customer_on_two_users")
def one_customer_on_two_users(town: Town) -> list[Sighting]:
    """A charge that names only a customer whom two users share: never linked by itself."""
    first = town.user()
    second = town.user(stripe_customer_id=first["stripe_customer_id"])
    plan = town.plan(currency="USD")
    intent = card_intent(
        town,
        amount=plan["price"],
        currency="USD",
        at=town.between(0.1, 25),
        customer=first["stripe_customer_id"],
    )
    return never(gap(first), gap(second), stray("stripe", intent["id"]))


@fault(line="E14", name="paid_seconds_ago")
def paid_seconds_ago(town: Town) -> list[Sighting]:
    """The payment is in, the webhook's worker is about to switch the user on."""
    user = town.user()
    payment = pay_by_card(town, user, town.ago(seconds=town.rng.randint(15, 40)), plan=town.plan())
    return never(*anything(user), drift(payment))


@fault(line="E14", name="webhook_in_flight")
def webhook_in_flight(town: Town) -> list[Sighting]:
    """Stripe has the money since seconds, its webhook is on the way."""
    user = town.user()
    at = town.ago(seconds=town.rng.randint(15, 40))
    payment = pay_by_card(town, user, at, plan=town.plan(), app="pending")
    return never(gap(user), drift(payment))


@fault(line="E15", name="period_is_over")
def period_is_over(town: Town) -> list[Sighting]:
    """Bought a month some time ago, inactive now, no history kept."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(36, 85), plan=town.plan())
    return never(*anything(user), drift(payment))


@fault(line="E15", name="canceled_since")
def canceled_since(town: Town) -> list[Sighting]:
    """Left of their own will in the middle of a paid month."""
    user, payment = subscriber(town, at=town.between(6, 25))
    town.deactivate(user, "canceled", town.between(1, 5), status="canceled")
    return never(*anything(user), drift(payment))


@fault(line="E15", name="suspended_since")
def suspended_since(town: Town) -> list[Sighting]:
    """Paid, and thrown out for abuse."""
    user, payment = subscriber(town, at=town.between(6, 25))
    town.deactivate(user, "suspended", town.between(1, 5), status="suspended")
    return never(*anything(user), drift(payment))


@fault(line="W2", name="webhook_came_twice")
def webhook_came_twice(town: Town) -> list[Sighting]:
    """Delivered twice, processed twice, one activation."""
    user, payment = subscriber(town)
    town.webhook(payment)
    return never(gap(user), drift(payment))


@fault(line="W3", name="failed_webhook_then_good_one")
def failed_webhook_then_good_one(town: Town) -> list[Sighting]:
    """The first delivery broke, the retry worked."""
    user, payment = subscriber(town)
    town.webhook(payment, "failed", error="connection reset")
    return never(gap(user), drift(payment))

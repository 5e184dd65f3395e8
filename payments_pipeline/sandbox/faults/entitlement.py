"""Paid, and the user does not have it: lines E and W of the failure catalogue as planted faults."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never, other_tier
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import pay_by_card, pay_by_deposit, pay_by_gateway, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town

# No row of the price list; the application kept the reference to a plan that was deleted.
DELETED_PLAN = 9001


def _payer(town: Town, app: str, newest_days: float = 0.1, oldest_days: float = 25) -> tuple[Row, Row]:
    """A user without access whose card was charged."""
    user = town.user()
    return user, pay_by_card(town, user, town.between(newest_days, oldest_days), plan=town.plan(), app=app)


@fault(line="E1", name="webhook_never_came")
def webhook_never_came(town: Town) -> list[Sighting]:
    """Stripe has the money, the application still waits."""
    user, payment = _payer(town, "pending")
    return [gap(user), drift(payment)]


@fault(line="E1", name="yearly_webhook_never_came")
def yearly_webhook_never_came(town: Town) -> list[Sighting]:
    """The same for a yearly plan, paid weeks ago."""
    user = town.user()
    payment = pay_by_card(town, user, town.between(35, 80), plan=town.plan(period="year"), app="pending")
    return [gap(user), drift(payment)]


@fault(line="E1", name="gateway_callback_never_came")
def gateway_callback_never_came(town: Town) -> list[Sighting]:
    """NOWPayments finished, the application still waits."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_gateway(town, user, town.between(0.1, 25), plan=plan, app="waiting")
    return [gap(user), drift(payment)]


@fault(line="E1", name="deposit_never_noticed")
def deposit_never_noticed(town: Town) -> list[Sighting]:
    """OKX credited the deposit, the application still waits."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_deposit(town, user, town.between(0.1, 25), plan=plan, app="pending")
    return [gap(user), drift(payment)]


@fault(line="E2", name="webhook_failed")
def webhook_failed(town: Town) -> list[Sighting]:
    """The webhook came and its processing broke."""
    user, payment = _payer(town, "pending")
    town.webhook(payment, "failed", error="deadlock detected while updating users")
    return [gap(user), drift(payment)]


@fault(line="E3", name="signature_refused")
def signature_refused(town: Town) -> list[Sighting]:
    """The webhook came and was not believed."""
    user, payment = _payer(town, "pending")
    town.webhook(payment, "failed", valid=False, error="signature verification failed")
    return [gap(user), drift(payment)]


@fault(line="W5", name="webhook_stuck_in_processing")
def webhook_stuck_in_processing(town: Town) -> list[Sighting]:
    """The worker died while it held the webhook."""
    user, payment = _payer(town, "pending")
    town.webhook(payment, "processing")
    return [gap(user), drift(payment)]


@fault(line="E4", name="activation_lost")
def activation_lost(town: Town) -> list[Sighting]:
    """Webhook processed, payment marked, user untouched."""
    user, payment = _payer(town, "succeeded")
    town.webhook(payment)
    return [gap(user), *never(drift(payment))]


@fault(line="E4", name="gateway_activation_lost")
def gateway_activation_lost(town: Town) -> list[Sighting]:
    """The same through NOWPayments."""
    user = town.user()
    payment = pay_by_gateway(town, user, town.between(0.1, 25), plan=town.plan(currency="USD"))
    town.webhook(payment)
    return [gap(user), *never(drift(payment))]


@fault(line="E5", name="wrong_tier")
def wrong_tier(town: Town) -> list[Sighting]:
    """Upgraded, paid, and still on the old tier."""
    user, _ = subscriber(town, plan=town.plan("basic", currency="USD"), at=town.between(12, 26))
    payment = pay_by_card(town, user, town.between(0.1, 10), plan=town.plan("premium", currency="USD"))
    town.webhook(payment)
    return [other_tier(user), *never(gap(user), drift(payment))]


@fault(line="E5", name="month_on_another_tier_while_a_year_runs")
def month_on_another_tier_while_a_year_runs(town: Town) -> list[Sighting]:
    """A basic month on top of a premium year: for a person to judge, never a cut of what was paid for."""
    user, _ = subscriber(town, plan=town.plan("premium", "year", "USD"), at=town.between(40, 80))
    payment = pay_by_card(town, user, town.between(0.1, 10), plan=town.plan("basic", currency="USD"))
    return [other_tier(user), *never(gap(user), drift(payment))]


@fault(line="E4", name="year_lost_behind_a_month_that_lapsed")
def year_lost_behind_a_month_that_lapsed(town: Town) -> list[Sighting]:
    """The newest payment has lapsed, an older one still runs, and the user has nothing."""
    user = town.user()
    year = pay_by_card(town, user, town.between(60, 80), plan=town.plan("premium", "year", "USD"))
    month = pay_by_card(town, user, town.between(35, 50), plan=town.plan("basic", currency="USD"))
    return [gap(user), *never(drift(year), drift(month))]


@fault(line="E6", name="renewal_not_extended")
def renewal_not_extended(town: Town) -> list[Sighting]:
    """Ran out, paid again a day later, and nothing happened: the old expiry does not excuse it."""
    plan = town.plan()
    user, first = subscriber(town, plan=plan, at=town.between(40, 55))
    town.deactivate(user, "expired", first["confirmed_at"] + timedelta(days=30))
    payment = pay_by_card(town, user, first["created_at"] + timedelta(days=31), plan=plan)
    town.webhook(payment)
    return [gap(user), *never(drift(payment))]


@fault(line="E8", name="partial_refund_took_access")
def partial_refund_took_access(town: Town) -> list[Sighting]:
    """A part was given back and the application lost the whole subscription."""
    user, payment = _payer(town, "succeeded", 1, 25)
    refund(town, payment, part=Decimal("0.2"))
    town.webhook(payment)
    return [gap(user), *never(drift(payment))]


@fault(line="E12", name="unknown_plan")
def unknown_plan(town: Town) -> list[Sighting]:
    """Paid for a plan that is no longer there: for a person to judge, never a default tier."""
    user, payment = _payer(town, "succeeded")
    payment["plan_id"] = DELETED_PLAN
    town.webhook(payment)
    return [gap(user), *never(drift(payment))]

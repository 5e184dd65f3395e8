"""Webhooks that broke, were lost or stopped, and their look-alikes: lines W1 to W6 of the failure catalogue.

Belongs here: what the inbox and the provider's feed say. Does not belong here: what a lost webhook does to a payer
(entitlement.py); the rows that any fault leaves in the inbox are labelled by `broken_webhooks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import Pay, pay_by_card, pay_by_deposit, pay_by_gateway
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import SETTLED_AFTER, Town

SUCCEEDED = "payment_intent.succeeded"
# Some seconds after the money, as webhooks come.
_LAG = timedelta(seconds=5)
# What failed_webhooks looks back on, and what it grants to a worker.
_WINDOW = timedelta(days=30)
_PATIENCE = timedelta(minutes=15)


def failed_webhook(hook: Row) -> Sighting:
    """A row about this line of the inbox in failed_webhooks."""
    return Sighting("failed_webhooks", {"webhook_id": str(hook["id"])})


def undelivered(town: Town, payment: Row, kind: str = SUCCEEDED, *, pending: int = 1) -> Sighting:
    """Puts an event about this card payment into Stripe's feed: a row in undelivered_webhooks."""
    made = town.told_by_stripe(payment["transaction_id"], kind, payment["created_at"] + _LAG, pending=pending)
    assert made is not None  # noqa: S101  (a fault planted before the feed begins)
    return Sighting("undelivered_webhooks", {"provider": "stripe", "event_ref": made["id"]})


def broken_webhooks(town: Town, hooks: Sequence[Row]) -> list[Sighting]:
    """What failed_webhooks must say of these rows of the inbox: all that no other delivery made good."""
    good = {_event(hook) for hook in hooks if hook["signature_valid"] and hook["processing_status"] == "completed"}
    return [
        failed_webhook(hook)
        for hook in hooks
        if _event(hook) not in good and _is_broken(town, hook) and hook["created_at"] > town.as_of - _WINDOW
    ]


def _event(hook: Row) -> tuple[str, str, int]:
    return hook["payment_method"], hook["webhook_type"], hook["payment_id"]


def _is_broken(town: Town, hook: Row) -> bool:
    if not hook["signature_valid"] or hook["processing_status"] == "failed":
        return True
    waits_since: datetime = hook["created_at"]
    return hook["processing_status"] != "completed" and waits_since <= town.as_of - _PATIENCE


def _payer(town: Town, at: datetime | None = None, app: str = "pending") -> tuple[Row, Row]:
    user = town.user()
    return user, pay_by_card(town, user, at or town.between(0.1, 25), plan=town.plan(), app=app)


# W1: the provider sent, the inbox never saw.


@fault(line="W1", name="event_never_delivered")
def event_never_delivered(town: Town) -> list[Sighting]:
    """Stripe has tried for hours; the payer waits."""
    user, payment = _payer(town)
    return [gap(user), drift(payment), undelivered(town, payment)]


@fault(line="W1", name="event_answered_and_lost")
def event_answered_and_lost(town: Town) -> list[Sighting]:
    """The endpoint said 200 and died; the success page had switched the user on already."""
    user = town.user()
    plan = town.plan()
    payment = pay_by_card(town, user, town.between(0.1, 25), plan=plan)
    town.activate(user, plan, payment)
    return [undelivered(town, payment, pending=0), *never(gap(user), drift(payment))]


@fault(line="W1", name="event_nobody_subscribed_to")
def event_nobody_subscribed_to(town: Town) -> list[Sighting]:
    """The feed lists everything; what no endpoint asked for was never meant to arrive."""
    user, payment = subscriber(town, at=town.between(0.1, 25))
    kinds = ("payment_intent.created", "charge.updated", "customer.updated")
    return never(*(undelivered(town, payment, kind, pending=0) for kind in kinds), gap(user))


@fault(line="W1", name="event_on_its_way")
def event_on_its_way(town: Town) -> list[Sighting]:
    """Paid a few minutes ago; the first attempt failed, the next one is due."""
    user = town.user()
    plan = town.plan()
    payment = pay_by_card(town, user, town.ago(seconds=town.rng.randint(200, 600)), plan=plan)
    town.activate(user, plan, payment)
    return never(undelivered(town, payment), gap(user), drift(payment))


@fault(line="W1", name="event_pending_at_another_endpoint")
def event_pending_at_another_endpoint(town: Town) -> list[Sighting]:
    """The inbox has it; the accounting tool's endpoint has not answered yet."""
    user, payment = subscriber(town, at=town.between(0.1, 25))
    seen = undelivered(town, payment)
    town.state.stripe.events[seen.key["event_ref"]]["pending_webhooks"] = 1
    return never(seen, gap(user), drift(payment))


@fault(line="W1", name="refused_event_is_in_the_inbox")
def refused_event_is_in_the_inbox(town: Town) -> list[Sighting]:
    """It arrived and failed: that is said of the inbox, not of the delivery."""
    user, payment = _payer(town)
    hook = town.webhook(payment, "failed", error="connection pool exhausted")
    return [gap(user), drift(payment), failed_webhook(hook), *never(undelivered(town, payment))]


# W2, W3: twice, and out of order.


@fault(line="W2", name="second_delivery_failed")
def second_delivery_failed(town: Town) -> list[Sighting]:
    """Delivered again an hour later; the second one stumbled over the first, as it should."""
    user, payment = subscriber(town, at=town.between(0.1, 25))
    again = town.webhook(payment, "failed", error="duplicate event", at=payment["created_at"] + timedelta(hours=1))
    return never(failed_webhook(again), gap(user), drift(payment))


@fault(line="W3", name="created_came_after_succeeded")
def created_came_after_succeeded(town: Town) -> list[Sighting]:
    """The news of its beginning arrived when all was over; both were processed."""
    user, payment = subscriber(town, at=town.between(0.1, 25))
    at = payment["created_at"] + timedelta(minutes=1)
    late = town.webhook(payment, kind="payment_intent.processing", at=at)
    return never(failed_webhook(late), gap(user), drift(payment))


# W4: signatures.


@fault(line="W4", name="signing_secret_rotated_on_one_side")
def signing_secret_rotated_on_one_side(town: Town) -> list[Sighting]:
    """One good webhook, then the secret changed, and since then each is refused. Once for each provider."""
    pays: list[tuple[Pay, str, str]] = [
        (pay_by_card, "stripe", "pending"),
        (pay_by_gateway, "nowpayments", "waiting"),
        (pay_by_deposit, "okx", "pending"),
    ]
    turn = town.turns["signing secret"]
    town.turns["signing secret"] += 1
    if turn >= len(pays):
        return _foreign_secret(town, f"wallet_{turn}")
    pay, provider, open_status = pays[turn]
    subscriber(town, at=town.ago(minutes=40), pay=pay)
    said = [Sighting("webhook_secret_mismatch", {"provider": provider})]
    # The newest webhooks of all: too old for the grace of a gap, too young for that of a disagreement.
    for seconds in (210, 180, 150):
        user = town.user()
        plan = town.plan(currency="USD")
        paid_at = town.ago(seconds=seconds) - SETTLED_AFTER[provider]
        payment = pay(town, user, paid_at, plan=plan, app=open_status)
        hook = town.webhook(payment, "failed", valid=False, error="signature verification failed")
        said += [gap(user), *never(drift(payment), failed_webhook(hook))]
    return said


def _foreign_secret(town: Town, provider: str) -> list[Sighting]:
    """The same for a way of paying that nobody reads: the inbox alone tells."""
    said = [Sighting("webhook_secret_mismatch", {"provider": provider})]
    for minutes in (26, 25, 24):
        user, payment = _paid_elsewhere(town, provider, town.ago(minutes=minutes))
        hook = town.webhook(payment, "failed", valid=False, error="signature verification failed")
        said += never(gap(user), drift(payment), failed_webhook(hook))
    return said


@fault(line="W4", name="refused_once")
def refused_once(town: Town) -> list[Sighting]:
    """A single bad signature among many good ones."""
    user, payment = _payer(town)
    hook = town.webhook(payment, "failed", valid=False, error="signature verification failed")
    return [gap(user), drift(payment), failed_webhook(hook)]


@fault(line="W4", name="refused_then_accepted")
def refused_then_accepted(town: Town) -> list[Sighting]:
    """The clock of the inbox was wrong for a minute; the provider tried again."""
    user, payment = subscriber(town, at=town.between(0.1, 25))
    at = payment["created_at"] + timedelta(seconds=4)
    hook = town.webhook(payment, "failed", valid=False, error="timestamp outside the tolerance zone", at=at)
    return never(failed_webhook(hook), gap(user), drift(payment))


# W5: stuck.


@fault(line="W5", name="received_and_forgotten")
def received_and_forgotten(town: Town) -> list[Sighting]:
    """The queue between inbox and worker lost it."""
    user, payment = _payer(town)
    hook = town.webhook(payment, "received")
    return [gap(user), drift(payment), failed_webhook(hook)]


@fault(line="W5", name="worker_is_busy")
def worker_is_busy(town: Town) -> list[Sighting]:
    """Came some minutes ago; there is a queue. The payer waits already, the webhook is not yet called stuck."""
    user, payment = _payer(town, town.ago(seconds=town.rng.randint(600, 840)))
    hook = town.webhook(payment, "processing")
    return [gap(user), drift(payment), *never(failed_webhook(hook))]


# W6: none at all. Whole providers, so each planting has a way of paying of its own.


@fault(line="W6", name="webhooks_stopped")
def webhooks_stopped(town: Town) -> list[Sighting]:
    """One every few hours, then none for two days; the return page goes on selling."""
    town.turns["silence"] += 1
    provider = f"voucher_{town.turns['silence']}"
    said = [Sighting("webhook_silence", {"provider": provider})]
    for hours in range(54, 110, 4):
        _, payment = _paid_elsewhere(town, provider, town.ago(hours=hours))
        town.webhook(payment)
    for hours in range(2, 50, 6):
        user, payment = _paid_elsewhere(town, provider, town.ago(hours=hours))
        said += never(gap(user), drift(payment))
    return said


@fault(line="W6", name="nobody_paid_that_way_any_more")
def nobody_paid_that_way_any_more(town: Town) -> list[Sighting]:
    """As silent, but there was nothing to tell."""
    town.turns["quiet"] += 1
    provider = f"coupon_{town.turns['quiet']}"
    for hours in range(54, 110, 4):
        _, payment = _paid_elsewhere(town, provider, town.ago(hours=hours))
        town.webhook(payment)
    return never(Sighting("webhook_silence", {"provider": provider}))


@fault(line="W6", name="a_pause_as_long_as_others")
def a_pause_as_long_as_others(town: Town) -> list[Sighting]:
    """Webhooks come in bundles every other day, and the next bundle is not due."""
    town.turns["bundles"] += 1
    provider = f"invoice_{town.turns['bundles']}"
    hours = [30, 30.1, 78, 78.1, 126, 126.1, 174, 174.1]
    for before in hours:
        _, payment = _paid_elsewhere(town, provider, town.ago(hours=before))
        town.webhook(payment)
    for before in (5, 12, 20, 26):
        _paid_elsewhere(town, provider, town.ago(hours=before))
    return never(Sighting("webhook_silence", {"provider": provider}))


def _paid_elsewhere(town: Town, provider: str, at: datetime) -> tuple[Row, Row]:
    """A subscriber who paid through a provider that we don't read; the application alone knows of it."""
    plan = town.plan(currency="USD")
    user = town.user()
    payment = town.payment(
        user, provider, town.ids.number(12), "succeeded", plan_id=plan["id"], amount=plan["price"],
        currency=plan["currency"], created_at=at,
    )  # fmt: skip
    town.activate(user, plan, payment)
    return user, payment

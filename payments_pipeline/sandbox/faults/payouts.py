"""Money sent on that does not arrive or does not add up: lines P2 to P6 of the failure catalogue, with look-alikes.

Belongs here: payouts to hosts (the application's) and to the business's own bank (Stripe's). Does not belong here:
payments for services (services.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, fault, mismatch, never, not_arrived, refused
from payments_pipeline.sandbox.objects import Json
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import pay_by_card, refund
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.settlement import Books, bank_payout, transfer
from payments_pipeline.sandbox.town import Town

_HOUR = timedelta(hours=1)


def _owed(town: Town, newest_days: float, oldest_days: float) -> Row:
    """A delivered and paid booking whose host is to be paid out the day after."""
    customer = town.user()
    starts = town.between(newest_days + 1.1, oldest_days + 1.1)
    price = Decimal(town.rng.randrange(20, 120))
    booking = town.booking(customer, starts, price, "USD", status="completed", actual_start=starts)
    town.webhook(pay_by_card(town, customer, booking["created_at"], booking=booking, app="captured", captured=price))
    return booking


def _payout(town: Town, booking: Row, status: str, *, after_hours: float = 24, **columns: object) -> Row:
    """The application's row; unless it was paid, Stripe has no transfer for it."""
    payout = town.payout(booking, booking["starts_at"] + timedelta(hours=after_hours))
    payout.update(status=status, paid_at=payout["paid_at"] if status == "paid" else None)
    if status != "paid":
        payout["stripe_transfer_id"] = None
    payout.update(columns)
    return payout


def _paypal(town: Town, batch: str, status: str, error: str | None = None) -> Row:
    booking = _owed(town, 2, 40)
    return _payout(town, booking, status, method="paypal", stripe_transfer_id=None, paypal_batch_id=batch, error=error)


def _batch(town: Town) -> str:
    return town.ids.stripe("")[:13].upper()


def _bank(town: Town, at: datetime, currency: str = "USD", size: int = 3) -> Json:
    """A payout to our own bank, of the payments of so many subscribers; two days later it reads paid."""
    payments = [
        # By the year: a month would have run out since.
        subscriber(town, plan=town.plan(None, "year", currency), at=at - timedelta(days=3, hours=number))[1]
        for number in range(size)
    ]
    return bank_payout(town, payments, at)


# Planted


@fault(line="P2", name="payout_refused_by_stripe")
def payout_refused_by_stripe(town: Town) -> list[Sighting]:
    """The host's account can't receive money; the application wrote the error down."""
    booking = _owed(town, 1, 40)
    return [not_arrived(_payout(town, booking, "failed", error="Your destination account cannot receive transfers."))]


@fault(line="P2", name="payout_refused_by_paypal")
def payout_refused_by_paypal(town: Town) -> list[Sighting]:
    """A PayPal payout of its own that failed."""
    return [not_arrived(_paypal(town, _batch(town), "failed", "RECEIVER_UNREGISTERED"))]


@fault(line="P2", name="payout_failed_twice")
def payout_failed_twice(town: Town) -> list[Sighting]:
    """Tried again a day later, refused again: the host is owed once, and it is said once."""
    booking = _owed(town, 4, 40)
    first = _payout(town, booking, "failed", error="account closed")
    second = _payout(town, booking, "failed", after_hours=48, error="account closed")
    return [not_arrived(second), *never(not_arrived(first))]


@fault(line="P3", name="transfer_came_back")
def transfer_came_back(town: Town) -> list[Sighting]:
    """Paid, then the transfer was reversed at Stripe; the application still says paid."""
    payout = _payout(town, _owed(town, 6, 40), "paid")
    made = transfer(town, payout)
    Books(town.state).reverse_transfer(made["id"], at=payout["paid_at"] + timedelta(days=3), event=False)
    return [not_arrived(payout)]


@fault(line="P3", name="bank_payout_failed_after_it_was_paid")
def bank_payout_failed_after_it_was_paid(town: Town) -> list[Sighting]:
    """Our own bank sent the money back five days later, and Stripe holds it until the account is corrected."""
    at = town.between(10, 20)
    made = _bank(town, at)
    failed = Books(town.state).fail_payout(made["id"], at=at + timedelta(days=5), event=False)
    town.kept_back.add(failed["failure_balance_transaction"])
    return [refused(made), *never(mismatch(made["id"]))]


@fault(line="P5", name="payout_less_than_its_parts")
def payout_less_than_its_parts(town: Town) -> list[Sighting]:
    """Five dollars went missing between the parts and the sum."""
    return [_tampered(town, -500)]


@fault(line="P5", name="payout_more_than_its_parts")
def payout_more_than_its_parts(town: Town) -> list[Sighting]:
    """One cent too much: sums are compared to the last digit."""
    return [_tampered(town, 1)]


def _tampered(town: Town, by: int) -> Sighting:
    made = _bank(town, town.between(5, 30))
    town.state.stripe.payouts[made["id"]]["amount"] += by
    return mismatch(made["id"])


@fault(line="P5", name="captured_and_in_no_payout")
def captured_and_in_no_payout(town: Town) -> list[Sighting]:
    """A month ago, while everything else was paid out."""
    _, payment = subscriber(town, plan=town.plan("pro", "year", "USD"), at=town.between(25, 60))
    _bank(town, town.between(4, 6))
    charge = town.state.stripe.payment_intents[payment["transaction_id"]]["latest_charge"]
    town.kept_back.add(charge)
    return [mismatch(charge)]


@fault(line="P6", name="one_item_of_a_batch_unclaimed")
def one_item_of_a_batch_unclaimed(town: Town) -> list[Sighting]:
    """PayPal paid the batch; one host has no account there."""
    batch = _batch(town)
    paid = [_paypal(town, batch, "paid") for _ in range(2)]
    odd = _paypal(town, batch, "unclaimed", "UNCLAIMED")
    return [not_arrived(odd), *never(*map(not_arrived, paid))]


@fault(line="P6", name="one_item_of_a_batch_returned")
def one_item_of_a_batch_returned(town: Town) -> list[Sighting]:
    """Nobody claimed it for thirty days; the application knows the batch's word and the item's error."""
    batch = _batch(town)
    paid = _paypal(town, batch, "paid")
    odd = _paypal(town, batch, "paid", "item RETURNED after 30 days")
    return [not_arrived(odd), *never(not_arrived(paid))]


# Look-alikes


@fault(line="P4", name="slow_corridor")
def slow_corridor(town: Town) -> list[Sighting]:
    """Two weeks on its way to a far bank: slow, not failed."""
    payout = _payout(town, _owed(town, 8, 16), "processing")
    transfer(town, payout)
    return never(not_arrived(payout))


@fault(line="P4", name="bank_payout_on_its_way")
def bank_payout_on_its_way(town: Town) -> list[Sighting]:
    """Expected days ago and still in transit; Stripe has not listed its parts yet."""
    at = town.between(6, 9)
    payment = subscriber(town, plan=town.plan(currency="EUR"), at=at - timedelta(days=3))[1]
    made = bank_payout(town, [payment], at, paid=False)
    return never(refused(made), mismatch(made["id"]))


@fault(line="P2", name="failed_and_paid_again")
def failed_and_paid_again(town: Town) -> list[Sighting]:
    """Refused once; the second payout for the same booking arrived."""
    booking = _owed(town, 4, 40)
    first = _payout(town, booking, "failed", error="account closed")
    second = _payout(town, booking, "paid", after_hours=48)
    return never(not_arrived(first), not_arrived(second))


@fault(line="P2", name="failed_seconds_ago")
def failed_seconds_ago(town: Town) -> list[Sighting]:
    """The application is about to try again by itself."""
    payout = _payout(town, _owed(town, 0.2, 1), "failed", error="temporarily unavailable")
    payout.update(created_at=town.ago(minutes=10), updated_at=town.ago(minutes=4))
    return never(not_arrived(payout))


@fault(line="P2", name="payout_canceled")
def payout_canceled(town: Town) -> list[Sighting]:
    """Called off by an admin."""
    return never(not_arrived(_payout(town, _owed(town, 2, 40), "canceled")))


@fault(line="P6", name="paid_with_an_old_error")
def paid_with_an_old_error(town: Town) -> list[Sighting]:
    """Arrived at the second try of the same row; the first error was never cleared."""
    return never(not_arrived(_paypal(town, _batch(town), "paid", "INSUFFICIENT_FUNDS, tried again")))


@fault(line="P3", name="transfer_reversed_by_a_refund")
def transfer_reversed_by_a_refund(town: Town) -> list[Sighting]:
    """The customer got the money back, and with it Stripe took the host's share back, on purpose."""
    customer = town.user()
    starts = town.between(12, 40)
    booking = town.booking(customer, starts, Decimal(50), "USD", status="completed", actual_start=starts)
    payment = pay_by_card(town, customer, booking["created_at"], booking=booking, app="refunded", captured=Decimal(50))
    payout = _payout(town, booking, "paid")
    made = transfer(town, payout)
    given = refund(town, payment, after_hours=24 * 7)
    at = payment["created_at"] + timedelta(days=7)
    payment["updated_at"] = at + _HOUR
    back = Books(town.state).reverse_transfer(made["id"], at=at, event=False)
    _name_refund(town, back, given)
    return never(not_arrived(payout))


def _name_refund(town: Town, reversal: Json, given: Json) -> None:
    """Both where the reversal is kept and where its transfer shows it."""
    stripe = town.state.stripe
    named = {**stripe.transfer_reversals[reversal["id"]], "source_refund": given["id"]}
    stripe.transfer_reversals[reversal["id"]] = named
    whole = stripe.transfers[reversal["transfer"]]
    stripe.transfers[whole["id"]] = {**whole, "reversals": {**whole["reversals"], "data": [named]}}


@fault(line="P3", name="part_of_a_transfer_taken_back")
def part_of_a_transfer_taken_back(town: Town) -> list[Sighting]:
    """A correction by hand; the rest stays with the host."""
    payout = _payout(town, _owed(town, 6, 40), "paid")
    made = transfer(town, payout)
    books = Books(town.state)
    books.reverse_transfer(made["id"], at=payout["paid_at"] + timedelta(days=2), amount=100, event=False)
    return never(not_arrived(payout))


@fault(line="P3", name="bank_payout_failed_and_left_again")
def bank_payout_failed_and_left_again(town: Town) -> list[Sighting]:
    """The bank sent the money back; it left with the next weekly payout."""
    at = town.between(25, 35)
    made = _bank(town, at, size=8)
    Books(town.state).fail_payout(made["id"], at=at + timedelta(days=3), event=False)
    return never(refused(made), mismatch(made["id"]))


@fault(line="P5", name="payout_of_a_currency_without_cents")
def payout_of_a_currency_without_cents(town: Town) -> list[Sighting]:
    """No decimals, or three: the parts add up in their own units."""
    made = _bank(town, town.between(4, 30), town.rng.choice(["JPY", "KWD", "UGX"]))
    return never(mismatch(made["id"]))


@fault(line="P5", name="captured_this_week")
def captured_this_week(town: Town) -> list[Sighting]:
    """Not paid out yet, and not expected to be."""
    _, payment = subscriber(town, plan=town.plan(currency="USD"), at=town.between(1, 5))
    charge = town.state.stripe.payment_intents[payment["transaction_id"]]["latest_charge"]
    town.kept_back.add(charge)
    return never(mismatch(charge))


@fault(line="P5", name="payout_by_hand")
def payout_by_hand(town: Town) -> list[Sighting]:
    """An amount that somebody typed: Stripe lists no parts for it."""
    books = Books(town.state)
    made = books.create_payout(at=town.between(4, 30), amount=12_345, currency="gbp", automatic=False, event=False)
    books.pay_payout(made["id"], at=town.as_of - timedelta(days=1), event=False)
    return never(mismatch(made["id"]), refused(made))

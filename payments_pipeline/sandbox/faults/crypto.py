"""Crypto money that came late, short, in the wrong asset or not for good: line C of the catalogue as planted faults.

Belongs here: what the gateway says, and deposits that the application named. Does not belong here: deposits that only
matching can place (crypto_deposits.py).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.crypto_sightings import (
    deposit_of,
    held,
    late,
    loose,
    odd,
    of_deposit,
    of_payment,
    over,
    ran_out,
    short,
)
from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.objects import nowpayments_payment
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import pay_by_deposit, pay_by_gateway
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="C2", name="short_beyond_tolerance")
def short_beyond_tolerance(town: Town) -> list[Sighting]:
    """A fifth is missing, the gateway says so, the application took it as paid."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.8"))
    return [short(payment), drift(payment), *never(over(payment), late(payment), odd(payment), gap(user))]


@fault(line="C2", name="short_and_known_to_be")
def short_and_known_to_be(town: Town) -> list[Sighting]:
    """Half is missing, and the application waits for the rest without giving access."""
    user = town.user()
    payment = pay_by_gateway(
        town,
        user,
        town.between(1, 60),
        plan=town.plan(currency="USD"),
        app="partially_paid",
        gateway="partially_paid",
        part=Decimal("0.5"),
    )
    return [short(payment), *never(gap(user), drift(payment), late(payment), ran_out(payment))]


@fault(line="C2", name="short_deposit_taken_for_paid")
def short_deposit_taken_for_paid(town: Town) -> list[Sighting]:
    """Half of it reached the exchange, and the application did not compare."""
    user, payment = subscriber(town, pay=pay_by_deposit, by_hash=town.rng.random() < 0.5)  # noqa: PLR2004
    deposit = deposit_of(town, payment)
    deposit["amt"] = str(payment["crypto_amount"] / 2)
    return [short(payment), *never(drift(payment), gap(user), late(payment), *of_deposit(deposit))]


@fault(line="C8", name="deposit_of_another_coin")
def deposit_of_another_coin(town: Town) -> list[Sighting]:
    """The figure is right, the coin is worth nothing: it must not buy a plan."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_deposit(town, user, town.between(1, 25), plan=plan, app="pending")
    deposit = deposit_of(town, payment)
    deposit.update(ccy="SHIB", chain="SHIB-ERC20")
    return [loose(deposit), *never(drift(payment), gap(user), *of_payment(payment))]


@fault(line="C4", name="paid_after_expiry")
def paid_after_expiry(town: Town) -> list[Sighting]:
    """The application gave up, then the money came."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_gateway(town, user, town.between(1, 25), plan=plan, app="expired")
    return [late(payment), drift(payment), gap(user), *never(short(payment), over(payment), ran_out(payment))]


@fault(line="C4", name="named_deposit_after_expiry")
def named_deposit_after_expiry(town: Town) -> list[Sighting]:
    """The same at the exchange; the transaction was written down, and nobody looked again."""
    user = town.user()
    payment = pay_by_deposit(town, user, town.between(2.5, 25), plan=town.plan(currency="USD"), app="expired")
    deposit = deposit_of(town, payment)
    deposit["ts"] = str(int((payment["expires_at"] + timedelta(hours=3)).timestamp()) * 1000)
    return [late(payment), drift(payment), gap(user), *never(short(payment), ran_out(payment), *of_deposit(deposit))]


@fault(line="C8", name="wrong_asset_taken_for_paid")
def wrong_asset_taken_for_paid(town: Town) -> list[Sighting]:
    """The gateway confirms another coin than was asked for."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="wrong_asset_confirmed")
    return [odd(payment), drift(payment), *never(gap(user), short(payment), over(payment), late(payment))]


@fault(line="C8", name="finished_in_another_coin")
def finished_in_another_coin(town: Town) -> list[Sighting]:
    """The gateway says finished; what it passed on is not what was asked for."""
    user, payment = subscriber(town, pay=pay_by_gateway)
    town.state.nowpayments.payments[payment["transaction_id"]]["outcome_currency"] = "shib"
    return [odd(payment), *never(gap(user), drift(payment), *of_payment(payment))]


@fault(line="C3", name="overpaid")
def overpaid(town: Town) -> list[Sighting]:
    """A fifth more came than was asked for."""
    user, payment = subscriber(town, pay=pay_by_gateway, part=Decimal("1.2"))
    return [over(payment), *never(gap(user), drift(payment), short(payment), odd(payment))]


@fault(line="C10", name="deposit_frozen")
def deposit_frozen(town: Town) -> list[Sighting]:
    """The exchange refuses or freezes it (11 to 17); the application waits for ever."""
    user = town.user()
    state = town.rng.choice(["11", "12", "13", "14", "17"])
    plan = town.plan(currency="USD")
    payment = pay_by_deposit(town, user, town.between(1, 25), plan=plan, app="pending", deposit=state)
    deposit = deposit_of(town, payment)
    return [held(deposit), drift(payment), *never(gap(user), loose(deposit), *of_payment(payment))]


@fault(line="C10", name="deposit_not_final_taken_for_paid")
def deposit_not_final_taken_for_paid(town: Town) -> list[Sighting]:
    """Credited is not final: only state 2 is."""
    state = town.rng.choice(["0", "1"])
    user, payment = subscriber(town, at=town.between(0.1, 2), pay=pay_by_deposit, deposit=state)
    return [drift(payment), *never(gap(user), *of_deposit(deposit_of(town, payment)), *of_payment(payment))]


@fault(line="S2", name="deposit_known_by_hash_left_pending")
def deposit_known_by_hash_left_pending(town: Town) -> list[Sighting]:
    """Switched on by hand; the application's row, which knows only the hash, still waits."""
    user, payment = subscriber(town, pay=pay_by_deposit, app="pending", by_hash=True)
    return [drift(payment), *never(gap(user), *of_deposit(deposit_of(town, payment)), *of_payment(payment))]


@fault(line="C12", name="repeated_child_reads_finished")
def repeated_child_reads_finished(town: Town) -> list[Sighting]:
    """A second small deposit reads finished, and the application took the whole payment as paid."""
    user, payment = subscriber(
        town, at=town.between(1, 25), pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.5")
    )
    again(town, payment, Decimal("0.1"))
    return [short(payment), drift(payment), *never(gap(user), over(payment), odd(payment))]


@fault(line="C3", name="repeated_child_makes_it_too_much")
def repeated_child_makes_it_too_much(town: Town) -> list[Sighting]:
    """Paid in full, and then once more."""
    user, payment = subscriber(town, at=town.between(1, 25), pay=pay_by_gateway)
    again(town, payment, Decimal(1))
    return [over(payment), *never(gap(user), drift(payment), short(payment))]


@fault(line="C5", name="repeated_child_brings_the_rest")
def repeated_child_brings_the_rest(town: Town) -> list[Sighting]:
    """The gateway calls the first part partially paid and the second finished; together it is all."""
    user, payment = subscriber(
        town, at=town.between(1, 25), pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.6")
    )
    again(town, payment, Decimal("0.4"))
    return never(gap(user), drift(payment), odd(payment), *of_payment(payment))


def again(town: Town, payment: Row, part: Decimal) -> None:
    """A repeated deposit of such a part of the payment, which the gateway keeps as a child that reads finished."""
    store = town.state.nowpayments.payments
    parent = store[payment["transaction_id"]]
    child = nowpayments_payment(
        town.ids.number(10),
        status="finished",
        price=payment["amount"],
        price_currency=payment["currency"],
        pay_amount=payment["crypto_amount"],
        actually_paid=payment["crypto_amount"] * part,
        order_id=parent["order_id"],
        address=parent["pay_address"],
        tx_hash=town.ids.transaction_hash(),
        created=payment["created_at"] + timedelta(hours=1),
        updated=payment["created_at"] + timedelta(hours=1, minutes=10),
        parent_id=payment["transaction_id"],
    )
    store[str(child["payment_id"])] = child

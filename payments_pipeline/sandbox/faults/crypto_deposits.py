"""Deposits to the exchange that nobody can place, or that come wrongly: line C of the catalogue, planted.

Belongs here: deposits that the application has not named, which only matching can place. Does not belong here: deposits
that it named, and the gateway (crypto.py).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.crypto_sightings import (
    asked,
    came,
    doubtful,
    held,
    late,
    loose,
    odd_sum,
    of_deposit,
    of_payment,
    over,
    ran_out,
    short,
)
from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.objects import okx_deposit
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.town import Town

_CENT = Decimal("0.01")
# Of a coin that wants a memo, the address is one for all.
XRP = {"crypto_currency": "XRP", "network": "XRP"}


def _taken(town: Town, **columns: object) -> tuple[Row, Row]:
    """A user with access, whose payment the application took as paid without writing down the transaction."""
    user = town.user()
    payment = asked(town, user, town.between(1, 25), odd_sum(town), "completed", **columns)
    town.webhook(payment)
    plan = next(plan for plan in town.tables["plans"] if plan["id"] == payment["plan_id"])
    town.activate(user, plan, payment)
    return user, payment


@fault(line="C2", name="unnamed_deposit_came_short")
def unnamed_deposit_came_short(town: Town) -> list[Sighting]:
    """A tenth is missing at an address that was given to one payer alone."""
    user, payment = _taken(town)
    deposit = came(town, payment, payment["crypto_amount"] * Decimal("0.9"))
    return [short(payment), *never(over(payment), late(payment), *of_deposit(deposit), gap(user), drift(payment))]


@fault(line="C13", name="worth_the_price_but_fewer_coins")
def worth_the_price_but_fewer_coins(town: Town) -> list[Sighting]:
    """The coin rose since the quote, and the payer sent what it was worth by then: fewer coins than were quoted."""
    rise = Decimal("1.08")
    user, payment = _taken(
        town, crypto_currency="ETH", network="ERC20", deposit_address=f"0x{town.rng.getrandbits(160):040X}"
    )
    deposit = came(town, payment, payment["crypto_amount"] / rise, ccy="ETH", chain="ETH-ERC20")
    return [short(payment), *never(over(payment), *of_deposit(deposit), gap(user), drift(payment))]


@fault(line="C3", name="deposit_came_over")
def deposit_came_over(town: Town) -> list[Sighting]:
    """A quarter too much."""
    user, payment = _taken(town)
    deposit = came(town, payment, payment["crypto_amount"] * Decimal("1.25"))
    return [over(payment), *never(short(payment), late(payment), *of_deposit(deposit), gap(user), drift(payment))]


@fault(line="C3", name="deposit_sent_twice")
def deposit_sent_twice(town: Town) -> list[Sighting]:
    """The payer grew impatient and sent it again."""
    user, payment = _taken(town)
    deposits = [came(town, payment), came(town, payment, after=timedelta(hours=2))]
    others = [sighting for deposit in deposits for sighting in of_deposit(deposit)]
    return [over(payment), *never(short(payment), late(payment), *others, gap(user), drift(payment))]


@fault(line="C4", name="deposit_after_expiry")
def deposit_after_expiry(town: Town) -> list[Sighting]:
    """Hours after the application had given up, at an address of its own."""
    user = town.user()
    payment = asked(town, user, town.between(3, 25), odd_sum(town), "expired")
    deposit = came(town, payment, after=timedelta(hours=town.rng.randint(25, 40)))
    return [
        late(payment),
        gap(user),
        *never(short(payment), over(payment), ran_out(payment), *of_deposit(deposit), drift(payment)),
    ]


@fault(line="C5", name="split_and_never_noticed")
def split_and_never_noticed(town: Town) -> list[Sighting]:
    """Two parts that add up at an address of the payer's own; the application still waits for the whole."""
    user = town.user()
    payment = asked(town, user, town.between(2, 25), odd_sum(town))
    parts = [came(town, payment, payment["crypto_amount"] * part) for part in (Decimal("0.6"), Decimal("0.4"))]
    others = [sighting for part in parts for sighting in of_deposit(part)]
    return [gap(user), drift(payment), *never(*of_payment(payment), *others)]


@fault(line="S2", name="unnamed_deposit_left_pending")
def unnamed_deposit_left_pending(town: Town) -> list[Sighting]:
    """It came in full and in time, to the payer's own address, and the application never learned of it."""
    user = town.user()
    payment = asked(town, user, town.between(1, 25), odd_sum(town))
    deposit = came(town, payment)
    return [gap(user), drift(payment), *never(*of_payment(payment), *of_deposit(deposit))]


@fault(line="C4", name="ran_out_and_nobody_noticed")
def ran_out_and_nobody_noticed(town: Town) -> list[Sighting]:
    """Asked for, never paid, and the application still waits."""
    user = town.user()
    payment = asked(town, user, town.between(2, 60), odd_sum(town))
    return [ran_out(payment), *never(late(payment), short(payment), gap(user), drift(payment))]


@fault(line="C4", name="ran_out_this_week")
def ran_out_this_week(town: Town) -> list[Sighting]:
    """Asked for, never paid, and both sides know."""
    user = town.user()
    payment = asked(town, user, town.between(2, 7), odd_sum(town), "expired")
    return [ran_out(payment), *never(late(payment), short(payment), gap(user), drift(payment))]


@fault(line="C6", name="one_deposit_for_two_waiting")
def one_deposit_for_two_waiting(town: Town) -> list[Sighting]:
    """Two payers were asked for the same sum at one address, and one of them paid."""
    at, amount, address = town.between(2, 25), odd_sum(town), town.ids.tron_address()
    users = [town.user(), town.user()]
    payments = [asked(town, user, at, amount, deposit_address=address) for user in users]
    deposit = came(town, payments[0])
    others = [sighting for payment in payments for sighting in of_payment(payment)]
    return [doubtful(deposit), *never(loose(deposit), *others, *map(gap, users), *map(drift, payments))]


@fault(line="C6", name="within_the_tolerance_of_two_waiting")
def within_the_tolerance_of_two_waiting(town: Town) -> list[Sighting]:
    """Neither sum is the very one, and both are as far off."""
    at, amount, address = town.between(2, 25), odd_sum(town), town.ids.tron_address()
    payments = [asked(town, town.user(), at, amount, deposit_address=address) for _ in range(2)]
    deposit = came(town, payments[0], amount - _CENT)
    return [doubtful(deposit), *never(loose(deposit), *of_payment(payments[0]), *of_payment(payments[1]))]


@fault(line="C7", name="two_payments_live_on_one_deposit")
def two_payments_live_on_one_deposit(town: Town) -> list[Sighting]:
    """A payer gave the transaction of another as their own, and the application took both as paid."""
    user, payment = _taken(town)
    deposit = came(town, payment)
    other, second = _taken(town)
    columns = {
        "tx_hash": deposit["txId"],
        "deposit_address": payment["deposit_address"],
        "crypto_amount": payment["crypto_amount"],
    }
    payment.update(columns)
    second.update(columns)
    return [doubtful(deposit), *never(loose(deposit), short(payment), short(second), gap(user), gap(other))]


@fault(line="C8", name="deposit_over_another_network")
def deposit_over_another_network(town: Town) -> list[Sighting]:
    """The address is good on both networks; the money lies on the one nobody looks at."""
    user = town.user()
    address = f"0x{town.rng.getrandbits(160):040x}"
    at = town.between(2, 25)
    payment = asked(town, user, at, odd_sum(town), network="ERC20", deposit_address=address)
    deposit = came(town, payment, chain="USDT-Polygon")
    return [loose(deposit), *never(doubtful(deposit), *of_payment(payment), gap(user), drift(payment))]


@fault(line="C8", name="unnamed_deposit_of_another_coin")
def unnamed_deposit_of_another_coin(town: Town) -> list[Sighting]:
    """A dollar is a dollar, thought the payer, and sent another one."""
    user = town.user()
    payment = asked(town, user, town.between(2, 25), odd_sum(town))
    deposit = came(town, payment, ccy="USDC", chain="USDC-TRC20")
    return [loose(deposit), *never(doubtful(deposit), *of_payment(payment), gap(user), drift(payment))]


@fault(line="C9", name="memo_forgotten")
def memo_forgotten(town: Town) -> list[Sighting]:
    """The sum and the hour fit; the memo that would say whose it is is missing."""
    user = town.user()
    payment = asked(town, user, town.between(2, 25), odd_sum(town), deposit_tag=town.ids.digits(9), **XRP)
    deposit = came(town, payment, ccy="XRP", chain="XRP-Ripple")
    return [loose(deposit), *never(doubtful(deposit), *of_payment(payment), gap(user), drift(payment))]


@fault(line="C10", name="deposit_suspended")
def deposit_suspended(town: Town) -> list[Sighting]:
    """The exchange paused the coin; the application waits as it should."""
    user = town.user()
    payment = asked(town, user, town.between(0.1, 0.9), odd_sum(town), "confirming")
    deposit = came(town, payment, state="8")
    payment.update(transaction_id=deposit["depId"], tx_hash=deposit["txId"])
    return [held(deposit), *never(loose(deposit), *of_payment(payment), gap(user), drift(payment))]


@fault(line="C11", name="deposit_that_nobody_waits_for")
def deposit_that_nobody_waits_for(town: Town) -> list[Sighting]:
    """It came to an address of ours that no payment has."""
    deposit = okx_deposit(
        town.ids.number(9),
        state="2",
        amount=Decimal(town.rng.randrange(50, 5000)),
        address=town.ids.tron_address(),
        tx_hash=town.ids.transaction_hash(),
        at=town.between(0.1, 80),
    )
    town.state.okx.deposits[deposit["depId"]] = deposit
    return [loose(deposit), *never(doubtful(deposit), held(deposit))]

"""Crypto money that came late, short, in the wrong asset or not for good: line C of the catalogue as planted faults."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.objects import Json, nowpayments_payment
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.purchases import pay_by_deposit, pay_by_gateway
from payments_pipeline.sandbox.residents import subscriber
from payments_pipeline.sandbox.town import Town


@fault(line="C2", name="short_beyond_tolerance")
def short_beyond_tolerance(town: Town) -> list[Sighting]:
    """A fifth is missing, the gateway says so, the application took it as paid."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.8"))
    return [drift(payment), *never(gap(user))]


@fault(line="C2", name="short_deposit_taken_for_paid")
def short_deposit_taken_for_paid(town: Town) -> list[Sighting]:
    """Half of it reached the exchange, and the application did not compare."""
    user, payment = subscriber(town, pay=pay_by_deposit, by_hash=town.rng.random() < 0.5)  # noqa: PLR2004
    _deposit(town, payment)["amt"] = str(payment["crypto_amount"] / 2)
    return [drift(payment), *never(gap(user))]


@fault(line="C8", name="deposit_of_another_coin")
def deposit_of_another_coin(town: Town) -> list[Sighting]:
    """The figure is right, the coin is worth nothing: it must not buy a plan."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_deposit(town, user, town.between(1, 25), plan=plan, app="pending")
    _deposit(town, payment).update(ccy="SHIB", chain="SHIB-ERC20")
    return [drift(payment), *never(gap(user))]


@fault(line="C4", name="paid_after_expiry")
def paid_after_expiry(town: Town) -> list[Sighting]:
    """The application gave up, then the money came."""
    user = town.user()
    plan = town.plan(currency="USD")
    payment = pay_by_gateway(town, user, town.between(1, 25), plan=plan, app="expired")
    return [drift(payment), gap(user)]


@fault(line="C8", name="wrong_asset_taken_for_paid")
def wrong_asset_taken_for_paid(town: Town) -> list[Sighting]:
    """The gateway confirms another coin than was asked for."""
    user, payment = subscriber(town, pay=pay_by_gateway, gateway="wrong_asset_confirmed")
    return [drift(payment), *never(gap(user))]


@fault(line="C10", name="deposit_frozen")
def deposit_frozen(town: Town) -> list[Sighting]:
    """The exchange refuses or freezes it (11 to 17); the application waits for ever."""
    user = town.user()
    state = town.rng.choice(["11", "12", "13", "14", "17"])
    plan = town.plan(currency="USD")
    payment = pay_by_deposit(town, user, town.between(1, 25), plan=plan, app="pending", deposit=state)
    return [drift(payment), *never(gap(user))]


@fault(line="C10", name="deposit_not_final_taken_for_paid")
def deposit_not_final_taken_for_paid(town: Town) -> list[Sighting]:
    """Credited is not final: only state 2 is."""
    state = town.rng.choice(["0", "1", "8"])
    user, payment = subscriber(town, at=town.between(0.1, 2), pay=pay_by_deposit, deposit=state)
    return [drift(payment), *never(gap(user))]


@fault(line="S2", name="deposit_known_by_hash_left_pending")
def deposit_known_by_hash_left_pending(town: Town) -> list[Sighting]:
    """Switched on by hand; the application's row, which knows only the hash, still waits."""
    user, payment = subscriber(town, pay=pay_by_deposit, app="pending", by_hash=True)
    return [drift(payment), *never(gap(user))]


@fault(line="C12", name="repeated_child_reads_finished")
def repeated_child_reads_finished(town: Town) -> list[Sighting]:
    """A second small deposit reads finished, and the application took the whole payment as paid."""
    user, payment = subscriber(
        town, at=town.between(1, 25), pay=pay_by_gateway, gateway="partially_paid", part=Decimal("0.5")
    )
    store = town.state.nowpayments.payments
    parent = store[payment["transaction_id"]]
    child = nowpayments_payment(
        town.ids.number(10),
        status="finished",
        price=payment["amount"],
        price_currency=payment["currency"],
        pay_amount=payment["crypto_amount"],
        actually_paid=payment["crypto_amount"] / 10,
        order_id=parent["order_id"],
        address=parent["pay_address"],
        tx_hash=town.ids.transaction_hash(),
        created=payment["created_at"] + timedelta(hours=1),
        updated=payment["created_at"] + timedelta(hours=1, minutes=10),
        parent_id=payment["transaction_id"],
    )
    store[str(child["payment_id"])] = child
    return [drift(payment), *never(gap(user))]


def _deposit(town: Town, payment: Row) -> Json:
    return next(item for item in town.state.okx.deposits.values() if item["txId"] == payment["tx_hash"])

"""Deposits to the exchange that look wrong and are in order: line C of the catalogue as clean look-alikes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.sandbox.faults.crypto_sightings import asked, came, odd_sum, of_deposit, of_payment
from payments_pipeline.sandbox.faults.registry import Sighting, drift, fault, gap, never
from payments_pipeline.sandbox.objects import Json, okx_deposit
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.town import Town


def _taken(town: Town, **columns: Any) -> tuple[Row, Row]:
    user = town.user()
    columns = {"created_at": town.between(2, 25), **columns}
    at, amount = columns.pop("created_at"), columns.pop("crypto_amount", None) or odd_sum(town)
    payment = asked(town, user, at, amount, "completed", **columns)
    town.webhook(payment)
    plan = next(plan for plan in town.tables["plans"] if plan["id"] == payment["plan_id"])
    town.activate(user, plan, payment)
    return user, payment


def _nothing(user: Row, payment: Row, *deposits: Json) -> list[Sighting]:
    others = [sighting for deposit in deposits for sighting in of_deposit(deposit)]
    return never(gap(user), drift(payment), *of_payment(payment), *others)


@fault(line="C1", name="deposit_short_within_tolerance")
def deposit_short_within_tolerance(town: Town) -> list[Sighting]:
    """A fee on the way."""
    user, payment = _taken(town)
    return _nothing(user, payment, came(town, payment, payment["crypto_amount"] * Decimal("0.985")))


@fault(line="C4", name="late_deposit_taken_all_the_same")
def late_deposit_taken_all_the_same(town: Town) -> list[Sighting]:
    """After the expiry, and somebody honoured it."""
    user, payment = _taken(town)
    return _nothing(user, payment, came(town, payment, after=timedelta(hours=30)))


@fault(line="C4", name="ran_out_long_ago")
def ran_out_long_ago(town: Town) -> list[Sighting]:
    """Weeks ago, and both sides know."""
    user = town.user()
    payment = asked(town, user, town.between(9, 60), odd_sum(town), "expired")
    return _nothing(user, payment)


@fault(line="C5", name="split_over_two_deposits")
def split_over_two_deposits(town: Town) -> list[Sighting]:
    """Two parts that add up, hours apart; of one the application knows the transaction."""
    user, payment = _taken(town)
    first = came(town, payment, payment["crypto_amount"] * Decimal("0.6"))
    second = came(town, payment, payment["crypto_amount"] * Decimal("0.4"), after=timedelta(hours=5))
    return _nothing(user, payment, first, second)


@fault(line="C5", name="split_at_a_shared_address")
def split_at_a_shared_address(town: Town) -> list[Sighting]:
    """Two parts add up to the last digit, beside a stranger's payment at the same address."""
    user, payment = _taken(town)
    where = {"deposit_address": payment["deposit_address"], "created_at": payment["created_at"]}
    stranger, other = _taken(town, crypto_amount=Decimal("5.0001"), **where)
    part = payment["crypto_amount"] - Decimal("6.0001")
    deposits = [came(town, payment, part), came(town, payment, Decimal("6.0001")), came(town, other)]
    return [*_nothing(user, payment, *deposits), *_nothing(stranger, other)]


@fault(line="C6", name="two_of_the_same_sum_told_apart_by_time")
def two_of_the_same_sum_told_apart_by_time(town: Town) -> list[Sighting]:
    """The same sum at the same address, a day apart."""
    user, first = _taken(town)
    same = {"deposit_address": first["deposit_address"], "crypto_amount": first["crypto_amount"]}
    other, second = _taken(town, created_at=first["created_at"] + timedelta(hours=25), **same)
    return [*_nothing(user, first, came(town, first)), *_nothing(other, second, came(town, second))]


@fault(line="C6", name="two_of_nearly_the_same_sum")
def two_of_nearly_the_same_sum(town: Town) -> list[Sighting]:
    """Within each other's tolerance at one address; each sum is paid to the last digit."""
    user, first = _taken(town)
    near = {"deposit_address": first["deposit_address"], "crypto_amount": first["crypto_amount"] + Decimal("0.0001")}
    other, second = _taken(town, created_at=first["created_at"], **near)
    return [*_nothing(user, first, came(town, first)), *_nothing(other, second, came(town, second))]


@fault(line="C6", name="two_of_the_same_sum_told_apart_by_memo")
def two_of_the_same_sum_told_apart_by_memo(town: Town) -> list[Sighting]:
    """One address for all, and a memo each."""
    coin = {"crypto_currency": "XRP", "network": "ripple", "deposit_address": "r" + town.ids.tron_address()[1:]}
    user, first = _taken(town, deposit_tag=town.ids.number(9), **coin)
    same = {"crypto_amount": first["crypto_amount"], "created_at": first["created_at"]}
    other, second = _taken(town, deposit_tag=town.ids.number(9), **coin, **same)
    sent = {"ccy": "XRP", "chain": "XRP-Ripple"}
    deposits = [came(town, payment, tag=payment["deposit_tag"]) for payment in (first, second)]
    for deposit in deposits:
        deposit.update(sent)
    return [*_nothing(user, first, *deposits), *_nothing(other, second)]


@fault(line="C7", name="one_transaction_pays_two_addresses")
def one_transaction_pays_two_addresses(town: Town) -> list[Sighting]:
    """A company paid for two people at once: one hash, two deposits."""
    user, first = _taken(town)
    other, second = _taken(town)
    deposit = came(town, first)
    twin = came(town, second, txId=deposit["txId"])
    for payment in (first, second):
        payment["tx_hash"] = deposit["txId"]
    return [*_nothing(user, first, deposit), *_nothing(other, second, twin)]


@fault(line="C8", name="network_by_another_name")
def network_by_another_name(town: Town) -> list[Sighting]:
    """The application says Ethereum and writes the address in small letters, the exchange says ERC20 and does not."""
    address = f"0x{town.rng.getrandbits(160):040x}"
    user, payment = _taken(town, network="Ethereum", crypto_currency="USDT", deposit_address=address)
    return _nothing(user, payment, came(town, payment, chain="USDT-ERC20", to=address.upper().replace("0X", "0x")))


@fault(line="C13", name="price_moved_since_the_quote")
def price_moved_since_the_quote(town: Town) -> list[Sighting]:
    """Worth a tenth less by the time it came; as many coins as were quoted."""
    where = {
        "crypto_currency": "BTC",
        "network": "BTC",
        "deposit_address": "bc1q" + f"{town.rng.getrandbits(150):038x}",
    }
    user, payment = _taken(town, crypto_amount=Decimal("0.00016667"), **where)
    return _nothing(user, payment, came(town, payment, ccy="BTC", chain="BTC-Bitcoin"))


@fault(line="C14", name="paid_from_within_the_exchange")
def paid_from_within_the_exchange(town: Town) -> list[Sighting]:
    """The payer has an account there, too; the application named the transfer."""
    user, payment = _taken(town)
    deposit = came(town, payment, chain="", txId="")
    deposit["from"] = "kim@example.com"
    payment["transaction_id"] = deposit["depId"]
    return _nothing(user, payment, deposit)


@fault(line="C14", name="transfer_between_own_accounts")
def transfer_between_own_accounts(town: Town) -> list[Sighting]:
    """Treasury moved money within the exchange."""
    deposit = okx_deposit(
        town.ids.number(9),
        state="2",
        amount=Decimal(town.rng.randrange(50, 5000)),
        address=town.ids.tron_address(),
        tx_hash="",
        at=town.between(0.1, 80),
        internal=True,
    )
    town.state.okx.deposits[deposit["depId"]] = deposit
    return never(*of_deposit(deposit))

"""What the reports on crypto money may say, in words for faults, and deposits that come by themselves.

Belongs here: sightings and the two halves of a payment by deposit. Does not belong here: any fault.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.sandbox.faults.registry import Sighting
from payments_pipeline.sandbox.objects import Json, okx_deposit
from payments_pipeline.sandbox.plans import Row
from payments_pipeline.sandbox.town import Town


def short(payment: Row) -> Sighting:
    """A row about this payment in crypto_underpaid."""
    return Sighting("crypto_underpaid", {"payment_id": str(payment["id"])})


def over(payment: Row) -> Sighting:
    """A row about this payment in crypto_overpaid."""
    return Sighting("crypto_overpaid", {"payment_id": str(payment["id"])})


def late(payment: Row) -> Sighting:
    """A row about this payment in late_deposits."""
    return Sighting("late_deposits", {"payment_id": str(payment["id"])})


def ran_out(payment: Row) -> Sighting:
    """A row about this payment in expired_crypto_payments."""
    return Sighting("expired_crypto_payments", {"payment_id": str(payment["id"])})


def loose(deposit: Json) -> Sighting:
    """A row about this deposit in unmatched_deposits."""
    return Sighting("unmatched_deposits", {"provider": "okx", "provider_ref": deposit["depId"]})


def odd(payment: Row) -> Sighting:
    """A row about the gateway's side of this payment in unmatched_deposits."""
    return Sighting("unmatched_deposits", {"provider": "nowpayments", "provider_ref": payment["transaction_id"]})


def doubtful(deposit: Json) -> Sighting:
    """A row about this deposit in ambiguous_deposits."""
    return Sighting("ambiguous_deposits", {"provider": "okx", "provider_ref": deposit["depId"]})


def held(deposit: Json) -> Sighting:
    """A row about this deposit in frozen_deposits."""
    return Sighting("frozen_deposits", {"provider": "okx", "provider_ref": deposit["depId"]})


def of_payment(payment: Row) -> list[Sighting]:
    """All that the reports on crypto money could say of a payment."""
    return [short(payment), over(payment), late(payment), ran_out(payment)]


def of_deposit(deposit: Json) -> list[Sighting]:
    """All that they could say of a deposit."""
    return [loose(deposit), doubtful(deposit), held(deposit)]


def deposit_of(town: Town, payment: Row) -> Json:
    """The deposit that the application named by its transaction."""
    return next(item for item in town.state.okx.deposits.values() if item["txId"] == payment["tx_hash"])


def asked(town: Town, user: Row, at: datetime, amount: Decimal, app: str = "pending", **columns: Any) -> Row:
    """The application's half: so many USDT at an address of its own, for a day, by a payer who has not told the
    transaction."""
    plan = town.plan("basic", currency="USD")
    asking = {
        "plan_id": plan["id"],
        "amount": plan["price"],
        "currency": "USD",
        "crypto_currency": "USDT",
        "crypto_amount": amount,
        "deposit_address": town.ids.tron_address(),
        "network": "TRC20",
        "created_at": at,
        "expires_at": at + timedelta(days=1),
    }
    return town.payment(user, "okx", None, app, **asking | columns)


def came(
    town: Town, payment: Row, amount: Decimal | None = None, *, after: timedelta = timedelta(minutes=10), **fields: str
) -> Json:
    """The exchange's half: so much of the payment's coin at its address, so long after it was asked for."""
    made = okx_deposit(
        town.ids.number(9),
        state=fields.pop("state", "2"),
        amount=payment["crypto_amount"] if amount is None else amount,
        address=payment["deposit_address"],
        tx_hash=town.ids.transaction_hash(),
        at=payment["created_at"] + after,
    )
    made.update(fields)
    town.state.okx.deposits[made["depId"]] = made
    return made


def odd_sum(town: Town) -> Decimal:
    """A sum of coins that nobody else asks for."""
    return Decimal(town.rng.randrange(100_000, 900_000)) / 10_000

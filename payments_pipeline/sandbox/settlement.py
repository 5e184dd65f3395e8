"""What becomes of the town's money at Stripe: charges reach the balance, transfers and weekly payouts leave it.

Belongs here: the balance's side of whatever the town did, and payouts that a fault makes for itself. Does not belong
here: what goes wrong with them (faults/payouts.py). Nobody is told: the town's inbox hears of payments alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from payments_pipeline.sandbox.objects import Json
from payments_pipeline.sandbox.plans import Row, stripe_minor
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline.sandbox.stripe_life_balance import BANK_DAYS
from payments_pipeline.sandbox.town import Town

_WEEK = timedelta(days=7)
_PAID = frozenset({"paid", "completed", "succeeded", "in_transit", "processing"})


class Books(StripeLife):
    """The operations on the balance, plus those that bring it in line with payments made without them."""

    def income(self, charge: Json) -> str:
        """The balance transaction of a captured charge; books it where that was not done yet."""
        if charge["balance_transaction"] not in self._stripe.balance_transactions:
            charge["balance_transaction"] = self._income(charge, charge["amount_captured"], _at(charge))
        return str(charge["balance_transaction"])

    def returned(self, refund: Json) -> None:
        """The balance transaction of a refund that went through."""
        if refund["balance_transaction"] not in self._stripe.balance_transactions:
            refund["balance_transaction"] = self._book("refund", -refund["amount"], refund, _at(refund))


def transfer(town: Town, payout: Row) -> Json:
    """The transfer behind a payout of the application, which gets its id."""
    made = Books(town.state).create_transfer(
        at=payout["created_at"],
        amount=stripe_minor(payout["amount"], payout["currency"]),
        currency=payout["currency"].lower(),
        destination=f"acct_host{payout['payee_id']}",
        event=False,
    )
    payout["stripe_transfer_id"] = made["id"]
    return made


def bank_payout(town: Town, payments: Sequence[Row], at: datetime, *, paid: bool = True) -> Json:
    """An automatic payout at `at` of just these card payments; reconciled, and at the bank two days later if `paid`."""
    books, stripe = Books(town.state), town.state.stripe
    charges = [
        stripe.charges[stripe.payment_intents[payment["transaction_id"]]["latest_charge"]] for payment in payments
    ]
    transactions = [books.income(charge) for charge in charges]
    return _pay_out(books, transactions, charges[0]["currency"], at, paid=paid)


def settle(town: Town) -> None:
    """Book what the town did, and pay each currency's balance out once a week, as far as anything is left in it."""
    books, stripe = Books(town.state), town.state.stripe
    for charge in list(stripe.charges.values()):
        if charge["captured"] and charge["amount_captured"]:
            books.income(charge)
    for refund in list(stripe.refunds.values()):
        if refund["status"] == "succeeded":
            books.returned(refund)
    for payout in town.tables["payouts"]:
        known = payout["stripe_transfer_id"] in stripe.transfers
        if payout["method"] == "stripe" and payout["status"] in _PAID and not known:
            transfer(town, payout)
    for currency in sorted({txn["currency"] for txn in stripe.balance_transactions.values()}):
        _weekly(town, books, currency)
    books.settle(at=town.as_of)


def _weekly(town: Town, books: Books, currency: str) -> None:
    waiting = sorted(_waiting(town, currency), key=lambda txn: (txn["available_on"], txn["id"]))
    if not waiting:
        return
    at = town.as_of - timedelta(hours=12)
    while _available(waiting[0]) <= at - _WEEK:
        at -= _WEEK
    while at <= town.as_of and waiting:
        ready = [txn for txn in waiting if _available(txn) <= at]
        if sum(txn["net"] for txn in ready) > 0:
            paid = at + BANK_DAYS <= town.as_of
            _pay_out(books, [txn["id"] for txn in ready], currency, at, paid=paid)
            waiting = waiting[len(ready) :]
        at += _WEEK


def _waiting(town: Town, currency: str) -> Iterator[Json]:
    """What is in the balance and in no payout yet."""
    stripe = town.state.stripe
    gone = {name for names in stripe.payout_transactions.values() for name in names} | town.kept_back
    for name, txn in stripe.balance_transactions.items():
        payable = txn["currency"] == currency and txn["type"] != "payout"
        if payable and name not in gone and txn["source"] not in town.kept_back:
            yield txn


def _pay_out(books: Books, transactions: Sequence[str], currency: str, at: datetime, *, paid: bool) -> Json:
    made = books.create_payout(at=at, currency=currency, transactions=transactions, event=False)
    made = books.send_payout(made["id"], at=at + timedelta(hours=6), event=False)
    return books.pay_payout(made["id"], at=at + BANK_DAYS, event=False) if paid else made


def _at(obj: Json) -> datetime:
    return datetime.fromtimestamp(obj["created"], tz=UTC)


def _available(txn: Json) -> datetime:
    return datetime.fromtimestamp(txn["available_on"], tz=UTC)

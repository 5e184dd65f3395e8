"""Money that leaves and settles as time passes: payouts, transfers, balance transactions.

Belongs here: what each step changes and the events Stripe tells of it. Does not belong here: payments.
Sources: https://docs.stripe.com/payouts, https://docs.stripe.com/connect/separate-charges-and-transfers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payments_pipeline.sandbox import stripe_shapes
from payments_pipeline.sandbox.state import Json
from payments_pipeline.sandbox.stripe_ledger import Ledger, impossible, seconds

BANK_DAYS = timedelta(days=2)
REVERSALS_SHOWN = 10


class BalanceLife(Ledger):
    """Operations on the balance; amounts in minor units, `event=False`: the feed never tells of it."""

    def settle(self, *, at: datetime) -> int:
        """Pending balance transactions whose time has come become available; returns how many. Nothing is told."""
        with self.state.lock:
            store = self._stripe.balance_transactions
            due = [txn for txn in store.values() if txn["status"] == "pending" and txn["available_on"] <= seconds(at)]
            for txn in due:
                self._amend(store, txn, status="available")
            return len(due)

    def create_payout(
        self, *, at: datetime, amount: int | None = None, currency: str = "usd", transactions: Sequence[str] = (),
        automatic: bool = True, arrival: datetime | None = None, event: bool = True,
    ) -> Json:  # fmt: skip
        """A payout of `amount`, by default of the net of `transactions`, which an automatic payout can list."""
        with self.state.lock:
            stripe = self._stripe
            total = amount
            if total is None:
                total = sum(self._need(stripe.balance_transactions, name)["net"] for name in transactions)
            made = stripe_shapes.payout(
                self._new_id("po"), amount=total, currency=currency, created=seconds(at), automatic=automatic,
                arrival=seconds(arrival or at + BANK_DAYS),
            )  # fmt: skip
            made["balance_transaction"] = self._book("payout", -total, made, at)
            self._put(stripe.payouts, made)
            if automatic:
                stripe.payout_transactions[made["id"]] = (*transactions, made["balance_transaction"])
            self._tell("payout.created", made, at, event)
            return made

    def send_payout(self, payout_id: str, *, at: datetime, event: bool = True) -> Json:
        """The payout went to the bank."""
        with self.state.lock:
            before = self._need(self._stripe.payouts, payout_id, ("pending",), "be sent")
            made = self._amend(self._stripe.payouts, before, status="in_transit")
            self._tell("payout.updated", made, at, event, before)
            return made

    def pay_payout(self, payout_id: str, *, at: datetime, event: bool = True) -> Json:
        """The bank is taken to have paid it; it may still fail later."""
        with self.state.lock:
            before = self._need(self._stripe.payouts, payout_id, ("pending", "in_transit"), "be paid")
            status = "completed" if before["automatic"] else before["reconciliation_status"]
            made = self._amend(self._stripe.payouts, before, status="paid", reconciliation_status=status)
            self._tell("payout.paid", made, at, event)
            if made["automatic"]:
                self._tell("payout.reconciliation_completed", made, at, event)
            return made

    def fail_payout(self, payout_id: str, *, at: datetime, code: str = "account_closed", event: bool = True) -> Json:
        """The bank refused it, maybe days after it read paid; the money is back in the balance."""
        with self.state.lock:
            before = self._need(self._stripe.payouts, payout_id, ("pending", "in_transit", "paid"), "fail")
            made = self._amend(
                self._stripe.payouts, before, status="failed", failure_code=code,
                failure_message="The bank account has been closed.",
                failure_balance_transaction=self._book("payout_failure", before["amount"], before, at),
            )  # fmt: skip
            self._tell("payout.failed", made, at, event)
            return made

    def create_transfer(
        self, *, at: datetime, amount: int = 1000, currency: str = "usd", destination: str = "acct_connected",
        source_transaction: str | None = None, event: bool = True,
    ) -> Json:  # fmt: skip
        """Money moves to a connected account; `source_transaction` is the charge it came from."""
        with self.state.lock:
            made = stripe_shapes.transfer(
                self._new_id("tr"), amount=amount, currency=currency, destination=destination,
                source_transaction=source_transaction, created=seconds(at),
            )  # fmt: skip
            made["balance_transaction"] = self._book("transfer", -amount, made, at)
            self._put(self._stripe.transfers, made)
            self._tell("transfer.created", made, at, event)
            return made

    def reverse_transfer(
        self, transfer_id: str, *, at: datetime, amount: int | None = None, event: bool = True
    ) -> Json:
        """A transfer comes back, all that is left or `amount`. Returns the reversal, which has no event of its own."""
        with self.state.lock:
            stripe = self._stripe
            whole = self._need(stripe.transfers, transfer_id)
            left = whole["amount"] - whole["amount_reversed"]
            back = left if amount is None else amount
            if not 0 < back <= left:
                raise impossible(whole, "be reversed", f"{back} is not between 1 and the {left} left")
            made = stripe_shapes.transfer_reversal(self._new_id("trr"), whole, amount=back, created=seconds(at))
            made["balance_transaction"] = self._book("transfer_refund", back, made, at)
            stripe.transfer_reversals[made["id"]] = made
            listed = whole["reversals"]
            count = listed["total_count"] + 1
            newest = [made, *listed["data"]][:REVERSALS_SHOWN]
            whole = self._amend(
                stripe.transfers, whole, amount_reversed=whole["amount_reversed"] + back, reversed=back == left,
                reversals={**listed, "data": newest, "has_more": count > REVERSALS_SHOWN, "total_count": count},
            )  # fmt: skip
            self._tell("transfer.reversed", whole, at, event)
            return made

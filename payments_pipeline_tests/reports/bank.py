"""Writes rows of Stripe's balance for a scenario: payouts, their parts, transfers and reversals.

Belongs here: plain defaults for those tables. Does not belong here: payments (ledger.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, ago

_COMMON: dict[str, Any] = {"account": "acct_1", "livemode": True, "read_at": ago(hours=1), "digest": 1}


@dataclass
class Bank:
    """Each method commits rows to the ledger's database."""

    ledger: Ledger

    def payout(self, ref: str = "po_1", amount: str = "100.00", **columns: Any) -> None:
        """An automatic payout of five days ago that arrived and was reconciled."""
        values = _COMMON | {
            "object_id": ref, "status": "paid", "automatic": True, "currency": "usd", "amount": Decimal(amount),
            "reconciliation_status": "completed", "created_at": ago(days=5), "arrival_at": ago(days=3),
            "balance_transaction_id": f"txn_{ref}",
        }  # fmt: skip
        self.ledger.add("recon.stripe_payouts", **values | columns)

    def part(self, txn: str, net: str, payout: str = "po_1", **columns: Any) -> None:
        """A charge that left with the payout."""
        values = _COMMON | {
            "object_id": f"{payout}/{txn}", "payout_id": payout, "balance_transaction_id": txn, "type": "charge",
            "source_id": f"ch_{txn}", "currency": "usd", "amount": Decimal(net) + 1, "fee": 1, "net": Decimal(net),
            "created_at": ago(days=8), "payout_created_at": ago(days=5),
        }  # fmt: skip
        self.ledger.add("recon.stripe_payout_items", **values | columns)

    def parts(self, *nets: str, payout: str = "po_1", currency: str = "usd") -> None:
        """Parts, and the payout's own movement that undoes them."""
        for number, net in enumerate(nets):
            self.part(f"{payout}_{number}", net, payout, currency=currency)
        own = str(-sum(map(Decimal, nets)))
        self.part(f"txn_{payout}", own, payout, type="payout", source_id=payout, currency=currency)

    def income(self, txn: str, days: float = 30, **columns: Any) -> None:
        """A charge in the balance, available so many days ago."""
        values = _COMMON | {
            "object_id": txn, "status": "available", "type": "charge", "currency": "usd", "amount": 21, "fee": 1,
            "net": 20, "source_id": f"ch_{txn}", "available_at": ago(days=days), "created_at": ago(days=days + 2),
        }  # fmt: skip
        self.ledger.add("recon.stripe_balance_transactions", **values | columns)

    def transfer(self, ref: str = "tr_1", *, back: int = 0, **columns: Any) -> None:
        """A transfer of 16, of which `back` was reversed."""
        values = _COMMON | {
            "object_id": ref, "currency": "usd", "amount": 16, "amount_reversed": back, "reversed": back == 16,
            "created_at": ago(days=5),
        }  # fmt: skip
        self.ledger.add("recon.stripe_transfers", **values | columns)

    def reversal(self, transfer: str = "tr_1", *, amount: int = 16, **columns: Any) -> None:
        """A reversal of two days ago."""
        values = _COMMON | {
            "object_id": f"{transfer}/trr_1", "reversal_id": "trr_1", "transfer_id": transfer, "currency": "usd",
            "amount": amount, "created_at": ago(days=2), "transfer_created_at": ago(days=5),
        }  # fmt: skip
        self.ledger.add("recon.stripe_transfer_reversals", **values | columns)

    def read_in_full(self, **columns: Any) -> None:
        """A complete reading of all parts, finished at AS_OF."""
        values: dict[str, Any] = {
            "provider": "stripe", "account": "acct_1", "livemode": True, "resource": "payout_items", "mode": "sweep",
            "window_from": ago(days=90), "window_to": AS_OF, "as_of": AS_OF, "pages": 1, "objects": 1,
            "rows_written": 1, "complete": True, "started_at": AS_OF, "finished_at": AS_OF,
        }  # fmt: skip
        self.ledger.add("recon.coverage", **values | columns)

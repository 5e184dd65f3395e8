"""Rows of Stripe's raw tables for a scenario, with plain defaults: account acct_1 in live mode, read at AS_OF."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago

_READ: Row = {"account": "acct_1", "livemode": True, "read_at": AS_OF, "digest": 1}


def intent(ledger: Ledger, status: str, at: datetime | None = None, **columns: object) -> None:
    """PaymentIntent pi_1 over 20 USD."""
    values: Row = {
        "object_id": "pi_1", "status": status, "currency": "usd", "amount": Decimal("20.00"), "amount_received": 0,
        "amount_capturable": 0, "created_at": at or ago(days=1),
    }  # fmt: skip
    ledger.add("recon.stripe_payment_intents", **_READ | values | columns)


def fee(ledger: Ledger, net: str, **columns: object) -> None:
    """What the charge ch_1 over 20 USD left in the balance."""
    values: Row = {
        "object_id": "txn_1", "status": "available", "type": "charge", "currency": "usd", "amount": Decimal("20.00"),
        "fee": Decimal("20.00") - Decimal(net), "net": Decimal(net), "source_id": "ch_1", "created_at": ago(days=1),
    }  # fmt: skip
    ledger.add("recon.stripe_balance_transactions", **_READ | values | columns)


def charge(ledger: Ledger, ref: str, **columns: object) -> None:
    """A captured charge over 20 USD."""
    values: Row = {
        "object_id": ref, "capture_state": "captured", "status": "succeeded", "currency": "usd",
        "amount": Decimal("20.00"), "amount_refunded": 0, "refunded": False, "disputed": False,
        "created_at": ago(days=1),
    }  # fmt: skip
    ledger.add("recon.stripe_charges", **_READ | values | columns)


def dispute(ledger: Ledger, status: str, at: datetime, **columns: object) -> None:
    """Dispute du_1 of pi_1 over 20 USD, evidence due in a day."""
    values: Row = {
        "object_id": "du_1", "status": status, "reason": "fraudulent", "currency": "usd", "amount": Decimal("20.00"),
        "payment_intent_id": "pi_1", "evidence_due_at": ago(days=-1), "has_evidence": False, "submission_count": 0,
        "created_at": at,
    }  # fmt: skip
    ledger.add("recon.stripe_disputes", **_READ | values | columns)


def told(ledger: Ledger, kind: str, subject: str, at: datetime) -> None:
    """An event of the feed."""
    values: Row = {
        "object_id": f"evt_{subject}_{kind}", "type": kind, "subject_id": subject, "pending_webhooks": 0,
        "created_at": at,
    }  # fmt: skip
    ledger.add("recon.stripe_events", **_READ | values)

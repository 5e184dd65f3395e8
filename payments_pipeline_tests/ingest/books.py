"""Rows for tests of the canonical layer, and a way to put them in and read canonical ones out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Engine, MetaData, Table, text

from payments_pipeline.ingest.canonical import CanonicalResult, refresh_provider_transactions
from payments_pipeline_tests.emptying import emptied

AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
CREATED = AS_OF - timedelta(days=2)
COMMON: dict[str, Any] = {"account": "acct_1", "livemode": False, "read_at": AS_OF, "digest": 1, "created_at": CREATED}
INTENT = COMMON | {
    "object_id": "pi_1", "status": "succeeded", "currency": "usd", "amount": Decimal("19.99"),
    "amount_received": Decimal("19.99"), "amount_capturable": 0,
}  # fmt: skip
REFUND = COMMON | {
    "object_id": "re_1", "status": "succeeded", "currency": "usd", "amount": 5, "payment_intent_id": "pi_1",
}  # fmt: skip
CRYPTO = COMMON | {
    "object_id": "501", "status": "finished", "price_amount": 20, "price_currency": "usd", "pay_currency": "usdttrc20",
    "pay_amount": 20, "actually_paid": 20,
}  # fmt: skip
DEPOSIT = COMMON | {
    "object_id": "d1", "status": "2", "currency": "USDT", "chain": "USDT-TRC20", "amount": Decimal("30.5"),
    "address": "Tx", "tag": "7", "tx_id": "hash1",
}  # fmt: skip


CHARGE = COMMON | {
    "object_id": "ch_1", "capture_state": "captured", "status": "succeeded", "currency": "usd", "amount": 12,
    "amount_captured": 12, "amount_refunded": 0, "refunded": False, "disputed": False,
}  # fmt: skip
DISPUTE = COMMON | {
    "object_id": "dp_1", "status": "needs_response", "currency": "usd", "amount": 12, "payment_intent_id": "pi_1",
    "has_evidence": False, "submission_count": 0,
}  # fmt: skip
TRANSFER = COMMON | {
    "object_id": "tr_1", "currency": "usd", "amount": 8, "amount_reversed": 0, "reversed": False, "charge_id": "ch_1",
}  # fmt: skip
PAYOUT = COMMON | {"object_id": "po_1", "status": "in_transit", "currency": "eur", "amount": 99, "automatic": True}
SESSION = COMMON | {"object_id": "cs_1", "payment_state": "complete", "payment_intent_id": "pi_1"}
CUSTOMER = COMMON | {"object_id": "cus_1"}
# Beyond what the fixture of this folder empties.
FILLED = (
    "recon.stripe_charges, recon.stripe_disputes, recon.stripe_transfers, recon.stripe_payouts, "
    "recon.stripe_checkout_sessions, recon.stripe_customers, recon.provider_transactions, recon.link_payments, "
    "recon.link_users, recon.link_payouts, recon.canonical_mark, public.payouts"
)


@cache
def _table(engine: Engine, name: str, schema: str) -> Table:
    """Asking the database for a table's columns takes longer than writing a row."""
    return Table(name, MetaData(), schema=schema, autoload_with=engine)


class Books:
    """Puts rows in and reads canonical ones out."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings: dict[str, Any] = {}

    def refresh(self, **more: Any) -> CanonicalResult:
        return refresh_provider_transactions(self.engine, AS_OF, **self.settings, **more)

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def replace(self, table: str, **values: Any) -> None:
        """The object in a new reading, whether there was one or not."""
        with self.engine.begin() as connection:
            found = _table(self.engine, table, "recon")
            connection.execute(found.delete().where(found.c.object_id == values["object_id"]))
            connection.execute(found.insert(), values)

    def intent(self, number: int = 1, **values: Any) -> None:
        self.add("stripe_payment_intents", **INTENT | {"object_id": f"pi_{number}"} | values)

    def add(self, table: str, schema: str = "recon", **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(_table(self.engine, table, schema).insert(), values)

    def user(self, number: int, customer: str | None = None) -> None:
        self.add(
            "users", "public", id=number, username=f"u{number}", email="u@example.com", stripe_customer_id=customer
        )

    def payment(self, number: int, user: int | None, **values: Any) -> None:
        given = {"payment_method": "stripe", "status": "completed", "amount": 1, "currency": "usd"} | values
        self.add("payment_transactions", "public", id=number, user_id=user, **given)

    def refreshed(self, ref: str = "pi_1") -> dict[str, Any]:
        self.refresh()
        with self.engine.connect() as connection:
            statement = text("SELECT * FROM recon.provider_transactions WHERE provider_ref = :ref")
            return dict(connection.execute(statement, {"ref": ref}).mappings().one())

    def link(self, ref: str = "pi_1") -> tuple[Any, ...]:
        row = self.refreshed(ref)
        return row["link_method"], row["user_ref"], row["payment_ref"]

    def evidence(self, ref: str = "pi_1") -> tuple[str, str | None]:
        row = self.refreshed(ref)
        return row["link_method"], row["link_evidence"]

    def empty(self) -> None:
        with self.engine.begin() as connection:
            emptied(connection, FILLED.split(", "))

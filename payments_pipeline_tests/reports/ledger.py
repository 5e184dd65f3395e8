"""Writes the rows of a scenario: the application's tables and what providers said, with plain defaults for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from psycopg import sql
from sqlalchemy import Engine

from payments_pipeline.reports import Report, ReportResult, load_reports, materialise
from payments_pipeline_tests.conftest import AS_OF

Row = dict[str, Any]


def ago(**span: float) -> datetime:
    """That long before AS_OF."""
    return AS_OF - timedelta(**span)


@cache
def shipped() -> dict[str, Report]:
    """The reports that come with the project, parsed once."""
    return load_reports()


@dataclass
class Ledger:
    """Each method commits one row and returns what identifies it."""

    engine: Engine

    def add(self, name: str, /, **columns: Any) -> Any:
        names = [sql.Identifier(column) for column in columns]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(
            sql.Identifier(*name.split(".")),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(sql.Placeholder(column) for column in columns),
        )
        with self.engine.begin() as connection:
            return connection.exec_driver_sql(statement.as_string(), columns).one()[0]

    def plan(self, tier: str = "pro", period: str = "month", price: int = 20) -> int:
        values = {"name": f"{tier} {period}", "tier": tier, "period": period, "price": price, "currency": "USD"}
        return int(self.add("public.plans", **values))

    def user(self, status: str = "inactive", tier: str = "free", **columns: Any) -> int:
        values = {
            "username": "kim", "email": "kim@example.com", "subscription_status": status, "subscription_tier": tier,
        }  # fmt: skip
        return int(self.add("public.users", **values | columns))

    def booking(self, customer: int, host: int, **columns: Any) -> int:
        values = {
            "customer_id": customer, "provider_id": host, "starts_at": ago(days=1), "ends_at": ago(hours=23),
            "price": 20, "currency": "USD",
        }  # fmt: skip
        return int(self.add("public.bookings", **values | columns))

    def payment(
        self, user: int | None, plan: int | None, status: str, at: datetime | None = None, **columns: Any
    ) -> int:
        """The application's row; confirmed when its status says paid. It is pi_1 at stripe unless told otherwise."""
        at = at or ago(days=1)
        values = {
            "user_id": user, "plan_id": plan, "status": status, "payment_method": "stripe", "transaction_id": "pi_1",
            "amount": Decimal("20.00"), "currency": "USD", "created_at": at, "updated_at": at,
            "confirmed_at": at if status in {"completed", "succeeded", "finished", "paid", "confirmed"} else None,
        }  # fmt: skip
        return int(self.add("public.payment_transactions", **values | columns))

    def transaction(self, state: str, at: datetime | None = None, **columns: Any) -> None:
        """The provider's object pi_1, in canonical form."""
        at = at or ago(days=1)
        values = {
            "provider": "stripe", "account": "acct_1", "provider_ref": "pi_1", "kind": "payment", "livemode": True,
            "state": state, "raw_status": state, "amount": Decimal("20.00"), "currency": "USD",
            "link_method": "reference", "provider_created_at": at, "state_changed_at": at, "read_at": AS_OF,
            "paid_at": at if state == "paid" else None,
        }  # fmt: skip
        made = values | columns
        if made.get("tx_hash"):
            made["tx_hash"] = str(made["tx_hash"]).lower().removeprefix("0x")  # as the canonical layer writes it
        self.add("recon.provider_transactions", **made)

    def deposit(self, state: str, **columns: Any) -> None:
        """A deposit of 20 USDT at OKX with transaction hash abc, which the exchange writes as 0xabc."""
        values: Row = {
            "provider": "okx", "account": "1", "provider_ref": "dep_1", "kind": "deposit", "currency": "USDT",
            "tx_hash": "0xabc", "deposit_address": "T1",
        }  # fmt: skip
        self.transaction(state, **values | columns)

    def dispute(self, intent: str, status: str, amount: str = "20.00") -> None:
        """The holder's bank asked for the money of a PaymentIntent back, some days ago."""
        values = {
            "account": "acct_1", "livemode": True, "object_id": f"du_{intent}", "status": status, "currency": "USD",
            "amount": Decimal(amount), "payment_intent_id": intent, "has_evidence": False, "submission_count": 0,
            "created_at": ago(hours=20), "read_at": AS_OF, "digest": 1,
        }  # fmt: skip
        self.add("recon.stripe_disputes", **values)

    def event(self, user: int, event_type: str, at: datetime, status: str, tier: str) -> None:
        values = {"user_id": user, "event_type": event_type, "new_status": status, "new_tier": tier, "created_at": at}
        self.add("public.subscription_events", **values)

    def webhook(self, payment: int | None, status: str, **columns: Any) -> None:
        values = {
            "payment_method": "stripe", "payment_id": payment, "processing_status": status, "signature_valid": True,
            "created_at": ago(hours=23),
        }  # fmt: skip
        self.add("public.webhook_logs", **values | columns)

    def coverage(self, provider: str, resource: str, *, complete: bool = True) -> None:
        values = {
            "provider": provider, "account": "acct_1", "livemode": True, "resource": resource, "mode": "sweep",
            "window_from": ago(days=90), "window_to": AS_OF, "as_of": AS_OF, "pages": 1, "objects": 1,
            "rows_written": 1, "complete": complete, "started_at": AS_OF, "finished_at": AS_OF,
        }  # fmt: skip
        self.add("recon.coverage", **values)

    def read_in_full(self, **providers: bool) -> None:
        """Coverage of everything the shipped reports need of these providers, complete or not."""
        resources = {
            "stripe": ["payment_intents", "refunds"], "nowpayments": ["payments"], "okx": ["deposits"],
        }  # fmt: skip
        for provider, complete in providers.items():
            for resource in resources[provider]:
                self.coverage(provider, resource, complete=complete)

    def run(self, report: str, as_of: datetime = AS_OF, overrides: Mapping[str, Any] | None = None) -> ReportResult:
        return materialise(self.engine, shipped()[report], as_of=as_of, overrides=overrides or {}, run_id="run_1")

    def rows(self, report: str, **kwargs: Any) -> list[Row]:
        return self.run(report, **kwargs).preview

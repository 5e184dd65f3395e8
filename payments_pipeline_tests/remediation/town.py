"""Rows in a real database, as the application and the reports would have written them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from payments_pipeline_tests.conftest import AS_OF

PLANS = {"day": 1, "week": 2, "month": 3, "quarter": 4, "year": 5, "lifetime": 6}


@dataclass
class Town:
    """Plants rows; each method commits, as other processes would."""

    engine: Engine

    def run(self, sql: str, **parameters: Any) -> Any:
        with self.engine.begin() as connection:
            result = connection.execute(text(sql), parameters)
            return result.scalar() if result.returns_rows else None

    def user(self, status: str = "inactive", tier: str = "free", **columns: Any) -> int:
        names = ["username", "email", "subscription_status", "subscription_tier", *columns]
        values = {
            "username": "kim",
            "email": "kim@example.com",
            "subscription_status": status,
            "subscription_tier": tier,
        }
        marks = ", ".join(f":{name}" for name in names)
        sql = f"INSERT INTO public.users ({', '.join(names)}) VALUES ({marks}) RETURNING id"  # noqa: S608
        return int(self.run(sql, **values, **columns))

    def payment(
        self,
        user_id: int,
        *,
        plan: str | None = "month",
        status: str = "completed",
        provider_state: str | None = "paid",
        paid_at: datetime = AS_OF - timedelta(hours=1),
        ref: str = "pi_1",
    ) -> int:
        payment_id = self.run(
            "INSERT INTO public.payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount,"
            " currency, created_at, confirmed_at) VALUES (:user_id, :plan_id, 'stripe', :ref, :status, 19.99, 'usd',"
            " :paid_at, :paid_at) RETURNING id",
            user_id=user_id,
            plan_id=None if plan is None else PLANS[plan],
            ref=ref,
            status=status,
            paid_at=paid_at,
        )
        if provider_state is not None:
            self.run(
                "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
                " raw_status, amount, currency, provider_created_at, paid_at, state_changed_at, read_at, link_method)"
                " VALUES ('stripe', 'acct_1', :ref, 'payment', FALSE, :state, 'x', 19.99, 'USD', :paid_at, :paid_at,"
                " :paid_at, :paid_at, 'reference')",
                ref=ref,
                state=provider_state,
                paid_at=paid_at,
            )
        return int(payment_id)

    def finding(self, user_id: object, payment_id: object = None, **evidence: Any) -> int:
        row = {"user_id": user_id, "payment_id": payment_id, "reason": "webhook never came", **evidence}
        return int(
            self.run(
                "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, user_ref, action,"
                " evidence, opened_at, last_seen_at, times_seen) VALUES ('activation_gaps', :user_ref, 1, 'open',"
                " 'CRITICAL', :user_ref, 'activate_subscription', CAST(:evidence AS jsonb), :at, :at, 1)"
                " RETURNING finding_id",
                user_ref=str(user_id),
                evidence=json.dumps(row),
                at=AS_OF,
            )
        )

    def gap(self, **payment: Any) -> tuple[int, int, int]:
        """A user who paid and has nothing: user id, payment id, finding id."""
        user_id = self.user()
        payment_id = self.payment(user_id, ref=f"pi_{user_id}", **payment)
        return user_id, payment_id, self.finding(user_id, payment_id)

    def row(self, sql: str, **parameters: Any) -> dict[str, Any]:
        with self.engine.connect() as connection:
            return dict(connection.execute(text(sql), parameters).mappings().one())

    def look(self, user_id: int) -> dict[str, Any]:
        return self.row("SELECT * FROM public.users WHERE id = :user_id", user_id=user_id)

    def count(self, table: str) -> int:
        return int(self.run(f"SELECT count(*) FROM {table}"))  # noqa: S608

    def written(self) -> tuple[int, ...]:
        """How many rows there are of everything that a repair writes, and when users were last touched."""
        tables = ("recon.actions", "recon.audit_log", "public.subscription_events")
        touched = self.run("SELECT count(*) FROM public.users WHERE subscription_updated_at IS NOT NULL")
        return (*(self.count(table) for table in tables), touched)

"""Between two nights: a report's table, brought up to date by what was touched, is what a full run would leave."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.reports import IntradayResult, Report, look, materialise, refresh_intraday
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, ago, shipped

TOUCHED = [report for report in shipped().values() if report.intraday == "touched"]
# What counts time: in rows that nothing touched it stays as it was.
AGEING = {"seconds_since_payment"}
STATES = ("pending", "processing", "authorized", "paid", "paid", "paid", "refunded", "failed", "partially_paid")
STATUSES = ("pending", "processing", "succeeded", "succeeded", "completed", "failed", "refunded", "expired")
PERIODS = ("day", "week", "month", "month", "year", "lifetime")
TIERS = ("basic", "pro", "free")
STEPS = (5, 40, 130, 320, 1_000, 7_200, 40_000)
ROUNDS = int(os.environ.get("INTRADAY_ROUNDS", "12"))


class Town:
    """Some users with payments, and the random things that happen to them."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self.random, self.now = ledger, random.Random(seed), AS_OF
        self.plans = [ledger.plan(tier, period) for tier in TIERS[:2] for period in sorted(set(PERIODS))]
        self.users = [ledger.user(status, self.random.choice(TIERS)) for status in ("active", "inactive") * 8]
        self.numbers = 0
        for _ in range(60):
            self.payment(self.now - timedelta(seconds=self.random.randrange(40 * 86_400)))

    def do(self, statement: str, **values: Any) -> None:
        with self.ledger.engine.begin() as connection:
            connection.execute(text(statement), values)

    def some(self, table: str, condition: str = "TRUE") -> Any:
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(text(f"SELECT * FROM {table} WHERE {condition} ORDER BY 1, 2, 3")).all()  # noqa: S608
        return self.random.choice(rows) if rows else None

    def payment(self, at: datetime | None = None) -> None:
        at, choose = at or self.now, self.random.choice
        self.numbers += 1
        provider, ref = choose(("stripe", "stripe", "okx", "nowpayments")), f"ref_{self.numbers}"
        crypto = {"crypto_amount": 20, "crypto_currency": "USDT"} if provider != "stripe" else {}
        tx_hash = f"0x{self.numbers}" if provider == "okx" else None
        self.ledger.payment(
            choose(self.users), choose(self.plans), choose(STATUSES), at, payment_method=provider, tx_hash=tx_hash,
            transaction_id=choose((ref, ref, ref, None, tx_hash)), **crypto,
        )  # fmt: skip
        if self.random.random() < 0.9:
            self.transaction(provider, ref, tx_hash, at)

    def transaction(self, provider: str, ref: str, tx_hash: str | None, at: datetime) -> None:
        crypto = {"kind": "deposit", "tx_hash": tx_hash, "currency": "USDT"} if provider == "okx" else {}
        link = self.random.choice(("reference", "metadata"))
        self.ledger.transaction(
            self.random.choice(STATES), at, provider=provider, provider_ref=ref, link_method=link,
            payment_ref=str(self.numbers), **crypto,
        )  # fmt: skip

    def user_changes(self) -> None:
        choose = self.random.choice
        self.do(
            "UPDATE public.users SET subscription_status = :status, subscription_tier = :tier, is_internal = :internal,"
            " access_override_until = :override, subscription_updated_at = :now, updated_at = :now WHERE id = :id",
            id=choose(self.users), status=choose(("active", "inactive", "canceled")), tier=choose(TIERS), now=self.now,
            internal=self.random.random() < 0.1, override=choose((None, None, self.now + timedelta(seconds=60))),
        )  # fmt: skip

    def payment_changes(self) -> None:
        row, choose = self.some("public.payment_transactions"), self.random.choice
        status = choose(STATUSES)
        confirmed = choose((row.confirmed_at, self.now)) if status in {"succeeded", "completed"} else None
        self.do(
            "UPDATE public.payment_transactions SET status = :status, confirmed_at = :confirmed, plan_id = :plan,"
            " transaction_id = :ref, user_id = :user, updated_at = :now WHERE id = :id",
            id=row.id, status=status, confirmed=confirmed, now=self.now, plan=choose((row.plan_id, *self.plans)),
            ref=choose((row.transaction_id, f"ref_{self.random.randint(1, self.numbers)}")),
            user=choose((row.user_id, row.user_id, *self.users)),
        )  # fmt: skip

    def payment_goes(self) -> None:
        row = self.some("public.payment_transactions")
        self.do("DELETE FROM public.webhook_logs WHERE payment_id = :id", id=row.id)
        self.do("DELETE FROM public.payment_transactions WHERE id = :id", id=row.id)

    def object_changes(self) -> None:
        row, choose = self.some("recon.provider_transactions"), self.random.choice
        self.do(
            "UPDATE recon.provider_transactions SET state = :state, raw_status = :state, state_changed_at = :now,"
            " paid_at = CASE WHEN :state = 'paid' THEN coalesce(paid_at, :now) END, amount_received = :received,"
            " vanished_at = :vanished, payment_ref = :payment, amount_refunded = :returned"
            " WHERE provider_ref = :ref AND provider = :provider",
            ref=row.provider_ref, provider=row.provider, state=choose(STATES), now=self.now,
            received=choose((None, Decimal(5), Decimal(20))), vanished=choose((None, None, None, self.now)),
            payment=choose((row.payment_ref, str(self.random.randint(1, self.numbers)))),
            returned=choose((0, 0, 20)),
        )  # fmt: skip

    def object_goes(self) -> None:
        row = self.some("recon.provider_transactions")
        self.do("DELETE FROM recon.provider_transactions WHERE provider_ref = :ref", ref=row.provider_ref)

    def refund(self) -> None:
        row = self.some("recon.provider_transactions", "parent_ref IS NULL")
        kind = "payment" if row.provider == "nowpayments" else "refund"
        self.numbers += 1
        self.ledger.transaction(
            self.random.choice(("refunded", "failed", "paid", "partially_paid")), self.now, kind=kind,
            provider=row.provider, provider_ref=f"re_{self.numbers}", parent_ref=row.provider_ref,
            amount_received=Decimal(self.random.choice((5, 20))),
        )  # fmt: skip

    def match(self) -> None:
        row = self.some("recon.provider_transactions", "kind = 'deposit'")
        payment = self.some("public.payment_transactions", "payment_method = 'okx'")
        if row is None or payment is None:
            return
        self.do("DELETE FROM recon.deposit_matches WHERE provider_ref = :ref", ref=row.provider_ref)
        self.ledger.add(
            "recon.deposit_matches", provider="okx", account=row.account, provider_ref=row.provider_ref,
            state="matched", payment_ref=str(payment.id), method="exact", amount_share=20, deviation=0,
            outcome=self.random.choice(("full", "short")), evidence="x", digest=1, decided_at=self.now,
        )  # fmt: skip

    def dispute(self) -> None:
        row = self.some("recon.provider_transactions", "provider = 'stripe' AND NOT disputed AND kind = 'payment'")
        if row is not None:
            self.do("UPDATE recon.provider_transactions SET disputed = TRUE WHERE provider_ref = :r", r=row.provider_ref)
            self.ledger.dispute(row.provider_ref, self.random.choice(("lost", "won", "needs_response")))

    def event(self) -> None:
        choose = self.random.choice
        kind = choose(("canceled", "expired", "renewed"))
        status = {"renewed": "active"}.get(kind, "inactive")
        self.ledger.event(choose(self.users), kind, self.now, status, choose(TIERS))

    def webhook(self) -> None:
        row = self.some("public.payment_transactions")
        self.ledger.webhook(row.id, self.random.choice(("failed", "completed")), created_at=self.now)

    def live(self) -> None:
        """Time passes, and some things happen."""
        self.now += timedelta(seconds=self.random.choice(STEPS))
        ways: list[Callable[[], None]] = [
            self.payment, self.user_changes, self.payment_changes, self.payment_changes, self.payment_goes,
            self.object_changes, self.object_changes, self.object_goes, self.refund, self.match, self.dispute,
            self.event, self.webhook,
        ]  # fmt: skip
        for _ in range(self.random.randrange(6)):
            self.random.choice(ways)()


def refresh(ledger: Ledger, as_of: datetime, *reports: Report) -> dict[str, IntradayResult]:
    done = refresh_intraday(ledger.engine, reports or TOUCHED, as_of=as_of, overrides={}, run_id="run_1")
    return {one.name: one for one in done}


def stored(ledger: Ledger, report: Report) -> list[str]:
    with ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT * FROM reports.{report.name}").mappings().all()  # noqa: S608
    return told([dict(row) for row in rows])


def judged(ledger: Ledger, report: Report, as_of: datetime) -> list[str]:
    return told(look(ledger.engine, report, as_of=as_of, overrides={}))


def told(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(
        str({name: row[name] for name in sorted(row.keys() - AGEING - {"fingerprint"})}) for row in rows
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(int(os.environ.get("INTRADAY_SEED", "1")), int(os.environ.get("INTRADAY_SEED", "1")) + 2))
def test_after_random_changes_what_was_touched_leaves_what_a_full_run_would(ledger: Ledger, seed: int) -> None:
    town = Town(ledger, seed)
    for report in TOUCHED:
        materialise(ledger.engine, report, as_of=town.now, overrides={}, run_id="night")
    found = 0
    for turn in range(ROUNDS):
        town.live()
        refresh_provider_transactions(ledger.engine, town.now)
        done = refresh(ledger, town.now)
        for report in TOUCHED:
            assert (done[report.name].error, done[report.name].how) == (None, "touched")
            expected = judged(ledger, report, town.now)
            assert stored(ledger, report) == expected, (report.name, turn, town.now)
            found += len(expected)
    assert found

"""Between two nights: a report's table, brought up to date by what was touched, is what a full run would leave."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text

from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.reports import IntradayResult, Report, look, materialise, refresh_intraday
from payments_pipeline.reports.touched import collect
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, ago, shipped
from payments_pipeline_tests.reports.stripe_rows import intent

TOUCHED = [report for report in shipped().values() if report.intraday == "touched"]
# What counts time: in rows that nothing touched it stays as it was.
AGEING = {"seconds_since_payment"}
STATES = ("pending", "processing", "authorized", "paid", "paid", "paid", "refunded", "failed", "partially_paid")
STATUSES = ("pending", "processing", "succeeded", "succeeded", "completed", "failed", "refunded", "expired")
PERIODS = ("day", "week", "month", "month", "year", "lifetime")
TIERS = ("basic", "pro", "free")
STEPS = (5, 40, 130, 320, 1_000, 7_200, 40_000)
# More of them: make soak-intraday.
SEED, TOWNS = int(os.environ.get("INTRADAY_SEED", "1")), int(os.environ.get("INTRADAY_TOWNS", "1"))
ROUNDS = 12


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
            " access_override_until = :override, trial_ends_at = :trial, subscription_renewal_date = :renewal,"
            " subscription_updated_at = :now, updated_at = :now WHERE id = :id",
            id=choose(self.users), status=choose(("active", "inactive", "canceled")), tier=choose(TIERS), now=self.now,
            internal=self.random.random() < 0.1, trial=choose((None, None, self.now + timedelta(seconds=90))),
            renewal=choose((None, self.now + timedelta(days=2), self.now + timedelta(days=40))),
            override=choose((None, None, self.now + timedelta(seconds=60))),
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
            self.do(
                "UPDATE recon.provider_transactions SET disputed = TRUE WHERE provider_ref = :r", r=row.provider_ref
            )
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
    return sorted(str({name: row[name] for name in sorted(row.keys() - AGEING - {"fingerprint"})}) for row in rows)


@pytest.mark.parametrize("seed", range(SEED, SEED + TOWNS))
def test_after_random_changes_what_was_touched_leaves_what_a_full_run_would(ledger: Ledger, seed: int) -> None:
    town = Town(ledger, seed)
    refresh_provider_transactions(ledger.engine, town.now)
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
            odd = set(stored(ledger, report)) ^ set(expected)
            assert not odd, (report.name, turn, town.now, odd)
            found += len(expected)
    assert found


@pytest.fixture
def gap(ledger: Ledger) -> Ledger:
    """A payer without access, and the night's run that saw it."""
    ledger.payment(ledger.user(updated_at=ago(days=1)), ledger.plan(), "succeeded")
    ledger.transaction("paid")
    for name in (*(report.name for report in TOUCHED), "stuck_authorizations"):
        ledger.run(name)
    return ledger


def identity(ledger: Ledger, name: str) -> Any:
    with ledger.engine.connect() as connection:
        return connection.execute(text("SELECT to_regclass(:name)::oid"), {"name": f"reports.{name}"}).scalar_one()


def later(**span: float) -> datetime:
    return AS_OF + timedelta(**span)


def test_a_quiet_hour_changes_no_row_and_writes_no_history(gap: Ledger) -> None:
    def runs() -> int:
        with gap.engine.connect() as connection:
            query = "SELECT count(*) FROM recon.report_runs WHERE report = 'activation_gaps'"
            return int(connection.execute(text(query)).scalar_one())

    # What was written while a transaction of anybody's was open, also in other databases of the server, is looked at
    # once more; the columns that tell an age then move on.
    for minute in range(5, 60):
        before, done = runs(), refresh(gap, later(minutes=minute))
        if {(one.how, one.changed) for one in done.values()} == {("touched", 0)}:
            break
        time.sleep(1)
    assert {(one.how, one.changed) for one in done.values()} == {("touched", 0)}
    result = done["activation_gaps"].result
    assert result is not None
    assert result.rows == 1
    assert runs() == before


def test_access_given_since_ends_the_gap_in_the_same_table(gap: Ledger) -> None:
    until_touched(gap, [1] * 60)
    before = identity(gap, "activation_gaps")
    with gap.engine.begin() as connection:
        given = "UPDATE public.users SET subscription_status = 'active', subscription_tier = 'pro', updated_at = :now"
        connection.execute(text(given), {"now": later(minutes=1)})
    assert refresh(gap, later(minutes=5))["activation_gaps"].changed == 1
    assert stored(gap, shipped()["activation_gaps"]) == []
    assert identity(gap, "activation_gaps") == before


@pytest.mark.parametrize(
    ("said_of", "reference"), [("cs_1", "pi_1"), ("ch_1", "pi_1"), ("cs_1", None), ("pi_1", "cs_2")]
)
def test_a_webhook_that_names_a_checkout_or_a_charge_alone_is_news_of_its_payer(
    ledger: Ledger, said_of: str, reference: str | None
) -> None:
    user = ledger.user(updated_at=ago(days=1))
    payment = ledger.payment(user, ledger.plan(), "succeeded", transaction_id=reference)
    ledger.transaction("paid", payment_ref=str(payment), link_method="checkout")
    intent(ledger, "succeeded", charge_id="ch_1")
    ledger.add(
        "recon.stripe_checkout_sessions", account="acct_1", livemode=True, object_id="cs_1", payment_state="complete",
        payment_intent_id="pi_1", created_at=ago(days=1), read_at=AS_OF, digest=1,
    )  # fmt: skip

    def touched() -> list[int]:
        with ledger.engine.begin() as connection:
            now = str(connection.execute(text("SELECT pg_current_xact_id()")).scalar_one())
            grace = timedelta(minutes=5)
            assert collect(connection, changed_from=now, last=AS_OF, as_of=later(minutes=5), grace=grace)
            return list(connection.execute(text("SELECT user_id FROM pg_temp.touched_users")).scalars())

    assert touched() == []
    named = Jsonb({"data": {"object": {"id": said_of}}})
    ledger.webhook(None, "failed", webhook_data=named, created_at=later(minutes=1))
    assert touched() == [user]


def test_a_gap_ends_when_the_applications_own_date_has_passed(ledger: Ledger) -> None:
    report = shipped()["activation_gaps"]
    # Of a month that is counted as thirty days, on its last one.
    bought = AS_OF - timedelta(days=30, hours=2)
    user = ledger.user(updated_at=ago(days=30), subscription_renewal_date=later(minutes=3))
    ledger.payment(user, ledger.plan(), "succeeded", bought)
    ledger.transaction("paid", bought)
    assert ledger.run("activation_gaps").rows == 1
    refresh(ledger, later(minutes=5))
    assert stored(ledger, report) == judged(ledger, report, later(minutes=5)) == []


def test_a_hold_that_grows_old_is_seen_by_the_whole_query_in_the_same_table(gap: Ledger) -> None:
    gap.transaction("authorized", ago(days=6, hours=23), provider_ref="pi_2")
    before, report = identity(gap, "stuck_authorizations"), shipped()["stuck_authorizations"]
    done = refresh(gap, later(hours=2), report)["stuck_authorizations"]
    assert (done.how, done.changed) == ("full", 1)
    assert stored(gap, report) == judged(gap, report, later(hours=2))
    assert identity(gap, "stuck_authorizations") == before


@pytest.mark.parametrize(
    ("as_of", "overrides"),
    [(ago(hours=1), {}), (later(hours=13), {}), (later(minutes=1), {"grace_seconds": 10})],
    ids=["a look back", "too long ago", "another parameter"],
)
def test_what_the_last_run_does_not_bear_is_run_in_full(
    gap: Ledger, as_of: datetime, overrides: dict[str, Any]
) -> None:
    report = shipped()["activation_gaps"]
    given = {"activation_gaps": overrides}
    (done,) = refresh_intraday(gap.engine, [report], as_of=as_of, overrides=given, run_id=None)
    assert (done.how, done.changed) == ("anew", 1)


def test_after_a_load_that_nobody_noted_row_by_row_everything_is_looked_at(gap: Ledger) -> None:
    with gap.engine.begin() as connection:
        connection.execute(text("TRUNCATE recon.deposit_matches"))
    assert {one.how for one in refresh(gap, later(minutes=1)).values()} == {"anew"}
    until_touched(gap, range(2, 60))


def until_touched(ledger: Ledger, minutes: Iterable[int]) -> None:
    """Refresh until what was touched is enough.

    Only once every transaction before it has ended, also in other databases of the server, is a load behind us.
    """
    for minute in minutes:
        how = {one.how for one in refresh(ledger, later(minutes=minute)).values()}
        if how == {"touched"}:
            break
        time.sleep(1)
    assert how == {"touched"}


def test_a_nightly_report_is_left_alone_in_between(gap: Ledger) -> None:
    nightly = [report for report in shipped().values() if report.intraday == "nightly"]
    assert nightly
    assert refresh(gap, later(minutes=1), *nightly) == {}


def test_one_report_that_fails_keeps_no_other_from_being_refreshed(gap: Ledger) -> None:
    until_touched(gap, [1] * 60)  # a report that is made anew would mend the column
    with gap.engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE reports.out_of_sync_payments ALTER COLUMN payment_id TYPE date USING NULL")
        )
    gap.user()
    done = refresh(gap, later(minutes=1))
    assert done["activation_gaps"].error is None
    gap.payment(1, None, "failed", later(minutes=2), transaction_id="pi_3")
    gap.transaction("paid", provider_ref="pi_3")
    done = refresh(gap, later(minutes=9))
    assert "out_of_sync_payments.sql failed" in str(done["out_of_sync_payments"].error)
    assert done["activation_gaps"].error is None


def test_of_two_refreshes_at_once_one_waits_and_nothing_is_doubled(gap: Ledger) -> None:
    until_touched(gap, [1] * 60)
    gap.payment(gap.user(), 1, "succeeded", later(minutes=-30), transaction_id="pi_2", updated_at=later(minutes=1))
    gate = threading.Barrier(3)

    def run(_: int) -> dict[str, IntradayResult]:
        gate.wait()
        return refresh(gap, later(minutes=2))

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(run, range(3)))
    # One of them finds the new gap; it may also bring the age of the old one up to now (see the quiet hour above).
    assert sum(one["activation_gaps"].changed > 0 for one in done) == 1
    assert len(stored(gap, shipped()["activation_gaps"])) == 2

"""Entitlements: what each user should have by the money, held against a second opinion over random life stories."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from payments_pipeline.ingest.entitlements import refresh_entitlements
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.ingest.entitlement_oracle import Due, Event, Life, Payment, Plan, judge
from payments_pipeline_tests.reports.ledger import Ledger, ago

PLANS = [
    Plan("basic", "month"),
    Plan("pro", "month"),
    Plan("pro", "year"),
    Plan("basic", "week"),
    Plan("premium", "lifetime"),
]
EVENTS = {
    "activated": ("activated", "active", None),
    "canceled_now": ("canceled", "canceled", "free"),
    "canceled_later": ("canceled", "active", None),
    "downgraded": ("plan_changed", "active", "basic"),
    "suspended": ("suspended", "suspended", "free"),
    "expired": ("expired", "expired", "free"),
    "note": ("note", None, None),
}


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture
def book(ledger: Ledger) -> Book:
    return Book(ledger)


class Book:
    """Writes lives down; plans come first, a plan that is None is not there any more."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.engine = ledger.engine
        self.plans = {plan: ledger.plan(plan.tier, plan.period) for plan in PLANS}
        self.count = 0
        self.stranger = ledger.user()

    def write(self, life: Life) -> tuple[int, list[int]]:
        user = self.ledger.user("active" if life.has_access else "inactive", "free")
        payments = [self._payment(user, payment) for payment in life.payments]
        for event in life.events:
            kind, status, tier = EVENTS[event.kind]
            newest = judge(Life(life.payments), AS_OF)
            if kind == "activated":
                tier = None if newest is None else newest.tier
            self.ledger.add("public.subscription_events", user_id=user, event_type=kind, new_status=status,
                            new_tier=tier, created_at=event.at)  # fmt: skip
        return user, payments

    def _payment(self, user: int, payment: Payment) -> int:
        self.count += 1
        ref, plan = f"pi_{self.count}", 999 if payment.plan is None else self.plans[payment.plan]
        confirmed = payment.at if payment.here == "succeeded" else None
        number = self.ledger.payment(user, plan, payment.here, payment.at, transaction_id=ref, confirmed_at=confirmed)
        if payment.shared:
            self.ledger.payment(self.stranger, None, "pending", payment.at, transaction_id=ref)
        if payment.there is not None:
            back = {"none": 0, "part": 7, "all": 20}[payment.back] if payment.there == "paid" else 0
            state = "refunded" if back == 20 else payment.there
            disputed = payment.dispute != "none" and payment.there == "paid"
            self.ledger.transaction(state, payment.at, provider_ref=ref, amount_refunded=back, disputed=disputed,
                                    paid_at=payment.at)  # fmt: skip
            if disputed:
                words = {"open": "needs_response", "won": "won", "lost": "lost"}
                self.ledger.dispute(ref, words[payment.dispute])
        return number

    def rows(self) -> dict[str, dict[str, Any]]:
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM recon.entitlements")).mappings()
            return {row["user_ref"]: dict(row) for row in rows}

    def the_row(self) -> dict[str, Any]:
        (row,) = self.rows().values()
        return row


def moments(newest: int, oldest: int) -> st.SearchStrategy[datetime]:
    return st.integers(newest, oldest).map(lambda hours: ago(hours=hours, minutes=1))


PAYMENTS = st.builds(
    Payment,
    plan=st.sampled_from([*PLANS, *PLANS, None]),
    at=moments(-30, 24 * 50),
    here=st.sampled_from(["succeeded", "succeeded", "succeeded", "pending", "refunded", "failed"]),
    there=st.sampled_from(["paid", "paid", "paid", "pending", "authorized", "canceled", None]),
    back=st.sampled_from(["none", "none", "none", "part", "all"]),
    dispute=st.sampled_from(["none", "none", "none", "open", "won", "lost"]),
    shared=st.sampled_from([False, False, False, True]),
)
EVENTS_SINCE = st.builds(
    Event,
    kind=st.sampled_from(list(EVENTS)),
    at=moments(-10, 24 * 40).map(lambda at: at + timedelta(seconds=7)),
)
LIVES = st.builds(
    Life,
    payments=st.lists(PAYMENTS, max_size=4, unique_by=lambda payment: payment.at),
    events=st.lists(EVENTS_SINCE, max_size=3, unique_by=lambda event: event.at),
    has_access=st.booleans(),
)  # fmt: skip


def told(row: dict[str, Any] | None, payments: list[int]) -> Due | None:
    """A row in the oracle's words; when returned money went back is not part of the comparison."""
    if row is None:
        return None
    number = payments.index(int(row["payment_ref"]))
    until = None if "refunded by" in row["why"] or "lost in a dispute" in row["why"] else row["entitled_until"]
    return Due(row["is_entitled"], row["tier"], row["entitled_from"], until, number)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(LIVES, min_size=1, max_size=6))
def test_any_life_is_judged_as_plain_python_judges_it(book: Book, lives: list[Life]) -> None:
    written = [book.write(life) for life in lives]
    refresh_entitlements(book.engine, AS_OF, [user for user, _ in written])
    rows = book.rows()
    for life, (user, payments) in zip(lives, written, strict=True):
        assert told(rows.get(str(user)), payments) == judge(life, AS_OF), life


def paid(days: float, plan: Plan | None = PLANS[1], **columns: Any) -> Payment:
    return Payment(plan, ago(days=days), **{"here": "succeeded", "there": "paid"} | columns)


def test_the_row_says_what_until_when_and_why(book: Book) -> None:
    user, (payment,) = book.write(Life([paid(5, back="part")]))
    assert refresh_entitlements(book.engine, AS_OF).rows_written == 1
    row = book.the_row()
    assert (row["user_ref"], row["is_entitled"], row["tier"], row["plan_name"]) == (str(user), True, "pro", "pro month")
    assert (row["entitled_from"], row["entitled_until"]) == (ago(days=5), ago(days=5) + timedelta(days=31))
    assert row["why"] == f"paid by payment {payment} of 20.00 USD, of which 7 were refunded: a part keeps access"
    assert row["judged_at"] == AS_OF


@pytest.mark.parametrize(
    ("life", "entitled", "why"),
    [
        (Life([paid(5, back="all")]), False, "refunded by payment"),
        (Life([paid(5, dispute="lost")]), False, "lost in a dispute by payment"),
        (Life([paid(5)], [Event("suspended", ago(days=1))]), False, "ended by suspended after it was paid"),
        (Life([paid(5)], [Event("canceled_later", ago(days=1))]), True, "canceled since, kept until the end"),
        (Life([paid(5, plan=None)]), True, "for a plan that is not known"),
    ],
)
def test_the_reason_is_in_words(book: Book, life: Life, entitled: bool, why: str) -> None:
    book.write(life)
    refresh_entitlements(book.engine, AS_OF)
    assert book.the_row()["is_entitled"] is entitled
    assert why in book.the_row()["why"]


def test_a_repeated_refresh_writes_nothing_and_one_of_some_users_ends_the_same(book: Book) -> None:
    written = [book.write(Life([paid(days)])) for days in (1, 40, 3)]
    refresh_entitlements(book.engine, AS_OF)
    before = book.rows()
    assert len(before) == 2
    again = refresh_entitlements(book.engine, AS_OF + timedelta(seconds=5))
    assert (again.rows_written, again.rows_removed, book.rows()) == (0, 0, before)
    with book.engine.begin() as connection:
        connection.execute(text("TRUNCATE recon.entitlements"))
    refresh_entitlements(book.engine, AS_OF, [user for user, _ in written])
    assert book.rows() == before


def test_what_has_lapsed_loses_its_row(book: Book) -> None:
    (first, _), (second, _) = book.write(Life([paid(1)])), book.write(Life([paid(20)]))
    refresh_entitlements(book.engine, AS_OF)
    later = AS_OF + timedelta(days=15)
    assert refresh_entitlements(book.engine, later, [first]).rows_removed == 0
    assert set(book.rows()) == {str(first), str(second)}
    assert refresh_entitlements(book.engine, later, [second]).rows_removed == 1
    assert set(book.rows()) == {str(first)}
    assert refresh_entitlements(book.engine, AS_OF + timedelta(days=60)).rows_removed == 1

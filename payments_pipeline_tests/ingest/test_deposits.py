"""Verdicts on deposits as they are stored: once, again after a change, by two at once, and for many."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, Table, text
from sqlalchemy.exc import IntegrityError

from payments_pipeline.core.deposits import Rules
from payments_pipeline.ingest.deposits import Matching, refresh_deposit_matches
from payments_pipeline_tests.conftest import AS_OF

PAID = AS_OF - timedelta(hours=3)
DEPOSIT: dict[str, Any] = {
    "provider": "okx", "account": "1", "kind": "deposit", "livemode": True, "state": "paid", "raw_status": "2",
    "currency": "USDT", "network": "USDT-TRC20", "amount": Decimal(50), "deposit_address": "T1",
    "provider_created_at": PAID + timedelta(minutes=10), "state_changed_at": PAID, "read_at": AS_OF,
}  # fmt: skip
PAYMENT: dict[str, Any] = {
    "payment_method": "OKX", "status": "pending", "amount": 50, "currency": "USD", "crypto_currency": "usdt",
    "crypto_amount": Decimal(50), "deposit_address": "T1", "network": "TRX", "created_at": PAID,
    "expires_at": PAID + timedelta(hours=1),
}  # fmt: skip


class Till:
    """Takes deposits and payments in, and shows the verdicts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def deposit(self, ref: str, **changes: Any) -> None:
        self._add("recon", "provider_transactions", DEPOSIT | {"provider_ref": ref} | changes)

    def payment(self, number: int, **changes: Any) -> None:
        self._add("public", "payment_transactions", PAYMENT | {"id": number} | changes)

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def refresh(self, rules: Rules | None = None) -> Matching:
        return refresh_deposit_matches(self.engine, AS_OF, rules)

    def verdicts(self) -> dict[str, tuple[Any, ...]]:
        statement = text("SELECT * FROM recon.deposit_matches ORDER BY provider_ref")
        with self.engine.connect() as connection:
            rows = connection.execute(statement).all()
        return {
            row.provider_ref: (row.state, row.payment_ref or row.candidates, row.method or row.reason) for row in rows
        }

    def _add(self, schema: str, name: str, values: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(Table(name, MetaData(), schema=schema, autoload_with=connection).insert(), values)


@pytest.fixture
def till(engine: Engine) -> Till:
    return Till(engine)


def test_a_deposit_is_matched_and_the_verdict_says_why(till: Till) -> None:
    till.deposit("d1", amount=Decimal("49.5"))
    till.payment(1)
    result = till.refresh()
    assert (result.judged, result.written, result.states) == (1, 1, {"matched": 1})
    with till.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM recon.deposit_matches")).one()
    assert (row.payment_ref, row.method, row.outcome, row.decided_at) == ("1", "tolerance", "full", AS_OF)
    assert (row.amount_share, row.deviation) == (Decimal("49.5"), Decimal("-0.01"))
    assert row.evidence == "49.5 USDT on USDT-TRC20 for 50 USDT: the sum within the tolerance"


@pytest.mark.parametrize(
    "changes",
    [{"state": "processing", "raw_status": "1"}, {"state": "frozen", "raw_status": "12"}, {"vanished_at": AS_OF}],
)
def test_only_what_is_final_and_still_there_counts(till: Till, changes: dict[str, Any]) -> None:
    till.deposit("d1", **changes)
    till.payment(1)
    till.refresh()
    assert till.verdicts() == {}


def test_a_repeated_refresh_judges_and_writes_nothing(till: Till) -> None:
    till.deposit("d1")
    till.deposit("d2", deposit_address="T2")
    till.payment(1)
    till.refresh()
    assert (till.refresh().judged, till.refresh().written) == (0, 0)


def test_only_what_a_change_touches_is_judged_again(till: Till) -> None:
    for number in range(1, 4):
        till.deposit(f"d{number}", deposit_address=f"T{number}")
        till.payment(number, deposit_address=f"T{number}")
    till.refresh()
    till.payment(4, deposit_address="T2")
    result = till.refresh()
    assert (result.judged, result.written) == (1, 1)
    assert till.verdicts()["d2"] == ("ambiguous", "2, 4", "two_payments")
    till.run("UPDATE public.payment_transactions SET deposit_address = 'T9' WHERE id = 4")
    till.refresh()
    assert till.verdicts()["d2"] == ("matched", "2", "exact")
    till.run("DELETE FROM public.payment_transactions WHERE id = 2")
    till.refresh()
    assert till.verdicts()["d2"] == ("unmatched", None, "no_payment")


def test_a_deposit_that_was_taken_back_frees_its_payment_for_another(till: Till) -> None:
    till.deposit("d1")
    till.deposit("d2")
    till.payment(1)
    till.payment(2, crypto_amount=7777)
    till.refresh()
    assert {verdict[0] for verdict in till.verdicts().values()} == {"ambiguous"}
    till.run("UPDATE recon.provider_transactions SET state = 'frozen' WHERE provider_ref = 'd1'")
    till.refresh()
    assert till.verdicts() == {"d2": ("matched", "1", "exact")}


def test_a_payment_that_names_a_deposit_elsewhere_draws_both_addresses_in(till: Till) -> None:
    till.deposit("d1", deposit_address="T1", tx_hash="h1")
    till.payment(1)
    till.refresh()
    assert till.verdicts()["d1"][1] == "1"
    till.payment(2, deposit_address="T2", transaction_id="d1")
    till.refresh()
    assert till.verdicts()["d1"] == ("matched", "2", "tx_hash")
    till.run("UPDATE public.payment_transactions SET tx_hash = 'h1' WHERE id = 1")
    till.refresh()
    assert till.verdicts()["d1"] == ("ambiguous", "1, 2", "named_twice")


def test_addresses_are_the_same_in_any_case_only_where_case_means_nothing(till: Till) -> None:
    ether = {"crypto_currency": "USDT", "network": "ERC20"}
    till.deposit("d1", deposit_address="0xABC1", network="USDT-ERC20")
    till.payment(1, deposit_address="0xabc1", **ether)
    till.deposit("d2", deposit_address="TABC")
    till.payment(2, deposit_address="Tabc")
    till.refresh()
    assert till.verdicts() == {"d1": ("matched", "1", "exact"), "d2": ("unmatched", None, "no_payment")}


def test_transfer_within_the_exchange_is_known_by_its_sender(till: Till) -> None:
    till.deposit("d1", network=None)
    till._add(
        "recon", "okx_deposits",
        {
            "account": "1", "livemode": True, "object_id": "d1", "status": "2", "currency": "USDT", "amount": 50,
            "from_address": "treasury@example.com", "created_at": PAID, "read_at": AS_OF, "digest": 1,
        },
    )  # fmt: skip
    till.payment(1)
    till.refresh()
    assert till.verdicts()["d1"] == ("ambiguous", "1", "internal_fits")


def test_other_rules_have_everything_judged_again(till: Till) -> None:
    till.deposit("d1", amount=Decimal("49.5"))
    till.payment(1)
    till.refresh()
    strict = Rules(tolerance_by_coin={"USDT": Decimal("0.001")})
    assert till.refresh(strict).written == 1
    assert till.verdicts()["d1"] == ("matched", "1", "address")


def test_a_deposit_settles_one_payment_for_the_database_too(till: Till) -> None:
    till.deposit("d1")
    till.payment(1)
    till.refresh()
    with pytest.raises(IntegrityError, match="deposit_matches_pkey"):
        till.run(
            "INSERT INTO recon.deposit_matches (provider, account, provider_ref, state, payment_ref, method, outcome,"
            " evidence, digest, decided_at) VALUES ('okx', '1', 'd1', 'matched', '2', 'exact', 'full', '', 1, :at)",
            at=AS_OF,
        )


def test_two_refreshes_at_once_end_as_one_would(till: Till) -> None:
    for number in range(1, 60):
        till.deposit(f"d{number}", deposit_address=f"T{number}")
        till.payment(number, deposit_address=f"T{number}")
    results: list[Matching] = []
    workers = [threading.Thread(target=lambda: results.append(till.refresh())) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(result.written for result in results) == [0, 59]
    assert {verdict[0] for verdict in till.verdicts().values()} == {"matched"}

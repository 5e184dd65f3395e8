"""Keeps recon.deposit_matches in line with the deposits and the application's payments.

Belongs here: what is judged again, and writing the verdicts. Does not belong here: how a deposit is judged
(core/matching.py). Only groups are judged in which something changed since: a deposit or payment that is new, looks
different or is gone, with all that shares an address with it or names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping

from payments_pipeline.core.deposits import Deposit, Payment, Reason, Rules, Verdict, expected, written
from payments_pipeline.core.matching import match
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql

# Steps from one thing to another that may compete with it; each takes in all that the one before touched.
_SPREAD = ("spread_to_payments", "spread_to_deposits", "spread_to_places")
_SHOWN = 5
TIDY_FROM = 1_000
"""Verdicts written from which on the tables are vacuumed at once instead of waiting for the server to do so."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What a refresh did.

    Attributes:
        judged: deposits judged again. written: verdicts that were new or different, or fell away.
        states: of those judged, how many are matched, ambiguous, unmatched.
    """

    as_of: datetime
    judged: int
    written: int
    states: Mapping[str, int]


def refresh_deposit_matches(engine: Engine, as_of: datetime, rules: Rules | None = None) -> Matching:
    """Judge what changed. One transaction; a repeated refresh judges nothing. Two at once: one waits.

    Args:
        as_of: kept with the verdicts, UTC. The verdicts depend on deposits and payments alone.
        rules: None: those of `Rules`. Other rules than last time have everything judged again.
    """
    with engine.begin() as connection:
        result = _refreshed(connection, as_of, rules or Rules())
    if result.written >= TIDY_FROM:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(named("canonical/deposits/tidy.sql"))
    return result


def _refreshed(connection: Connection, as_of: datetime, rules: Rules) -> Matching:
    told = {"rules": repr(rules)}
    _run(connection, "lock")
    for step in ("arrived", "waiting"):
        connection.execute(named(f"canonical/deposits/{step}.sql"), told)
    for step in ("touched_deposits", "touched_payments"):
        _run(connection, step)
    if not _touched(connection):
        return Matching(as_of, 0, 0, {})
    for step in ("touched_places", "index_arrived", "index_waiting", "analyze"):
        _run(connection, step)
    while sum(_run(connection, step) for step in _SPREAD):
        pass
    return _judge(connection, as_of, rules)


def _touched(connection: Connection) -> bool:
    return bool(connection.execute(named("canonical/deposits/any_touched.sql")).scalar())


def _run(connection: Connection, step: str) -> int:
    return connection.execute(named(f"canonical/deposits/{step}.sql")).rowcount


def _judge(connection: Connection, as_of: datetime, rules: Rules) -> Matching:
    arrived = connection.execute(named("canonical/deposits/read_deposits.sql")).mappings().all()
    waiting = connection.execute(named("canonical/deposits/read_payments.sql")).mappings().all()
    deposits = [_deposit(str(number), row) for number, row in enumerate(arrived)]
    payments = {row["payment_ref"]: _payment(row) for row in waiting}
    verdicts = match(deposits, payments.values(), rules)
    _run(connection, "judged")
    with (
        driver_connection(connection).cursor() as cursor,
        cursor.copy(read_sql("canonical/deposits/copy_judged.sql").encode()) as copy,
    ):
        for verdict in verdicts:
            copy.write_row(_row(verdict, arrived[int(verdict.deposit)], payments))
    rows = _run(connection, "forget")
    rows += connection.execute(named("canonical/deposits/store.sql"), {"as_of": as_of}).rowcount
    _run(connection, "forget_payments")
    _run(connection, "store_payments")
    return Matching(as_of, len(verdicts), rows, Counter(verdict.state for verdict in verdicts))


def _deposit(ref: str, row: RowMapping) -> Deposit:
    return written(
        ref,
        id=row["provider_ref"],
        asset=row["currency"],
        chain=row["network"],
        to=row["deposit_address"],
        tag=row["deposit_tag"],
        tx_hash=row["tx_hash"],
        amount=row["amount"],
        at=row["provider_created_at"],
        internal=row["is_internal"],
    )


def _payment(row: RowMapping) -> Payment:
    return expected(
        row["payment_ref"],
        asset=row["crypto_currency"],
        chain=row["network"],
        to=row["deposit_address"],
        tag=row["deposit_tag"],
        amount=row["crypto_amount"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        named=frozenset(name for name in (row["provider_ref"], row["tx_hash"]) if name),
        closed=row["is_closed"],
        payer=row["payer"],
    )


def _row(verdict: Verdict, deposit: RowMapping, payments: Mapping[str, Payment]) -> tuple[object, ...]:
    return (
        deposit["provider"],
        deposit["account"],
        deposit["provider_ref"],
        verdict.state,
        verdict.payment,
        verdict.method,
        deposit["amount"] if verdict.payment else None,
        verdict.deviation,
        verdict.outcome,
        verdict.late,
        verdict.reason,
        _listed(verdict.candidates) or None,
        _evidence(verdict, deposit, payments),
        deposit["digest"],
    )


def _listed(candidates: Iterable[str]) -> str:
    named_first = sorted(candidates, key=lambda ref: (len(ref), ref))
    more = len(named_first) - _SHOWN
    return ", ".join(named_first[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _evidence(verdict: Verdict, deposit: RowMapping, payments: Mapping[str, Payment]) -> str:
    """The verdict in words: what came where, what was expected, and why that is or is not the same."""
    came = f"{deposit['amount']:f} {deposit['currency']} on {deposit['network'] or 'no network'}"
    if verdict.payment is not None:
        payment = payments[verdict.payment]
        asked = "an unknown sum" if payment.amount is None else f"{payment.amount:f} {payment.coin or ''}".rstrip()
        return f"{came} for {asked}: {_METHODS[verdict.method or '']}"
    assert verdict.reason is not None  # noqa: S101  (it is one or the other)
    return f"{came}: {_REASONS[verdict.reason]}"


_METHODS = {
    "exact": "the very sum",
    "tolerance": "the sum within the tolerance",
    "split": "with other deposits the sum",
    "tx_hash": "the application named this deposit",
    "address": "nobody else waited at this address",
}
_REASONS = {
    Reason.TWO_PAYMENTS: "it fits more than one payment, or more than one deposit fits the payment",
    Reason.NAMED_TWICE: "more than one payment names it as its own",
    Reason.INTERNAL_FITS: "a transfer within the exchange that fits a payment",
    Reason.INTERNAL: "a transfer within the exchange",
    Reason.WRONG_ASSET: "the payment it may be for waits for another coin",
    Reason.WRONG_NETWORK: "the payment it may be for waits for another network",
    Reason.MEMO_MISSING: "the memo that would say whose it is is missing",
    Reason.ALREADY_SETTLED: "the payment at this address is settled already",
    Reason.NO_PAYMENT: "no payment waits for it",
}

"""The words of deposit matching: a deposit, a payment that waits for one, the rules, and the verdict on a deposit.

Belongs here: these four, and what follows from one deposit and one payment alone. Does not belong here: choosing among
several (matching.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from payments_pipeline.core.networks import address, coin, network, networks_agree


class Reason(StrEnum):
    """Why a deposit settles nothing by itself."""

    TWO_PAYMENTS = "two_payments"
    NAMED_TWICE = "named_twice"
    INTERNAL_FITS = "internal_fits"
    INTERNAL = "internal"
    WRONG_ASSET = "wrong_asset"
    WRONG_NETWORK = "wrong_network"
    MEMO_MISSING = "memo_missing"
    ALREADY_SETTLED = "already_settled"
    NO_PAYMENT = "no_payment"


REVIEW = frozenset({Reason.TWO_PAYMENTS, Reason.NAMED_TWICE, Reason.INTERNAL_FITS})
"""Reasons that read `ambiguous`: the money may well be a payment's, and a person says which one's."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as paid.

    Attributes:
        tolerance: part of the expected sum that may be missing or too much; a fee on the way (C1).
        tolerance_by_coin: the same for single coins, upper-case codes.
        early: a deposit may be dated that long before its payment: two clocks.
        open_for: how long a payment without an expiry waits.
        late: how long after its end it may still be matched by amount, on an address that several payments share.
        most_parts: deposits that may add up to one payment there.
        crowd: with more payments than this for one deposit to choose from, a person chooses.
    """

    tolerance: Decimal = Decimal("0.02")
    tolerance_by_coin: Mapping[str, Decimal] = field(default_factory=dict)
    early: timedelta = timedelta(minutes=5)
    open_for: timedelta = timedelta(days=1)
    late: timedelta = timedelta(days=7)
    most_parts: int = 4
    crowd: int = 40

    def tolerance_of(self, code: str | None) -> Decimal:
        """The part that may be missing in this coin."""
        return self.tolerance_by_coin.get(code or "", self.tolerance)


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money that reached the exchange for good. Coin, network and address are as `networks` writes them.

    Attributes:
        ref: tells deposits apart; anything unique. id, tx_hash: by which a payment may name it.
        amount: whole coins. internal: it came from another account of the exchange.
    """

    ref: str
    id: str
    coin: str | None
    network: str | None
    address: str | None
    tag: str | None
    tx_hash: str | None
    amount: Decimal
    at: datetime
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """What the application expects. `amount` in whole coins, None where it did not say.

    Attributes:
        named: ids and transaction hashes of deposits that the application itself wrote down.
        closed: the application gave it up (failed, canceled, expired).
        payer: whose it is; None where the application does not say.
    """

    ref: str
    coin: str | None
    network: str | None
    address: str | None
    tag: str | None
    amount: Decimal | None
    created_at: datetime
    expires_at: datetime | None = None
    named: frozenset[str] = frozenset()
    closed: bool = False
    payer: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a deposit.

    Attributes:
        payment: whose it is; None unless matched.
        method: exact, tolerance, split, tx_hash (the application named it) or address (nobody else's address); None
            unless matched.
        deviation: of all that came for the payment from what was expected, as a part of it: -0.2 is a fifth short.
            None unless matched and the expected sum is known.
        outcome: full, short or over under the tolerance, of all that came for the payment; None unless matched.
        late: it came after the payment's expiry, or the application had given the payment up.
        reason: None where matched. candidates: payments a person should look at.
    """

    deposit: str
    payment: str | None = None
    method: str | None = None
    deviation: Decimal | None = None
    outcome: str | None = None
    late: bool = False
    reason: Reason | None = None
    candidates: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """matched, ambiguous or unmatched."""
        if self.reason is None:
            return "matched"
        return "ambiguous" if self.reason in REVIEW else "unmatched"


def outcome_of(deviation: Decimal | None, tolerance: Decimal) -> str:
    """full, short or over; where nobody said what was expected, full."""
    if deviation is None or abs(deviation) <= tolerance:
        return "full"
    return "short" if deviation < 0 else "over"


def method_of(deviation: Decimal | None, parts: int, tolerance: Decimal) -> str:
    """By what a payment has its deposits, so many, that it did not name."""
    if deviation is None or abs(deviation) > tolerance:
        return "address"
    if parts > 1:
        return "split"
    return "exact" if deviation == 0 else "tolerance"


def same_asset(deposit: Deposit, payment: Payment) -> bool:
    """The coin that was asked for; where the application names none, any."""
    return payment.coin is None or payment.coin == deposit.coin


def same_network(deposit: Deposit, payment: Payment) -> bool:
    """No contradiction between the networks; within the exchange there is none."""
    return deposit.internal or networks_agree(deposit.network, payment.network)


def same_tag(deposit: Deposit, payment: Payment) -> bool:
    """The memo that was asked for (C9); where the application recorded none, any."""
    return payment.tag is None or payment.tag == deposit.tag


def same_place(deposit: Deposit, payment: Payment) -> bool:
    """One transaction may pay several addresses: the hash alone does not say which."""
    return payment.address in {None, deposit.address} and same_tag(deposit, payment)


def same_money(deposit: Deposit, payment: Payment) -> bool:
    """The coin and the memo."""
    return same_asset(deposit, payment) and same_tag(deposit, payment)


def other_network(deposit: Deposit, payment: Payment) -> bool:
    """All as asked for, but over another network (C8)."""
    return same_asset(deposit, payment) and same_tag(deposit, payment) and not same_network(deposit, payment)


def other_coin(deposit: Deposit, payment: Payment) -> bool:
    """Another coin than was asked for (C8)."""
    return not same_asset(deposit, payment) and same_tag(deposit, payment)


def without_memo(deposit: Deposit, payment: Payment) -> bool:
    """All as asked for, but without the memo (C9)."""
    return (
        deposit.tag is None
        and payment.tag is not None
        and same_asset(deposit, payment)
        and same_network(deposit, payment)
    )


def ends_at(payment: Payment, rules: Rules) -> datetime:
    """Until when the payment waits."""
    return payment.expires_at or payment.created_at + rules.open_for


def begun(deposit: Deposit, payment: Payment, rules: Rules) -> bool:
    """The payment existed when the deposit came."""
    return deposit.at >= payment.created_at or deposit.at >= payment.created_at - rules.early


def in_time(deposit: Deposit, payment: Payment, rules: Rules) -> bool:
    """The payment was waiting when the deposit came."""
    return begun(deposit, payment, rules) and deposit.at <= ends_at(payment, rules)


def written(
    ref: str,
    *,
    id: str,  # noqa: A002  (what the exchange calls it)
    asset: str,
    chain: str | None,
    to: str | None,
    tag: str | None,
    tx_hash: str | None,
    amount: Decimal,
    at: datetime,
    internal: bool,
) -> Deposit:
    """A deposit from an exchange's own spellings."""
    return Deposit(
        ref, id, coin(asset), network(chain, asset), address(to), tag or None, tx_hash or None, amount, at, internal
    )


def expected(
    ref: str,
    *,
    asset: str | None,
    chain: str | None,
    to: str | None,
    tag: str | None,
    amount: Decimal | None,
    created_at: datetime,
    expires_at: datetime | None,
    named: frozenset[str],
    closed: bool,
    payer: str | None = None,
) -> Payment:
    """A payment from an application's own spellings. An amount of nothing is no amount."""
    return Payment(
        ref, coin(asset), network(chain, asset), address(to), tag or None, amount or None, created_at, expires_at,
        named, closed, payer,
    )  # fmt: skip

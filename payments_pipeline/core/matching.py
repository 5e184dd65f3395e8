"""Which deposit settles which payment: the best assignment of all, never the first to come, and never a guess.

Belongs here: the order of the steps and what each takes for sure. Does not belong here: reading or storing anything. In
order: what the application itself named; addresses that only one payment has; one deposit for one payment, best
overall; sums of several; the one payment that waited. Each deposit goes to one payment at most (C7); where two
assignments are equally good it goes to none, but to a person (C6). The order of the input means nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.core.assignment import Cost, Pair, assign
from payments_pipeline.core.deposits import (
    Deposit,
    Payment,
    Reason,
    Rules,
    Verdict,
    begun,
    ends_at,
    in_time,
    method_of,
    other_coin,
    other_network,
    outcome_of,
    same_asset,
    same_money,
    same_network,
    same_place,
    same_tag,
    without_memo,
)
from payments_pipeline.core.sums import Option, settle, sums_to

_FINE = 10**9
_SHOWN = 5
# What comes for the only payment that waits at a shared address, short or over, is its own within these parts.
_LEAST_PART, _MOST_PART = Decimal("0.5"), Decimal(2)


def match(deposits: Iterable[Deposit], payments: Iterable[Payment], rules: Rules | None = None) -> list[Verdict]:
    """Judge deposits that are final against payments that wait for some, or did.

    Args:
        deposits, payments: whole groups: all that share an address with one of them, or name one another. Groups can
            be judged apart, with the same verdicts.

    Returns:
        One verdict a deposit, in order of `Deposit.ref`.
    """
    return _Matching(deposits, payments, rules or Rules()).verdicts()


class _Matching:
    def __init__(self, deposits: Iterable[Deposit], payments: Iterable[Payment], rules: Rules) -> None:
        self._rules = rules
        self._deposits = sorted(deposits, key=lambda deposit: deposit.ref)
        self._payments = sorted(payments, key=lambda payment: payment.ref)
        self._left = dict(enumerate(self._deposits))
        self._got: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self._verdict: dict[int, Verdict] = {}
        self._in_review: set[int] = set()
        self._at: dict[str, list[tuple[datetime, int]]] = {}
        self._tagged: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        self._longest: dict[str, timedelta] = defaultdict(timedelta)
        self._ends = [ends_at(payment, rules) for payment in self._payments]
        for number, payment in enumerate(self._payments):
            if payment.address is not None:
                self._at.setdefault(payment.address, []).append((payment.created_at, number))
                self._tagged[payment.address, payment.tag].append(number)
                wait = self._ends[number] - payment.created_at
                self._longest[payment.address] = max(wait, self._longest[payment.address])
        for there in self._at.values():
            there.sort()
        self._by_need: dict[tuple[str, str | None], list[tuple[Decimal, int]]] = {}

    def verdicts(self) -> list[Verdict]:
        self._take_named()
        self._take_own_addresses()
        self._take_whole()
        self._take_sums()
        self._take_the_only_one_waiting()
        for number in list(self._left):
            self._explain(number)
        for number, parts in self._got.items():
            self._word(number, parts)
        return [self._verdict[number] for number in range(len(self._deposits))]

    # What each step may use

    def _need(self, number: int) -> Decimal | None:
        """What is still missing of a payment; None where the application does not say what it expects."""
        amount = self._payments[number].amount
        parts = self._got.get(number, ())
        return None if amount is None else amount - sum(self._deposits[part].amount for part, _ in parts)

    def _is_settled(self, number: int) -> bool:
        payment, need = self._payments[number], self._need(number)
        if need is None or payment.amount is None:
            return number in self._got
        return need <= payment.amount * self._rules.tolerance_of(payment.coin)

    def _give(self, deposit: int, payment: int, method: str) -> None:
        self._got[payment].append((deposit, method))
        del self._left[deposit]

    def _review(self, deposit: int, reason: Reason, candidates: Iterable[int]) -> None:
        numbers = sorted(set(candidates))
        self._verdict[deposit] = Verdict(
            self._deposits[deposit].ref,
            reason=reason,
            candidates=tuple(self._payments[number].ref for number in numbers[: self._rules.crowd]),
        )
        del self._left[deposit]

    def _fits(self, deposit: Deposit, payment: Payment) -> bool:
        """All but the amount and the end of the wait."""
        return (
            begun(deposit, payment, self._rules)
            and not deposit.internal
            and deposit.address == payment.address
            and same_asset(deposit, payment)
            and same_network(deposit, payment)
            and same_tag(deposit, payment)
        )

    # The steps

    def _take_named(self) -> None:
        """The application wrote down the exchange's id, or the transaction's hash, of its deposit."""
        naming: dict[str, list[int]] = defaultdict(list)
        for number, payment in enumerate(self._payments):
            for name in payment.named:
                naming[name].append(number)
        ids = {deposit.id for deposit in self._deposits}
        for number, deposit in enumerate(self._deposits):
            by_hash = (
                p
                for p in naming.get(deposit.tx_hash or "", ())
                if not self._payments[p].named & ids and same_place(deposit, self._payments[p])
            )
            named = sorted({*naming.get(deposit.id, ()), *by_hash})
            rightly = [p for p in named if same_asset(deposit, self._payments[p])]
            fitting = self._last_try([p for p in rightly if same_network(deposit, self._payments[p])])
            if len(fitting) == 1:
                self._give(number, fitting[0], "tx_hash")
            elif named:
                reason = Reason.WRONG_NETWORK if rightly else Reason.WRONG_ASSET
                self._review(number, Reason.NAMED_TWICE if fitting else reason, fitting or named)
                self._in_review.update(fitting)

    def _last_try(self, numbers: list[int]) -> list[int]:
        """Of one payer's tries to pay, the one that the application has not given up; otherwise all of `numbers`."""
        payers = {self._payments[p].payer for p in numbers}
        live = [p for p in numbers if not self._payments[p].closed]
        return live if len(live) == len(payers) == 1 and None not in payers else numbers

    def _take_own_addresses(self) -> None:
        """An address that was given to one payment alone: what comes there is for it, whenever, and however much."""
        for number, deposit in list(self._left.items()):
            where = deposit.address or ""
            there = {*self._tagged.get((where, deposit.tag), ()), *self._tagged.get((where, None), ())}
            if not 0 < len(there) <= self._rules.crowd:
                continue
            there = {p for p in there if same_asset(deposit, self._payments[p])}
            fitting = [p for p in there if self._fits(deposit, self._payments[p])]
            if len(fitting) == len(there) == 1 and fitting[0] not in self._in_review and self._is_alone(fitting[0]):
                self._give(number, fitting[0], "address")

    def _is_alone(self, number: int) -> bool:
        """Nobody else waits at its address: for this coin, with this memo."""
        payment = self._payments[number]
        if payment.address is None or payment.tag is not None:
            return True  # with this memo, or with any, there was no other
        codes = [self._payments[p].coin for _, p in self._at[payment.address]]
        return len(codes) - len([code for code in codes if code not in {None, payment.coin}]) == 1

    def _take_whole(self) -> None:
        """One deposit, one payment: the most payments; of those the fewest inexact, the fewest late, the least off."""
        for number, payment in enumerate(self._payments):
            need = self._need(number)
            if payment.address and need and need > 0 and number not in self._in_review and not self._is_settled(number):
                self._by_need.setdefault((payment.address, payment.coin), []).append((need, number))
        for waiting in self._by_need.values():
            waiting.sort()
        costs: dict[Pair, Cost] = {}
        for number, deposit in list(self._left.items()):
            found = dict(self._whole(deposit))
            if len(found) > self._rules.crowd:
                found = {p: cost for p, cost in found.items() if cost[0] == 0}
            if len(found) > self._rules.crowd:
                self._review(number, Reason.TWO_PAYMENTS, found)
                self._in_review.update(found)
            else:
                costs |= {(number, p): cost for p, cost in found.items()}
        best = assign({pair: cost for pair, cost in costs.items() if pair[1] not in self._in_review})
        for number, p in best.pairs.items():
            self._give(number, p, "whole")
        for number, candidates in best.unsure.items():
            self._review(number, Reason.TWO_PAYMENTS, candidates)
            self._in_review.update(candidates)

    def _whole(self, deposit: Deposit) -> Iterator[tuple[int, Cost]]:
        for number, need in self._near(deposit):
            payment = self._payments[number]
            ends = self._ends[number]
            if deposit.at <= ends + self._rules.late and self._fits(deposit, payment):
                on_time = deposit.at <= ends
                off = abs(deposit.amount - need) / need
                yield number, (int(off > 0), int(payment.closed or not on_time), int(off * _FINE))

    def _near(self, deposit: Deposit) -> Iterator[tuple[int, Decimal]]:
        """Waiting payments at the deposit's address whose missing sum is the deposit's, within the tolerance."""
        for code in (deposit.coin, None):
            waiting = self._by_need.get((deposit.address or "", code), [])
            tolerance = self._rules.tolerance_of(code)
            first = bisect_left(waiting, (deposit.amount / (1 + tolerance), -1))
            last = bisect_right(waiting, (deposit.amount / (1 - tolerance), len(self._payments)))
            for need, number in waiting[first:last]:
                yield number, need

    def _waiting(self, deposit: Deposit, fits: Callable[[Deposit, Payment], bool]) -> list[int]:
        """Payments at the deposit's address that waited for money when it came, and still miss some."""
        return [
            p
            for p in self._around(deposit)
            if p not in self._in_review
            and not self._is_settled(p)
            and in_time(deposit, self._payments[p], self._rules)
            and fits(deposit, self._payments[p])
        ]

    def _around(self, deposit: Deposit) -> Iterator[int]:
        """Payments at the deposit's address that may have been waiting when it came."""
        where = deposit.address or ""
        there = self._at.get(where, [])
        first = bisect_left(there, (deposit.at - self._longest[where], -1))
        last = bisect_right(there, (deposit.at + self._rules.early, len(self._payments)))
        return (number for _, number in there[first:last])

    def _take_sums(self) -> None:
        """Several deposits that are one payment's sum to the last digit (C5)."""
        pieces: dict[int, dict[int, Decimal]] = defaultdict(dict)
        for number, deposit in self._left.items():
            for p in self._waiting(deposit, self._fits):
                pieces[p][number] = deposit.amount
        options = [
            Option(p, chosen)
            for p, parts in sorted(pieces.items())
            if (need := self._need(p)) is not None
            for chosen in sums_to(need, parts, self._rules.most_parts)
        ]
        sure, unsure = settle(options)
        for option in sure:
            for number in option.deposits:
                self._give(number, option.payment, "split")
        candidates: dict[int, list[int]] = defaultdict(list)
        for option in unsure:
            self._in_review.add(option.payment)
            for number in option.deposits:
                candidates[number].append(option.payment)
        for number, found in candidates.items():
            self._review(number, Reason.TWO_PAYMENTS, found)

    def _take_the_only_one_waiting(self) -> None:
        """One payment alone waited there: what came is its own, short or over, unless it is out of all proportion."""
        parts: dict[int, list[int]] = defaultdict(list)
        for number, deposit in self._left.items():
            waiting = self._waiting(deposit, self._fits)
            waiting = [p for p in waiting if not self._payments[p].closed] or waiting
            if len(waiting) == 1:
                parts[waiting[0]].append(number)
        for p, numbers in sorted(parts.items()):
            need = self._need(p)
            total = sum(self._deposits[number].amount for number in numbers)
            if need is not None and need * _LEAST_PART <= total <= need * _MOST_PART:
                for number in numbers:
                    self._give(number, p, "address")

    # Words

    def _explain(self, number: int) -> None:
        """Why nothing could be done with a deposit, and whom to ask."""
        deposit = self._deposits[number]
        if deposit.internal:
            like = [p for p in self._waiting(deposit, same_money) if self._need(p) == deposit.amount]
            self._review(number, Reason.INTERNAL_FITS if like else Reason.INTERNAL, like)
            return
        for reason, fits in ((Reason.WRONG_NETWORK, other_network), (Reason.WRONG_ASSET, other_coin)):
            waiting = self._waiting(deposit, fits)
            if 0 < len(waiting) <= _SHOWN:
                self._review(number, reason, waiting)
                return
        like = [
            p
            for p, _ in self._near(deposit)
            if p not in self._in_review and not self._is_settled(p) and without_memo(deposit, self._payments[p])
        ]
        like = [p for p in like if begun(deposit, self._payments[p], self._rules)]
        settled = [p for p in self._around(deposit) if self._fits(deposit, self._payments[p])]
        if like:
            self._review(number, Reason.MEMO_MISSING, like)
        elif 0 < len(settled) <= _SHOWN and all(self._is_settled(p) for p in settled):
            self._review(number, Reason.ALREADY_SETTLED, settled)
        else:
            self._review(number, Reason.NO_PAYMENT, ())

    def _word(self, number: int, parts: Sequence[tuple[int, str]]) -> None:
        """Verdicts on the deposits of one payment."""
        payment = self._payments[number]
        total = sum((self._deposits[part].amount for part, _ in parts), Decimal(0))
        deviation = None if payment.amount is None else (total - payment.amount) / payment.amount
        tolerance = self._rules.tolerance_of(payment.coin)
        told = None if deviation is None else round(deviation, 9)
        for part, how in parts:
            method = how if how == "tx_hash" else method_of(deviation, len(parts), tolerance)
            came = self._deposits[part]
            late = payment.closed or (payment.expires_at is not None and came.at > payment.expires_at)
            outcome = outcome_of(deviation, tolerance)
            self._verdict[part] = Verdict(came.ref, payment.ref, method, told, outcome, late)

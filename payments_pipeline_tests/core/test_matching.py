"""Which deposit settles which payment: lines C1 to C9 and C14, by hand and against every assignment there is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments_pipeline.core.deposits import Deposit, Payment, Reason, Rules, Verdict, expected, written
from payments_pipeline.core.matching import match
from payments_pipeline.core.networks import address, coin, network, networks_agree
from payments_pipeline.core.sums import Option, settle, sums_to

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
# An address of one payment alone, and one that several share.
OWN, SHARED = "TOwn", "TShared"


def deposit(ref: str, amount: str = "50", *, minutes: float = 10, to: str = SHARED, **changes: object) -> Deposit:
    given: dict[str, object] = {
        "id": ref, "asset": "USDT", "chain": "USDT-TRC20", "to": to, "tag": None, "tx_hash": f"hash-{ref}",
        "amount": Decimal(amount), "at": NOON + timedelta(minutes=minutes), "internal": False,
    }  # fmt: skip
    return written(ref, **given | changes)  # type: ignore[arg-type]


def payment(ref: str, amount: str | None = "50", *, minutes: float = 0, to: str = SHARED, **changes: object) -> Payment:
    created = NOON + timedelta(minutes=minutes)
    given: dict[str, object] = {
        "asset": "USDT", "chain": "TRX", "to": to, "tag": None, "amount": amount and Decimal(amount),
        "created_at": created, "expires_at": created + timedelta(hours=1), "named": frozenset(), "closed": False,
    }  # fmt: skip
    return expected(ref, **given | changes)  # type: ignore[arg-type]


# Keeps the shared address shared: it waits for a sum that nothing in the tests comes near.
OTHER = payment("p9", "7777", minutes=-30)


def judged(deposits: Sequence[Deposit], payments: Sequence[Payment], rules: Rules | None = None) -> dict[str, Verdict]:
    return {verdict.deposit: verdict for verdict in match(deposits, payments, rules)}


def told(deposits: Sequence[Deposit], payments: Sequence[Payment]) -> dict[str, str | None]:
    """Deposit -> its payment, or the reason why it has none."""
    return {ref: verdict.payment or verdict.reason for ref, verdict in judged(deposits, payments).items()}


def test_the_very_sum_is_matched_before_the_sum_within_the_tolerance() -> None:
    assert told([deposit("d1")], [payment("p1", "50.5"), payment("p2"), OTHER]) == {"d1": "p2"}


@pytest.mark.parametrize(
    ("amount", "method", "outcome", "deviation"),
    [
        ("50", "exact", "full", "0"),
        ("49", "tolerance", "full", "-0.02"),
        ("48.99", "address", "short", "-0.0202"),
        ("51", "tolerance", "full", "0.02"),
        ("51.01", "address", "over", "0.0202"),
        ("500", "address", "over", "9"),
    ],
)
def test_what_comes_to_a_payments_own_address_is_its_own_and_is_weighed(
    amount: str, method: str, outcome: str, deviation: str
) -> None:
    verdict = judged([deposit("d1", amount, to=OWN)], [payment("p1", to=OWN)])["d1"]
    assert verdict == Verdict("d1", "p1", method, Decimal(deviation), outcome)


@pytest.mark.parametrize(
    ("payers", "closed", "whose"),
    [("aa", "10", "p2"), ("ab", "10", "named_twice"), ("aa", "00", "named_twice"), ("aa", "11", "named_twice")],
)
def test_of_one_payers_tries_the_one_that_was_not_given_up_has_the_deposit_both_name(
    payers: str, closed: str, whose: str
) -> None:
    tries = [
        payment(f"p{n + 1}", named=frozenset({"hash-d1"}), payer=payers[n], closed=closed[n] == "1") for n in (0, 1)
    ]
    assert told([deposit("d1")], tries) == {"d1": whose}


def test_the_tolerance_of_a_coin_overrides_the_general_one() -> None:
    rules = Rules(tolerance_by_coin={"USDT": Decimal("0.001")})
    assert judged([deposit("d1", "49.9", to=OWN)], [payment("p1", to=OWN)], rules)["d1"].outcome == "short"


def test_one_deposit_never_settles_two_payments_but_goes_to_review() -> None:
    verdict = judged([deposit("d1")], [payment("p1"), payment("p2")])["d1"]
    assert (verdict.state, verdict.reason, verdict.candidates) == ("ambiguous", Reason.TWO_PAYMENTS, ("p1", "p2"))


def test_two_deposits_that_fit_one_payment_go_to_review_both() -> None:
    assert told([deposit("d1"), deposit("d2")], [payment("p1"), OTHER]) == dict.fromkeys(["d1", "d2"], "two_payments")


def test_the_best_assignment_overall_beats_the_best_for_the_first() -> None:
    payments = [payment("p1", "100"), payment("p2", "101"), OTHER]
    assert told([deposit("d1", "100"), deposit("d2", "98.5")], payments) == {"d1": "p2", "d2": "p1"}


def test_time_tells_apart_what_the_amount_does_not() -> None:
    payments = [payment("p1"), payment("p2", minutes=30), OTHER]
    assert told([deposit("d1", minutes=10), deposit("d2", minutes=40)], payments) == {"d1": "p1", "d2": "p2"}
    assert told([deposit("d3", minutes=-6)], payments) == {"d3": "no_payment"}


def test_a_payment_that_waits_comes_before_one_that_ran_out_or_was_given_up() -> None:
    assert told([deposit("d1", minutes=90)], [payment("p1"), payment("p2", minutes=60), OTHER]) == {"d1": "p2"}
    assert told([deposit("d1")], [payment("p1", closed=True), payment("p2"), OTHER]) == {"d1": "p2"}


def test_late_money_still_finds_its_payment_for_a_week_and_at_its_own_address_for_ever() -> None:
    late, too_late = deposit("d1", minutes=60 * 24 * 7), deposit("d2", minutes=60 * 24 * 8)
    assert told([late], [payment("p1"), OTHER]) == {"d1": "p1"}
    assert told([too_late], [payment("p1"), OTHER]) == {"d2": "no_payment"}
    assert told([replace(too_late, address=OWN)], [payment("p1", to=OWN)]) == {"d2": "p1"}


def test_split_at_its_own_address_adds_up() -> None:
    parts = [deposit("d1", "30", to=OWN), deposit("d2", "19.5", to=OWN, minutes=30)]
    found = judged(parts, [payment("p1", to=OWN)])
    assert {(verdict.payment, verdict.method, verdict.outcome) for verdict in found.values()} == {
        ("p1", "split", "full")
    }
    assert found["d1"].deviation == Decimal("-0.01")


def test_split_at_a_shared_address_adds_up_to_the_last_digit_only() -> None:
    payments = [payment("p1", "19.99"), OTHER]
    assert told([deposit("d1", "9.99"), deposit("d2", "10")], payments) == {"d1": "p1", "d2": "p1"}
    assert told([deposit("d1", "9.99"), deposit("d2", "9.99")], payments)["d1"] == "no_payment"


def test_parts_that_are_somebody_elses_whole_are_left_to_them() -> None:
    payments = [payment("p1"), payment("p2", "30"), OTHER]
    assert told([deposit("d1", "30"), deposit("d2", "20")], payments) == {"d1": "p2", "d2": "no_payment"}


def test_parts_that_add_up_for_two_payments_go_to_review() -> None:
    payments = [payment("p1"), payment("p2"), OTHER]
    assert told([deposit("d1", "30"), deposit("d2", "20")], payments) == dict.fromkeys(["d1", "d2"], "two_payments")


def test_short_money_for_the_only_payment_that_waits_is_its_own() -> None:
    lapsed = payment("p2", minutes=-600)
    verdict = judged([deposit("d1", "40")], [payment("p1"), lapsed])["d1"]
    assert (verdict.payment, verdict.method, verdict.outcome) == ("p1", "address", "short")
    assert told([deposit("d1", "4000")], [payment("p1"), lapsed]) == {"d1": "no_payment"}


def test_what_the_application_named_is_taken_before_all_else() -> None:
    payments = [payment("p1", named=frozenset({"hash-d1"})), payment("p2")]
    found = judged([deposit("d1"), deposit("d2")], payments)
    assert (found["d1"].payment, found["d1"].method, found["d2"].payment) == ("p1", "tx_hash", "p2")


def test_what_is_named_needs_neither_address_nor_time_but_the_coin() -> None:
    named = payment("p1", to="TElse", minutes=600, named=frozenset({"d1"}))
    assert told([deposit("d1")], [named]) == {"d1": "p1"}
    assert told([deposit("d1", asset="SHIB", chain="SHIB-ERC20")], [named]) == {"d1": "wrong_asset"}
    assert told([deposit("d1", chain="USDT-ERC20")], [named]) == {"d1": "wrong_network"}


def test_what_two_payments_name_goes_to_review() -> None:
    payments = [payment("p1", named=frozenset({"d1"})), payment("p2", "20", named=frozenset({"hash-d1"}))]
    assert judged([deposit("d1")], payments)["d1"].reason == Reason.NAMED_TWICE


def test_one_transaction_with_outputs_to_two_addresses_is_told_apart() -> None:
    payments = [payment(f"p{number}", to=f"T{number}", named=frozenset({"h"})) for number in (1, 2)]
    assert told([deposit("d1", to="T1", tx_hash="h"), deposit("d2", to="T2", tx_hash="h")], payments) == {
        "d1": "p1",
        "d2": "p2",
    }


@pytest.mark.parametrize("to", [OWN, SHARED])
@pytest.mark.parametrize(
    ("came", "reason"),
    [
        ({"asset": "USDC", "chain": "USDC-TRC20"}, "wrong_asset"),
        ({"chain": "USDT-ERC20"}, "wrong_network"),
        ({"chain": "USDT-Newnet"}, "wrong_network"),
    ],
)
def test_another_coin_or_network_settles_nothing_and_names_who_waited(
    to: str, came: dict[str, Any], reason: str
) -> None:
    verdict = judged([deposit("d1", to=to, **came)], [payment("p1", to=to)])["d1"]
    assert (verdict.state, verdict.reason, verdict.candidates) == ("unmatched", reason, ("p1",))


def test_missing_memo_suggests_but_never_settles() -> None:
    waiting = payment("p1", tag="4711")
    verdict = judged([deposit("d1")], [waiting])["d1"]
    assert (verdict.reason, verdict.candidates) == (Reason.MEMO_MISSING, ("p1",))
    assert told([deposit("d1", tag="4711")], [waiting, payment("p2", tag="4712")]) == {"d1": "p1"}
    assert told([deposit("d1", tag="9")], [waiting]) == {"d1": "no_payment"}


def test_second_payment_of_what_was_paid_is_over_at_its_own_address_and_nobodys_at_a_shared_one() -> None:
    twice = [deposit("d1", to=OWN), deposit("d2", to=OWN)]
    assert {verdict.outcome for verdict in judged(twice, [payment("p1", to=OWN)]).values()} == {"over"}
    named = payment("p1", named=frozenset({"d1"}))
    assert told([deposit("d1"), deposit("d2")], [named, OTHER])["d2"] == "no_payment"


def test_transfer_within_the_exchange_settles_only_what_names_it() -> None:
    inside = deposit("d1", internal=True, chain=None, to=OWN)
    assert told([inside], [payment("p1", to=OWN)]) == {"d1": "internal_fits"}
    assert told([replace(inside, amount=Decimal(900))], [payment("p1", to=OWN)]) == {"d1": "internal"}
    assert told([inside], [payment("p1", to=OWN, named=frozenset({"d1"}))]) == {"d1": "p1"}


def test_a_crowd_of_equal_payments_is_left_to_a_person() -> None:
    payments = [payment(f"p{number:03}") for number in range(60)]
    verdict = judged([deposit("d1")], payments)["d1"]
    assert (verdict.reason, len(verdict.candidates)) == (Reason.TWO_PAYMENTS, 40)


def test_payment_without_a_sum_takes_what_comes_to_its_own_address() -> None:
    verdict = judged([deposit("d1", "12", to=OWN)], [payment("p1", None, to=OWN)])["d1"]
    assert (verdict.payment, verdict.method, verdict.deviation, verdict.outcome) == ("p1", "address", None, "full")


# Against every assignment there is

AMOUNTS = st.sampled_from(["50", "49.5", "50.5", "51", "20", "30", "100"])
DEPOSITS = st.lists(st.tuples(AMOUNTS, st.integers(0, 120)), max_size=4).map(
    lambda drawn: [deposit(f"d{number}", amount, minutes=at) for number, (amount, at) in enumerate(drawn)]
)
PAYMENTS = st.lists(st.tuples(AMOUNTS, st.integers(-60, 120), st.booleans()), max_size=4).map(
    lambda drawn: (
        [payment(f"p{number}", amount, minutes=at, closed=closed) for number, (amount, at, closed) in enumerate(drawn)]
        + [OTHER, replace(OTHER, ref="p8")]
    )
)


def pairings(deposits: Sequence[Deposit], payments: Sequence[Payment]) -> Iterator[dict[str, str]]:
    """Every way to give each deposit to one payment that it fits, or to none."""
    if not deposits:
        yield {}
        return
    first, *rest = deposits
    yield from pairings(rest, payments)
    for waiting in payments:
        assert waiting.amount is not None
        assert waiting.expires_at is not None
        close = abs(first.amount - waiting.amount) <= waiting.amount * Decimal("0.02")
        if close and waiting.created_at - timedelta(minutes=5) <= first.at <= waiting.expires_at + timedelta(days=7):
            for others in pairings(rest, [other for other in payments if other is not waiting]):
                yield {first.ref: waiting.ref} | others


def worth(chosen: dict[str, str], deposits: Sequence[Deposit], payments: Sequence[Payment]) -> tuple[object, ...]:
    pairs = [(d, p) for d in deposits for p in payments if chosen.get(d.ref) == p.ref]
    off = [abs(d.amount - (p.amount or 1)) / (p.amount or 1) for d, p in pairs]
    late = sum(p.closed or d.at > (p.expires_at or d.at) for d, p in pairs)
    return -len(pairs), sum(part > 0 for part in off), late, sum(int(part * 10**9) for part in off)


@given(DEPOSITS, PAYMENTS)
@settings(max_examples=300, deadline=None)
def test_what_is_matched_whole_is_in_every_best_assignment(deposits: list[Deposit], payments: list[Payment]) -> None:
    tried = list(pairings(deposits, payments))
    least = min(worth(chosen, deposits, payments) for chosen in tried)
    best = [chosen for chosen in tried if worth(chosen, deposits, payments) == least]
    for verdict in match(deposits, payments):
        had = {chosen.get(verdict.deposit) for chosen in best}
        if verdict.method in {"exact", "tolerance"}:
            assert had == {verdict.payment}
        elif had != {None} and len(had) > 1:
            assert verdict.reason == Reason.TWO_PAYMENTS
        else:
            assert had == {None}


@given(DEPOSITS, PAYMENTS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_order_means_nothing_and_no_deposit_is_judged_twice(
    deposits: list[Deposit], payments: list[Payment], dice: random.Random
) -> None:
    first = match(deposits, payments)
    assert [verdict.deposit for verdict in first] == sorted(item.ref for item in deposits)
    assert match(dice.sample(deposits, len(deposits)), dice.sample(payments, len(payments))) == first


@given(DEPOSITS, PAYMENTS, DEPOSITS, PAYMENTS)
@settings(max_examples=100, deadline=None)
def test_addresses_can_be_judged_apart(
    deposits: list[Deposit], payments: list[Payment], elsewhere: list[Deposit], waiting: list[Payment]
) -> None:
    elsewhere = [
        replace(item, ref=f"e{item.ref}", id=f"e{item.id}", tx_hash=None, address="TElse") for item in elsewhere
    ]
    waiting = [replace(item, ref=f"e{item.ref}", address="TElse") for item in waiting]
    together = match(deposits + elsewhere, payments + waiting)
    assert together == match(deposits, payments) + match(elsewhere, waiting)


@given(DEPOSITS, PAYMENTS)
@settings(max_examples=100, deadline=None)
def test_sums_are_what_came(deposits: list[Deposit], payments: list[Payment]) -> None:
    amounts = {item.ref: item.amount for item in deposits}
    wanted = {item.ref: item.amount for item in payments}
    came: dict[str, Decimal] = {}
    verdicts = match(deposits, payments)
    for verdict in verdicts:
        if verdict.payment:
            came[verdict.payment] = came.get(verdict.payment, Decimal(0)) + amounts[verdict.deposit]
    for verdict in verdicts:
        if verdict.payment:
            due = wanted[verdict.payment]
            assert due is not None
            assert verdict.deviation == round((came[verdict.payment] - due) / due, 9)


# Sums


def test_sums_are_exact_and_of_few_parts() -> None:
    pieces = {1: Decimal("10"), 2: Decimal("20.5"), 3: Decimal("19.5"), 4: Decimal("40")}
    assert sums_to(Decimal(40), pieces, 2) == [(2, 3)]
    assert sums_to(Decimal(90), pieces, 4) == [(1, 2, 3, 4)]
    assert sums_to(Decimal(90), {number: Decimal(45) for number in range(20)}, 4) == []


def test_sums_that_serve_more_payments_win_and_equal_ones_do_not() -> None:
    greedy, first, second = Option(1, (1, 2, 3, 4)), Option(2, (1, 2)), Option(3, (3, 4))
    assert settle([greedy, first, second]) == ([first, second], [])
    assert settle([Option(1, (1, 2)), Option(1, (1, 3))]) == ([], [Option(1, (1, 2)), Option(1, (1, 3))])


# Spellings


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("USDT-TRC20", "TRX", True),
        ("TRC20", "tron", True),
        ("USDT-ERC20", "ETH", True),
        ("USDT-TRC20", "ERC20", False),
        ("USDT-Arbitrum One", "arbitrum", True),
        ("BSC", "BEP20", True),
        ("Newnet", "newnet", True),
        ("Newnet", "Oldnet", False),
        (None, "TRC20", True),
    ],
)
def test_network_names_differ_between_application_and_exchange(one: str | None, other: str, agree: bool) -> None:
    assert networks_agree(network(one, "USDT"), network(other, "USDT")) is agree


def test_coins_with_their_network_behind_are_the_coin() -> None:
    assert {coin("usdttrc20"), coin("USDT-TRC20"), coin(" usdt")} == {"USDT"}
    assert (coin("SHIB"), coin(None), coin(" ")) == ("SHIB", None, None)


def test_only_addresses_whose_case_means_nothing_lose_it() -> None:
    assert address("0xAbC1") == address("0xabc1")
    assert address("TAbc") != address("Tabc")
    assert (address("BC1QXYZ"), address(" TAbc "), address(""), address(None)) == ("bc1qxyz", "TAbc", None, None)

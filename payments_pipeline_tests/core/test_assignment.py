"""The best assignment against every assignment there is, on graphs small enough to try them all."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from payments_pipeline.core.assignment import Assignment, Cost, Pair, assign, components

COSTS = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 3))
GRAPHS = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), COSTS, min_size=1, max_size=12)


def every(
    costs: Mapping[Pair, Cost], lefts: list[int], taken: frozenset[int] = frozenset()
) -> Iterator[dict[int, int]]:
    """Every assignment of `lefts`, leaving out any of them included."""
    if not lefts:
        yield {}
        return
    first, *rest = lefts
    yield from every(costs, rest, taken)
    for left, right in costs:
        if left == first and right not in taken:
            for others in every(costs, rest, taken | {right}):
                yield {first: right} | others


def worth(costs: Mapping[Pair, Cost], chosen: Mapping[int, int]) -> tuple[int, Cost]:
    summed = [sum(places) for places in zip((0, 0, 0), *(costs[pair] for pair in chosen.items()), strict=True)]
    return -len(chosen), tuple(summed)


def best_by_trying(costs: Mapping[Pair, Cost]) -> Assignment:
    tried = list(every(costs, sorted({left for left, _ in costs})))
    least = min(worth(costs, chosen) for chosen in tried)
    best = [chosen for chosen in tried if worth(costs, chosen) == least]
    pairs, unsure = {}, {}
    for left in {left for left, _ in costs}:
        had = {chosen.get(left) for chosen in best}
        rights = tuple(sorted(right for right in had if right is not None))
        if len(had) == 1 and rights:
            pairs[left] = rights[0]
        elif rights:
            unsure[left] = rights
    return Assignment(pairs, unsure)


def test_a_pair_that_is_dearer_than_the_best_is_no_candidate() -> None:
    costs = {(0, 0): (0, 0, 2), (0, 1): (1, 1, 0), (1, 0): (0, 0, 1), (1, 1): (1, 0, 2), (2, 1): (1, 0, 3)}
    assert assign(costs).unsure == {0: (0,), 1: (0, 1), 2: (1,)}


@given(GRAPHS)
@settings(max_examples=150, deadline=None)
def test_what_is_sure_and_what_is_not_is_what_trying_them_all_says(costs: dict[Pair, Cost]) -> None:
    assert assign(costs) == best_by_trying(costs)


@given(GRAPHS, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_pairs_does_not_matter(costs: dict[Pair, Cost], dice: random.Random) -> None:
    shuffled = list(costs.items())
    dice.shuffle(shuffled)
    assert assign(dict(shuffled)) == assign(costs)


def test_the_first_to_come_gives_way_where_that_serves_both() -> None:
    assert assign({(1, 1): (0,), (1, 2): (5,), (2, 1): (5,)}) == Assignment({1: 2, 2: 1}, {})


def test_components_keep_apart_what_shares_nothing() -> None:
    assert components({(1, 1): 0, (2, 1): 0, (3, 2): 0}) == [[(1, 1), (2, 1)], [(3, 2)]]


def test_a_crowd_is_solved_in_reasonable_time() -> None:
    dice = random.Random(1)
    costs = {(left, (left + shift) % 1000): (dice.randrange(2), dice.randrange(10**6)) for left in range(1000) for shift in range(10)}  # fmt: skip  # noqa: E501
    began = time.perf_counter()
    solved = assign(costs)
    assert len(solved.pairs) == 1000
    assert time.perf_counter() - began < 5

"""The best one-to-one assignment of a bipartite graph, and which of its pairs every best assignment has.

Belongs here: the algorithm, on numbers. Does not belong here: deposits, payments, or what makes a pair good
(matching.py). Shortest augmenting paths with potentials (Jonker and Volgenant 1987, on sparse rows) give a largest
assignment of least cost. A pair is sure when no cycle of cost zero runs through it in what is left of the network:
such a cycle leads to another assignment that is just as good (Ahuja, Magnanti, Orlin, "Network Flows", ch. 9).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[int, int]
Cost = tuple[int, ...]
"""Not negative, all of one length; those of an assignment are added place by place and compared from left to right."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A largest assignment of least cost.

    Attributes:
        pairs: left -> right, the pairs that all such assignments have.
        unsure: left -> the rights it has in one or another of them; also lefts that some of them leave out.
    """

    pairs: dict[int, int]
    unsure: dict[int, tuple[int, ...]]


def assign(costs: Mapping[Pair, Cost]) -> Assignment:
    """Solve one graph; it need not be connected.

    Args:
        costs: (left, right) -> cost of the pair. Pairs that are absent are impossible.
    """
    pairs: dict[int, int] = {}
    unsure: dict[int, tuple[int, ...]] = {}
    for part in components(costs):
        if len(part) == 1:
            ((left, right),) = part
            pairs[left] = right
            continue
        solved = _Rows({pair: costs[pair] for pair in part}).solve()
        pairs |= solved.pairs
        unsure |= solved.unsure
    return Assignment(pairs, unsure)


def components(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """The pairs by connected component, in order of their smallest left."""
    lefts: dict[int, list[int]] = {}
    rights: dict[int, list[int]] = {}
    for left, right in sorted(pairs):
        lefts.setdefault(left, []).append(right)
        rights.setdefault(right, []).append(left)
    found: list[list[Pair]] = []
    seen: set[int] = set()
    for start in lefts:
        if start in seen:
            continue
        seen.add(start)
        waiting, members = deque([start]), []
        while waiting:
            left = waiting.popleft()
            for right in lefts[left]:
                members.append((left, right))
                fresh = [other for other in rights[right] if other not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
        found.append(members)
    return found


class _Rows:
    """One component. Lefts are rows 0..n; each has, beside its rights, a place of its own to stay unassigned."""

    def __init__(self, costs: Mapping[Pair, Cost]) -> None:
        self._lefts = sorted({left for left, _ in costs})
        self._rights = sorted({right for _, right in costs})
        row = {left: place for place, left in enumerate(self._lefts)}
        column = {right: place for place, right in enumerate(self._rights)}
        folded = _folded(costs, len(row))
        nothing = len(row) * max(folded.values()) + 1  # dearer than any assignment: as many pairs as can be
        self._costs: list[list[tuple[int, int]]] = [[(len(column) + place, nothing)] for place in range(len(row))]
        for (left, right), cost in folded.items():
            self._costs[row[left]].append((column[right], cost))
        width = len(column) + len(row)
        self._taken: list[int | None] = [None] * width
        self._match: list[int] = [-1] * len(row)
        self._u = [0] * len(row)
        self._v = [0] * width

    def solve(self) -> Assignment:
        for row in range(len(self._lefts)):
            self._insert(row)
        group = self._interchangeable()
        pairs, unsure = {}, {}
        for row, left in enumerate(self._lefts):
            column = self._match[row]
            together = self._node(column) if group[row] == group[self._node(column)] else None
            if together is not None:
                others = [self._rights[j] for j in self._alike(row, group)]
                if others:
                    unsure[left] = tuple(sorted(others))
            elif column < len(self._rights):
                pairs[left] = self._rights[column]
        return Assignment(pairs, unsure)

    def _node(self, column: int) -> int:
        return len(self._lefts) + column

    def _alike(self, row: int, group: Sequence[int]) -> list[int]:
        return [
            j
            for j, cost in self._costs[row]
            if j < len(self._rights)
            and group[self._node(j)] == group[row]
            and cost == self._u[row] + self._v[j]  # dearer pairs are in no best assignment
        ]

    def _insert(self, start: int) -> None:
        """Give `start` its place along the cheapest path, moving others where that costs least."""
        best: dict[int, int] = {}
        origin: dict[int, int] = {}
        settled: dict[int, int] = {}
        heap: list[tuple[int, int]] = []
        row, reached = start, 0
        while True:
            for column, cost in self._costs[row]:
                length = reached + cost - self._u[row] - self._v[column]
                if column not in settled and length < best.get(column, length + 1):
                    best[column], origin[column] = length, row
                    heapq.heappush(heap, (length, column))
            reached, end = heapq.heappop(heap)
            while end in settled:
                reached, end = heapq.heappop(heap)
            settled[end] = reached
            holder = self._taken[end]
            if holder is None:
                break
            row = holder
        self._move_potentials(start, settled, end)
        while True:
            row = origin[end]
            self._taken[end] = row
            end, self._match[row] = self._match[row], end
            if row == start:
                return

    def _move_potentials(self, start: int, settled: Mapping[int, int], end: int) -> None:
        self._u[start] += settled[end]
        for column, length in settled.items():
            holder = self._taken[column]
            if holder is not None:
                self._v[column] -= settled[end] - length
                self._u[holder] += settled[end] - length

    def _interchangeable(self) -> list[int]:
        """Node (rows, then columns, then the exchange) -> its component among arcs that cost nothing.

        A column gives up its holder over the exchange to one that is free, where that costs nothing.
        """
        exchange = self._node(len(self._v))
        forward: list[list[int]] = [[] for _ in range(exchange + 1)]
        for row, columns in enumerate(self._costs):
            for column, cost in columns:
                if self._match[row] == column:
                    forward[self._node(column)].append(row)
                elif cost == self._u[row] + self._v[column]:
                    forward[row].append(self._node(column))
        for column, holder in enumerate(self._taken):
            if holder is None:
                forward[self._node(column)].append(exchange)
            elif self._v[column] == 0:
                forward[exchange].append(self._node(column))
        return _strong(forward)


def _folded(costs: Mapping[Pair, Cost], rows: int) -> dict[Pair, int]:
    """Each cost as one number, such that sums of up to `rows` of them compare as the tuples do."""
    folded = dict.fromkeys(costs, 0)
    scale = 1
    for place in reversed(range(len(next(iter(costs.values()))))):
        for pair, cost in costs.items():
            folded[pair] += cost[place] * scale
        scale *= rows * max(cost[place] for cost in costs.values()) + 1
    return folded


def _strong(forward: Sequence[Sequence[int]]) -> list[int]:
    """Node -> a node that stands for its strongly connected component (Kosaraju, without recursion)."""
    back: list[list[int]] = [[] for _ in forward]
    for node, following in enumerate(forward):
        for other in following:
            back[other].append(node)
    group = [-1] * len(forward)
    for root in reversed(_finished(forward)):
        if group[root] >= 0:
            continue
        group[root] = root
        waiting = [root]
        while waiting:
            fresh = [other for other in back[waiting.pop()] if group[other] < 0]
            for other in fresh:
                group[other] = root
            waiting.extend(fresh)
    return group


def _finished(forward: Sequence[Sequence[int]]) -> list[int]:
    """Nodes in the order in which a depth-first search is done with them."""
    order: list[int] = []
    seen = [False] * len(forward)
    for root in range(len(forward)):
        if seen[root]:
            continue
        seen[root] = True
        stack = [(root, iter(forward[root]))]
        while stack:
            node, following = stack[-1]
            fresh = next((other for other in following if not seen[other]), None)
            if fresh is None:
                order.append(node)
                stack.pop()
            else:
                seen[fresh] = True
                stack.append((fresh, iter(forward[fresh])))
    return order

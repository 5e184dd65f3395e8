"""The pipeline's side of a history: runs of every way in, each as a process of its own, with what goes wrong in it.

Belongs here: what a run is, and doing it. Does not belong here: the provider (history_world.py), judging the outcome
(history_judge.py).
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from payments_pipeline.errors import PaymentsPipelineError, TransientError
from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.snapshot import reread
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers.base import Account, Clock, Provider, Window
from payments_pipeline.providers.clocks import TOLERATED, KeepsTime
from payments_pipeline.sandbox.failures import FaultPlan
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline_tests.ingest.history_log import START, World

LONGEST_STALL = 0.5
"""Seconds; in case the other process waits for a lock that the stalled one holds."""
EARLIEST = START - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Burst:
    """Things happen at the provider, `count` in one second; `pick` chooses which, see `history_world.OPERATIONS`."""

    count: int
    pick: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong in a run.

    Attributes:
        kind: ``kill``: the process dies at its `number`-th look at the clock; ``stall``: there it waits until the other
            process is done; ``cut``: the server ends all connections when the provider is asked for the `number`-th
            time; ``refuse``: one object, chosen by `number`, can't be had singly; else a fault of the provider: a
            method of `FaultPlan`.
        path: where the fault strikes.
        page: on which page of a list; None: on each.
        times: how often; None: as long as the run goes on.
    """

    kind: str
    number: int = 1
    path: str = "/v1/"
    page: int | None = None
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One process.

    Attributes:
        way: backfill, incremental, sweep or reread.
        pick: chooses the resource, the window and the number of ranges.
        everything: all resources of the history and the whole of time.
        skew: by how many seconds the machine's clock is ahead of the provider's.
        meanwhile: happens at the provider while the run asks it, one burst a request.
    """

    way: str
    pick: int = 0
    everything: bool = False
    trouble: Trouble | None = None
    skew: float = 0
    meanwhile: tuple[Burst, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """Two processes at once; `between` happens once the first is under way, or has stalled."""

    first: Run
    second: Run
    between: Burst


Step = Burst | Wait | Run | Together


class Killed(BaseException):
    """The process is dead: nothing in it may catch this."""


class _ProcessClock:
    """The clock of the machine that a run is on, which may kill or stall it there.

    Attributes:
        stalled: set while it waits, and when the run is over.
        go_on: ends the waiting.
    """

    def __init__(self, world: World, skew: timedelta, trouble: Trouble | None) -> None:
        self._world, self._skew, self._trouble = world, skew, trouble
        self._looks = 0
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> datetime:
        self._looks += 1
        if self._trouble is not None and self._trouble.kind == "kill" and self._looks >= self._trouble.number:
            raise Killed
        now = self._world.time() + self._skew
        if self._trouble is not None and self._trouble.kind == "stall" and self._looks == self._trouble.number:
            self.stalled.set()
            self.go_on.wait(LONGEST_STALL)
        return now


class Runs:
    """Does runs against one world.

    Args:
        connect: the provider's client for a process with that clock.

    Attributes:
        skews: by run id; of a clock so far ahead that it is set back, what is left of it then.
        outcomes: how runs ended; for the statistics.
        asked_to_reread: by run id: which objects.
    """

    def __init__(
        self,
        engine: Engine,
        sandbox: Sandbox,
        world: World,
        connect: Callable[[Clock], Provider],
        cut_connections: Callable[[], None],
    ) -> None:
        self._engine, self._sandbox, self._world, self._connect = engine, sandbox, world, connect
        self._cut_connections = cut_connections
        self.skews: dict[str, timedelta] = {}
        self.outcomes: Counter[str] = Counter()
        self.reread: dict[str, tuple[str, list[str]]] = {}

    @property
    def tolerance(self) -> timedelta:
        """How far two machines' clocks were ever apart: readings that close may be taken in the wrong order."""
        skews = {timedelta(), *self.skews.values()}
        return max(skews) - min(skews)

    def go(self, run: Run, other: Run | None = None, between: Burst | None = None) -> None:
        """Do one run, or two at once.

        Raises:
            Anything that a run raises and that its trouble does not explain: a killed run dies of that alone, one that
            lost its database with a TransientError.
        """
        runs = [run] if other is None else [run, other]
        plan = self._arm(runs)
        raised: list[BaseException] = []
        if other is None:
            self._guarded(run, self._clock(run, run.trouble), raised)
        else:
            self._both(run, other, between, raised)
        plan.clear()
        plan.on_page = None
        troubles = {run.trouble.kind for run in runs if run.trouble is not None}
        for error in raised:
            dead = isinstance(error, Killed) and "kill" in troubles
            if not dead and not (isinstance(error, TransientError) and "cut" in troubles):
                raise error

    def clean(self, run: Run) -> list[Coverage]:
        """A run in which nothing goes wrong."""
        return self._do(run, *self._clock(run, None), clean=True)

    def _both(self, first: Run, second: Run, between: Burst | None, raised: list[BaseException]) -> None:
        """Two at once: side by side, or the second while the first stalls."""
        stalls = first.trouble is not None and first.trouble.kind == "stall"
        name, clock = self._clock(first, first.trouble)
        thread = threading.Thread(target=self._guarded, args=(first, (name, clock), raised))
        thread.start()
        if stalls:
            clock.stalled.wait(LONGEST_STALL)
        if between is not None:
            self._world.burst(between.count, between.pick)
        self._guarded(second, self._clock(second, second.trouble), raised)
        clock.go_on.set()
        thread.join()

    def _clock(self, run: Run, trouble: Trouble | None) -> tuple[str, _ProcessClock]:
        """A name and a clock for a new process."""
        name = f"run-{len(self.skews)}"
        skew = timedelta(seconds=run.skew)
        self.skews[name] = timedelta() if skew > TOLERATED else skew
        return name, _ProcessClock(self._world, skew, trouble)

    def _guarded(self, run: Run, process: tuple[str, _ProcessClock], raised: list[BaseException]) -> None:
        try:
            made = self._do(run, *process)
        except BaseException as error:  # noqa: BLE001  (threads must not swallow what the test has to see)
            raised.append(error)
            self.outcomes[type(error).__name__] += 1
        else:
            self.outcomes["complete" if all(one.complete for one in made) else "incomplete"] += 1
        finally:
            process[1].stalled.set()

    def _arm(self, runs: Sequence[Run]) -> FaultPlan:
        plan = self._sandbox.faults
        bursts: Iterator[Burst] = iter([burst for run in runs for burst in run.meanwhile])
        cuts = [run.trouble.number for run in runs if run.trouble is not None and run.trouble.kind == "cut"]
        for trouble in (run.trouble for run in runs):
            if trouble is not None and trouble.kind == "refuse":
                refusal = self._world.refusal(trouble.number)
                if refusal is not None:
                    plan.add(refusal)
            elif trouble is not None and trouble.kind not in {"kill", "stall", "cut"}:
                getattr(plan, trouble.kind)(self._world.provider, trouble.path, times=trouble.times, page=trouble.page)
        asked = 0

        def on_page(_provider: str, _path: str, _page: int) -> None:
            nonlocal asked
            asked += 1
            burst = next(bursts, None)
            if burst is not None:
                self._world.burst(burst.count, burst.pick)
            if asked in cuts:
                self._cut_connections()

        plan.on_page = on_page
        return plan

    def _do(self, run: Run, name: str, clock: _ProcessClock, *, clean: bool = False) -> list[Coverage]:
        provider = self._connect(clock)
        try:
            account = provider.identify()
        except PaymentsPipelineError:
            if clean:
                raise
            return []  # it came no further than the door
        if timedelta(seconds=run.skew) > TOLERATED:
            assert isinstance(provider, KeepsTime)
            self.skews[name] = timedelta(seconds=run.skew) - provider.own_time.ahead
        chance = random.Random(run.pick)
        origin: dict[str, Any] = {"as_of": clock(), "run_id": name, "clock": clock}
        match run.way:
            case "incremental":
                return incremental(self._engine, provider, account, resources=self._world.resources, **origin)
            case "sweep":
                window = self._window(run, chance, clock)
                return [
                    sweep(self._engine, provider, account, one, window, **origin) for one in self._some(run, chance)
                ]
            case "backfill":
                window = self._window(run, chance, clock)
                made = []
                for one in self._some(run, chance):
                    ranges = chance.randrange(1, 5)
                    made += backfill(self._engine, provider, account, one, window, ranges=ranges, threads=2, **origin)
                return made
        return [self._reread(name, provider, account, chance, origin)]

    def _reread(
        self, name: str, provider: Provider, account: Account, chance: random.Random, origin: dict[str, Any]
    ) -> Coverage:
        resource = chance.choice(self._world.resources)
        ids = sorted(self._world.log[resource])
        some = chance.sample(ids, min(len(ids), chance.randrange(1, 6)))
        self.reread[name] = (resource, some)
        return reread(self._engine, provider, account, resource, some, mode="reread", **origin)

    def _some(self, run: Run, chance: random.Random) -> Sequence[str]:
        names = self._world.resources
        return names if run.everything else (chance.choice(names),)

    def _window(self, run: Run, chance: random.Random, clock: Clock) -> Window:
        """The whole of time, or the newest part, or some part."""
        now = clock()
        length = now - EARLIEST
        shape = 0 if run.everything else chance.randrange(3)
        if shape == 0:
            return Window(EARLIEST, now)
        if shape == 1:
            return Window(now - length * chance.random() ** 2, now)
        first = EARLIEST + length * chance.random()
        return Window(first, first + (now - first) * chance.random())

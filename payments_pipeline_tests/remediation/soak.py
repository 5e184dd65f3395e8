"""Random interleavings of workers, webhooks, users, kills and provider failures; then the books are held together.

Belongs here: the crowd of a round, settling, what holds after all rounds. Does not belong here: what a round is about
and what must hold of it (soak_holds.py, soak_access.py, soak_runs.py, soak_others.py), scenarios with a name
(test_holds.py). A round is a function of its seed up to the scheduling of threads and processes.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.remediation import audit
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline_tests.remediation.nursery import Nursery
from payments_pipeline_tests.remediation.teller import Killed, Teller

STEPS = ("claimed", "read", "called", "written", "")
ENDED = frozenset({"verified", "rejected", "failed", "expired"})
_POST = "/v1/"


class Round(Protocol):
    """One thing that everybody is at."""

    actions: list[int]

    def others(self) -> list[Callable[[], None]]:
        """Who else does something at the same moment: webhooks, users, other jobs."""
        ...

    def held(self) -> frozenset[str]:
        """States besides the final ones in which an action may be left, e.g. by caps."""
        ...

    def judge(self) -> None:
        """What must hold now that all is settled; told by an AssertionError."""
        ...


@dataclass
class Soak:
    """Attributes: processes: share of workers that are processes of their own. seen: to see that it was not idle."""

    teller: Teller
    processes: float = 0.25
    seen: Counter[str] = field(default_factory=Counter)
    _nurseries: SimpleQueue[Nursery] = field(default_factory=SimpleQueue)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Soak:
        if self.processes:
            for _ in range(2):
                self._nurseries.put(self._stack.enter_context(Nursery(self.teller.settings)))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def play(self, seed: int, choice: random.Random, one: Round) -> None:
        """Everybody at it at once; then it is settled and judged."""
        self._spoil(choice)
        taken = (choice.choice(one.actions), choice.choice(one.actions), *one.actions[2:]) if one.actions else ()
        crowd: list[Callable[[], None]] = [
            partial(self._worker, action, random.Random(choice.random())) for action in taken
        ]
        crowd += one.others()
        choice.shuffle(crowd)
        with ThreadPoolExecutor(len(crowd)) as pool:
            for work in [pool.submit(work) for work in crowd]:
                work.result()
        self.teller.sandbox.faults.clear()
        try:
            self._settle(one)
            one.judge()
        except AssertionError as error:
            states = [(action, self.teller.state_of(action)) for action in one.actions]
            raise AssertionError(f"seed {seed}, {type(one).__name__}, {states}: {error}") from error

    def _spoil(self, choice: random.Random) -> None:
        applied, times = choice.random() < 0.5, choice.choice((1, 1, 2))
        faults: list[Fault | None] = [
            None,
            None,
            Fault("stripe", "hang", _POST, "POST", times=times, seconds=1.3, applied=applied),
            Fault("stripe", "server_error", _POST, "POST", times=times, applied=applied, stored=True),
            Fault("stripe", "server_error", _POST, "POST", times=times, applied=applied),
            Fault("stripe", "cut_body", _POST, "POST", times=times, applied=True),
            Fault("stripe", "rate_limited", _POST, "POST", times=times),
            Fault("stripe", "server_error", _POST, "GET", times=times),
            Fault("stripe", "invalid_json", _POST, "GET", times=times),
        ]
        fault = choice.choice(faults)
        if fault is not None:
            self.seen[f"fault {fault.kind}"] += 1
            self.teller.sandbox.faults.add(fault)

    def _worker(self, action: int, choice: random.Random) -> None:
        last = choice.choice(STEPS)
        if choice.random() >= self.processes:
            self.work(action, last)
            return
        nursery = self._nurseries.get()
        try:
            if choice.random() < 0.5:
                ended = nursery.work(action, kill_at=last)
            else:
                ended = nursery.work(action, kill_after=choice.random() * 0.4)
        finally:
            self._nurseries.put(nursery)
        self.seen[f"process {ended}"] += 1

    def work(self, action: int, last: str = "never") -> None:
        """In a thread of ours, dying of an exception after step `last`."""

        def step(name: str) -> None:
            if name == last:
                self.seen[f"killed after {name}"] += 1
                raise Killed

        with suppress(Killed, PaymentsPipelineError):
            self.seen[self.teller.apply(action, step=step).state] += 1

    def _settle(self, one: Round) -> None:
        for _ in range(9):
            self.teller.lease_over()
            for action in one.actions:
                self.work(action)
            if all(self.teller.state_of(action) in ENDED | one.held() for action in one.actions):
                return
        raise AssertionError("stuck")

    def books_are_whole(self) -> None:
        """After all rounds: the chain holds, every effect has its audit row, and every audit row its effect."""
        with self.teller.engine.connect() as connection:
            assert audit.verify(connection).broken_at is None
        count = self.teller.town.run
        for state in ("verified", "failed", "rejected"):
            ended = count("SELECT count(*) FROM recon.actions WHERE state = :state", state=state)
            told = count("SELECT count(*) FROM recon.audit_log WHERE event = 'action.' || :state", state=state)
            assert ended == told, state
        begun = "SELECT count(DISTINCT details #>> '{provider,object_id}') FROM recon.audit_log WHERE event = :event"
        moves = self.teller.sandbox.state.stripe.moves
        assert len(moves) <= count(begun, event="action.applying"), "an effect without an intent on record"
        verified = count(
            "SELECT count(*) FROM recon.audit_log WHERE event = 'action.verified' AND details ? 'provider'"
        )
        assert verified <= len(moves), "an audit row without its effect"
        stuck = count("SELECT count(*) FROM recon.actions WHERE state = 'applying'")
        assert stuck == 0


def pause(seconds: float) -> None:
    """Others come at any moment."""
    time.sleep(seconds)

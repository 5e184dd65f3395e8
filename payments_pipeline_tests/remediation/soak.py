"""Random interleavings of workers, webhooks, users, kills and provider failures; then the books are held together.

Belongs here: rounds and invariants, for `make soak` (thousands) and a short test (a few). Does not belong here:
scenarios with a name (test_holds.py). A round is a function of its seed up to the scheduling of threads.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import text

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.actions import propose_target
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.teller import Killed, Teller

KINDS = ("capture_payment", "release_authorization", "refund_payment")
STEPS = ("claimed", "read", "called", "written", "")
ENDED = frozenset({"verified", "rejected", "failed"})
_POST = "/v1/"
WEBHOOK = {"succeeded": "completed", "canceled": "cancelled", "requires_capture": "authorized"}


@dataclass
class Soak:
    """Attributes: seen: what happened, to see that a run was not idle."""

    teller: Teller
    seen: Counter[str] = field(default_factory=Counter)

    def round(self, seed: int) -> None:
        """One hold or payment, everybody at it at once; then it is settled and judged."""
        choice = random.Random(seed)
        intent, actions = self._plan(choice)
        self._spoil(choice)
        crowd: list[Callable[[], None]] = [
            partial(self._work, choice.choice(actions), choice.choice(STEPS)),
            partial(self._work, choice.choice(actions), choice.choice(STEPS)),
            partial(self._webhook, intent, choice.random() / 20),
        ]
        if choice.random() < 0.3:
            crowd.append(partial(self._join, intent, choice.random() / 20))
        choice.shuffle(crowd)
        with ThreadPoolExecutor(len(crowd)) as pool:
            for one in [pool.submit(work) for work in crowd]:
                one.result()
        self.teller.sandbox.faults.clear()
        self._settle(actions)
        self._webhook(intent, 0.0)
        self._judge(seed, intent, actions)

    def _plan(self, choice: random.Random) -> tuple[str, list[int]]:
        kind = choice.choice(KINDS)
        intent = self.teller.hold(
            started=kind != "release_authorization", booking="completed" if kind == "refund_payment" else "scheduled",
            status="completed" if kind == "refund_payment" else "authorized",
        )  # fmt: skip
        if kind == "refund_payment":
            self.teller.life.capture(intent, at=AS_OF)
        target = {"provider_ref": intent} | ({"refund_amount": "10"} if choice.random() < 0.5 else {})
        actions = []
        for actor in ("ann", "bob"):
            view = propose_target(
                self.teller.engine, kind, target, actor=actor, as_of=AS_OF, reason="soak", desk=self.teller.desk
            )
            assert view.action_id is not None, view.reason
            actions.append(view.action_id)
        return intent, actions

    def _spoil(self, choice: random.Random) -> None:
        applied, times = choice.random() < 0.5, choice.choice((1, 1, 2))
        faults: list[Fault | None] = [
            None,
            Fault("stripe", "hang", _POST, "POST", times=times, seconds=1.3, applied=applied),
            Fault("stripe", "server_error", _POST, "POST", times=times, applied=applied, stored=True),
            Fault("stripe", "server_error", _POST, "POST", times=times, applied=applied),
            Fault("stripe", "cut_body", _POST, "POST", times=times, applied=True),
            Fault("stripe", "rate_limited", _POST, "POST", times=times),
            Fault("stripe", "server_error", _POST, "GET", times=times),
        ]
        fault = choice.choice(faults)
        if fault is not None:
            self.seen[f"fault {fault.kind}"] += 1
            self.teller.sandbox.faults.add(fault)

    def _work(self, action: int, last: str) -> None:
        def step(name: str) -> None:
            if name == last:
                self.seen[f"killed after {name}"] += 1
                raise Killed

        with suppress(Killed, PaymentsPipelineError):
            self.seen[self.teller.apply(action, step=step).state] += 1

    def _webhook(self, intent: str, pause: float) -> None:
        """The application hears from Stripe what the intent is now, and writes it down."""
        time.sleep(pause)
        status, _ = self.teller.at_stripe(intent)
        charge = self._charge(intent)
        word = "refunded" if status == "succeeded" and charge["refunded"] else WEBHOOK[status]
        self.teller.town.run(
            "UPDATE public.payment_transactions SET status = :word WHERE transaction_id = :intent AND status <> :word",
            word=word, intent=intent,
        )  # fmt: skip

    def _join(self, intent: str, pause: float) -> None:
        """The guest comes after all; the application lets nobody join what is cancelled."""
        time.sleep(pause)
        joined = (
            "UPDATE public.bookings SET actual_start = starts_at WHERE status = 'scheduled' AND actual_start IS NULL"
            " AND id = (SELECT booking_id FROM public.payment_transactions WHERE transaction_id = :intent) RETURNING id"
        )
        with self.teller.engine.begin() as connection:
            self.seen["joined"] += len(connection.execute(text(joined), {"intent": intent}).all())

    def _settle(self, actions: list[int]) -> None:
        for _ in range(8):
            self.teller.lease_over()
            for action in actions:
                self._work(action, "never")
            if all(self.teller.state_of(action) in ENDED for action in actions):
                return
        raise AssertionError(f"stuck: {[(one, self.teller.state_of(one)) for one in actions]}")

    def _judge(self, seed: int, intent: str, actions: list[int]) -> None:
        moves, states = self.teller.moves(intent), [self.teller.state_of(one) for one in actions]
        told = f"seed {seed}: {moves} {states} {self.teller.at_stripe(intent)} {self.teller.in_application(intent)}"
        assert len(moves) <= 1, told
        assert states.count("verified") <= 1, told
        assert not moves or "verified" in states or "failed" in states, told
        if "verified" in states:
            assert moves, told
            verified = actions[states.index("verified")]
            assert self.teller.events(verified)[-1] == "verified", told
        row, _, booking, _ = self.teller.in_application(intent)
        charge = self._charge(intent)
        status, _ = self.teller.at_stripe(intent)
        assert row == ("refunded" if status == "succeeded" and charge["refunded"] else WEBHOOK[status]), told
        if moves and moves[0][0] == "cancel":
            self._judge_release(intent, booking, states, told)
        self.seen["money moved" if moves else "nothing moved"] += 1

    def _judge_release(self, intent: str, booking: str, states: list[str], told: str) -> None:
        """Whoever came is never cancelled. Who came while Stripe's answer was out is told of: nobody could know."""
        came = (
            "SELECT actual_start FROM public.bookings WHERE id ="
            " (SELECT booking_id FROM public.payment_transactions WHERE transaction_id = :intent)"
        )
        if self.teller.town.run(came, intent=intent) is None:
            assert booking == "cancelled", told
            return
        self.seen["came while the answer was out"] += 1
        assert (booking, "failed" in states, "verified" in states) == ("scheduled", True, False), told

    def _charge(self, intent: str) -> dict[str, Any]:
        stripe = self.teller.sandbox.state.stripe
        return stripe.charges[str(stripe.payment_intents[intent]["latest_charge"])]

    def audit_is_whole(self) -> None:
        """After all rounds."""
        with self.teller.engine.connect() as connection:
            assert audit.verify(connection).broken_at is None
        began = self.teller.town.run("SELECT count(*) FROM recon.actions WHERE state IN ('verified', 'failed')")
        told = self.teller.town.run(
            "SELECT count(*) FROM recon.audit_log WHERE event IN ('action.verified', 'action.failed')"
        )
        assert began == told

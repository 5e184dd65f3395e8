"""Rounds about one card payment: captured, released or refunded by two repairs, while webhook and guest are at it."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import text

from payments_pipeline.remediation.actions import propose_target
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.soak import Soak, pause
from payments_pipeline_tests.remediation.teller import Teller

KINDS = ("capture_payment", "release_authorization", "refund_payment")
WEBHOOK = {"succeeded": "completed", "canceled": "cancelled", "requires_capture": "authorized"}
LIMIT = (
    "INSERT INTO recon.policy_limits (action, currency, max_amount_per_day) VALUES ('capture_payment', 'USD', :most)"
    " ON CONFLICT (action, report, currency) DO UPDATE SET max_amount_per_day = :most"
)
SPENT = (
    "SELECT coalesce(sum(amount), 0) FROM recon.actions WHERE kind = 'capture_payment' AND currency = 'USD'"
    " AND intended_at IS NOT NULL AND state IN ('applying', 'verified', 'failed')"
)


def proposed(teller: Teller, kind: str, target: dict[str, str], actor: str) -> int:
    view = propose_target(
        teller.engine, kind, target, actor=actor, as_of=AS_OF, reason="soak", desk=teller.desk
    )  # fmt: skip
    assert view.action_id is not None, view.reason
    return view.action_id


class HoldRound:
    """One intent, two repairs of the same kind."""

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        self.soak, self.teller, self.choice = soak, soak.teller, choice
        kind = choice.choice(KINDS)
        self.intent = self.teller.hold(
            started=kind != "release_authorization", booking="completed" if kind == "refund_payment" else "scheduled",
            status="completed" if kind == "refund_payment" else "authorized",
        )  # fmt: skip
        if kind == "refund_payment":
            self.teller.life.capture(self.intent, at=AS_OF)
        part = {"refund_amount": "10"} if kind == "refund_payment" and choice.random() < 0.5 else {}
        part |= {"capture_amount": "30"} if kind == "capture_payment" and choice.random() < 0.3 else {}
        self.actions = [
            proposed(self.teller, kind, {"provider_ref": self.intent} | part, actor) for actor in ("ann", "bob")
        ]

    def others(self) -> list[Callable[[], None]]:
        others: list[Callable[[], None]] = [partial(self._webhook, self.choice.random() / 20)]
        if self.choice.random() < 0.3:
            others.append(partial(self._join, self.choice.random() / 20))
        return others

    def held(self) -> frozenset[str]:
        return frozenset()

    def judge(self) -> None:
        self._webhook(0.0)
        teller, intent = self.teller, self.intent
        moves, states = teller.moves(intent), [teller.state_of(one) for one in self.actions]
        told = f"{moves} {teller.at_stripe(intent)} {teller.in_application(intent)}"
        assert len(moves) <= 1, told
        assert states.count("verified") <= 1, told
        assert not moves or "verified" in states or "failed" in states, told
        if "verified" in states:
            assert moves, told
            assert teller.events(self.actions[states.index("verified")])[-1] == "verified", told
        charge = self._charge()
        assert charge["amount_captured"] <= charge["amount"], told
        assert not charge["captured"] or charge["amount_refunded"] <= charge["amount_captured"], told
        row, _, booking, _ = teller.in_application(intent)
        assert row == self._word(), told
        if moves and moves[0][0] == "cancel":
            self._judge_release(booking, states, told)
        self.soak.seen["money moved" if moves else "nothing moved"] += 1

    def _judge_release(self, booking: str, states: list[str], told: str) -> None:
        """Whoever came is never cancelled. Who came while Stripe's answer was out is told of: nobody could know."""
        came = (
            "SELECT actual_start FROM public.bookings WHERE id ="
            " (SELECT booking_id FROM public.payment_transactions WHERE transaction_id = :intent)"
        )
        if self.teller.town.run(came, intent=self.intent) is None:
            assert booking == "cancelled", told
            return
        self.soak.seen["came while the answer was out"] += 1
        assert (booking, "failed" in states, "verified" in states) == ("scheduled", True, False), told

    def _webhook(self, seconds: float) -> None:
        """The application hears from Stripe what the intent is now, and writes it down."""
        pause(seconds)
        self.teller.town.run(
            "UPDATE public.payment_transactions SET status = :word WHERE transaction_id = :intent AND status <> :word",
            word=self._word(), intent=self.intent,
        )  # fmt: skip

    def _word(self) -> str:
        status, _ = self.teller.at_stripe(self.intent)
        return "refunded" if status == "succeeded" and self._charge()["refunded"] else WEBHOOK[status]

    def _join(self, seconds: float) -> None:
        """The guest comes after all; the application lets nobody join what is cancelled."""
        pause(seconds)
        joined = (
            "UPDATE public.bookings SET actual_start = starts_at WHERE status = 'scheduled' AND actual_start IS NULL"
            " AND id = (SELECT booking_id FROM public.payment_transactions WHERE transaction_id = :intent) RETURNING id"
        )
        with self.teller.engine.begin() as connection:
            self.soak.seen["joined"] += len(connection.execute(text(joined), {"intent": self.intent}).all())

    def _charge(self) -> dict[str, Any]:
        stripe = self.teller.sandbox.state.stripe
        return stripe.charges[str(stripe.payment_intents[self.intent]["latest_charge"])]


class CapRound:
    """Three captures of 80, and a cap of the day with room for two."""

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        del choice
        self.soak, self.teller = soak, soak.teller
        self.intents = [self.teller.hold(started=True) for _ in range(3)]
        self.actions = [
            proposed(self.teller, "capture_payment", {"provider_ref": intent}, "ann") for intent in self.intents
        ]
        self.most = self.teller.town.run(SPENT) + 160
        self.teller.town.run(LIMIT, most=self.most)

    def others(self) -> list[Callable[[], None]]:
        return []

    def held(self) -> frozenset[str]:
        return frozenset({"proposed"})

    def judge(self) -> None:
        moved = [move for intent in self.intents for move in self.teller.moves(intent)]
        states = [self.teller.state_of(action) for action in self.actions]
        self.teller.town.run(LIMIT, most=None)
        assert states.count("verified") <= len(moved) <= 2, (moved, states)
        assert self.teller.town.run(SPENT) <= self.most
        self.soak.seen["held back by a cap"] += states.count("proposed")

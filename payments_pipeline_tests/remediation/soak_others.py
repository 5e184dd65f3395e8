"""Rounds about payouts and about crypto payments."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.remediation.actions import propose_target
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.soak import Soak, pause
from payments_pipeline_tests.remediation.soak_holds import proposed
from payments_pipeline_tests.remediation.test_crypto import asked, came
from payments_pipeline_tests.remediation.test_payouts import came_back


class PayoutRound:
    """One transfer that came back, two repairs, and the application that may pay it out by itself."""

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        self.soak, self.teller, self.choice = soak, soak.teller, choice
        self.host = f"acct_{len(self.teller.sandbox.state.stripe.transfers)}"
        self.ref, self.payout = came_back(self.teller, self.host)
        target = {"payout_id": str(self.payout), "provider_ref": self.ref}
        self.actions = [proposed(self.teller, "retry_payout", target, actor) for actor in ("ann", "bob")]

    def others(self) -> list[Callable[[], None]]:
        return [self._called_off] if self.choice.random() < 0.2 else []

    def held(self) -> frozenset[str]:
        return frozenset()

    def judge(self) -> None:
        moves = [move for move in self.teller.sandbox.state.stripe.moves if move[1] == self.host]
        states = [self.teller.state_of(one) for one in self.actions]
        row = self.teller.town.row(
            "SELECT status, stripe_transfer_id FROM public.payouts WHERE id = :id", id=self.payout
        )
        told = f"{moves} {row}"
        assert len(moves) <= 1, told
        assert states.count("verified") == (1 if moves and row["status"] == "paid" else 0), told
        assert not moves or "verified" in states or "failed" in states, told
        if "verified" in states:
            assert row["stripe_transfer_id"] != self.ref, told
        self.soak.seen["paid out" if moves else "not paid out"] += 1

    def _called_off(self) -> None:
        """The application gives the payout up, unless it was made meanwhile."""
        pause(self.choice.random() / 20)
        self.teller.town.run(
            "UPDATE public.payouts SET status = 'canceled' WHERE id = :id AND status = 'failed'", id=self.payout
        )


class CryptoRound:
    """Two payments that wait for the same sum, one deposit; the matching changes its mind, and one payment expires."""

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        self.soak, self.teller, self.choice = soak, soak.teller, choice
        town = self.teller.town
        self.users = [town.user() for _ in range(2)]
        self.payments = [asked(town, user) for user in self.users]
        town.run(
            "UPDATE public.payment_transactions SET expires_at = :at WHERE id = CAST(:id AS bigint)",
            at=AS_OF - timedelta(hours=3), id=self.payments[0],
        )  # fmt: skip
        self.deposit = f"d{self.payments[0]}"
        came(town, self.payments[0], self.deposit)
        target = {"payment_id": self.payments[0]}
        self.actions = [proposed(self.teller, "confirm_crypto_payment", target, actor) for actor in ("ann", "bob")]

    def others(self) -> list[Callable[[], None]]:
        others: list[Callable[[], None]] = [self._webhook] if self.choice.random() < 0.3 else []
        return [*others, self._matched_anew]

    def held(self) -> frozenset[str]:
        return frozenset()

    def judge(self) -> None:
        town = self.teller.town
        settled = town.run(
            "SELECT count(*) FROM public.payment_transactions WHERE tx_hash = '0x' || :ref AND status = 'completed'",
            ref=self.deposit,
        )  # fmt: skip
        states = [self.teller.state_of(one) for one in self.actions]
        assert settled <= 1, "one deposit has settled two payments"
        assert states.count("verified") == settled, states
        with_access = sum(town.look(user)["subscription_status"] == "active" for user in self.users)
        assert with_access == settled, "access follows the payment"
        whole = town.run(
            "SELECT coalesce(sum(received_amount), 0) FROM public.payment_transactions WHERE id = any(:ids)"
            " AND tx_hash IS NOT NULL",
            ids=[int(one) for one in self.payments],
        )  # fmt: skip
        assert whole == Decimal(20) * settled
        self.soak.seen["deposit booked" if settled else "deposit not booked"] += 1

    def _webhook(self) -> None:
        """The gateway says that time is over, while the deposit is there."""
        pause(self.choice.random() / 20)
        self.teller.town.run(
            "UPDATE public.payment_transactions SET status = 'expired' WHERE id = CAST(:id AS bigint)"
            " AND status = 'pending'",
            id=self.payments[0],
        )  # fmt: skip

    def _matched_anew(self) -> None:
        """The matching decides that the deposit is of the other payment, and somebody proposes that."""
        pause(self.choice.random() / 20)
        self.teller.town.run(
            "UPDATE recon.deposit_matches SET payment_ref = :other WHERE provider_ref = :ref",
            other=self.payments[1], ref=self.deposit,
        )  # fmt: skip
        view = propose_target(
            self.teller.engine, "confirm_crypto_payment", {"payment_id": self.payments[1]},
            actor="cid", as_of=AS_OF, reason="soak",
        )  # fmt: skip
        if view.action_id is None:
            return
        self.actions.append(view.action_id)
        try:
            self.soak.work(view.action_id)
        except PaymentsPipelineError:
            self.soak.seen["later"] += 1

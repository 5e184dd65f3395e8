"""Rounds about access and about rows of the application: whatever others do meanwhile, theirs is never overwritten."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from payments_pipeline.remediation.actions import propose_target
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.soak import Soak, pause
from payments_pipeline_tests.remediation.soak_holds import WEBHOOK, proposed
from payments_pipeline_tests.remediation.test_crypto import asked, came
from payments_pipeline_tests.remediation.town import PLANS

Others = list[Callable[[], None]]
PAID = AS_OF - timedelta(hours=1)
GIVE = (
    "UPDATE public.users SET subscription_status = 'active', subscription_tier = 'pro', plan_id = :plan,"
    " last_payment_date = :paid, payment_due_date = :until, subscription_renewal_date = :until,"
    " subscription_updated_at = :at, updated_at = :at WHERE id = :user"
)
BUY = (
    "INSERT INTO public.payment_transactions (user_id, plan_id, payment_method, transaction_id, status, amount,"
    " currency, created_at, confirmed_at) VALUES (:user, :plan, 'stripe', 'pi_own' || :user, 'completed', 19.99, 'usd',"
    " :paid, :paid)"
)
END = "UPDATE public.users SET subscription_status = :status, subscription_updated_at = :at WHERE id = :user"
TELL = (
    "INSERT INTO public.subscription_events (user_id, event_type, old_status, new_status, old_tier, new_tier, reason,"
    " actor, created_at) VALUES (:user, 'canceled', 'active', 'canceled', 'pro', 'pro', 'asked', 'user', :at)"
)
GRANT = (
    "UPDATE public.users SET subscription_status = 'active', access_override_until = :until,"
    " subscription_updated_at = :at WHERE id = :user"
)
OURS = (
    "SELECT count(*) FROM public.subscription_events WHERE user_id = :user AND event_type = :event AND actor <> 'user'"
)
LAPSED = AS_OF - timedelta(days=40)


class _Local:
    """Two repairs of one kind by one transaction each, and at most one thing that somebody else does."""

    happens: tuple[str, ...] = ()

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        self.soak, self.teller, self.town, self.choice = soak, soak.teller, soak.teller.town, choice
        self.what = choice.choice(("nothing", *self.happens))
        self.actions: list[int] = []

    def others(self) -> Others:
        act = getattr(self, f"_{self.what}", None)
        return [] if act is None else [partial(self._later, self.choice.random() / 20, act)]

    def held(self) -> frozenset[str]:
        return frozenset()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        pause(seconds)
        act()

    def _at_once(self, *statements: str, **values: Any) -> None:
        """As the application does it: one transaction."""
        with self.teller.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    def _verified(self) -> int:
        """How many of ours were made; each has one row in the trail that says so, and as its last."""
        states = [self.teller.state_of(one) for one in self.actions]
        for one, state in zip(self.actions, states, strict=True):
            assert self.teller.events(one).count("verified") == (state == "verified")
            assert self.teller.events(one)[-1] == state
        self.soak.seen[f"{type(self).__name__} {self.what}"] += 1
        return states.count("verified")


class ActivationRound(_Local):
    """Somebody paid and has nothing."""

    happens = ("webhook", "suspended", "cancelled", "other_plan", "refunded")

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        super().__init__(soak, choice)
        self.user = self.town.user()
        self.payment = self.town.payment(self.user, ref=f"pi_gap{self.user}", paid_at=PAID)
        target = {"user_id": str(self.user), "payment_id": str(self.payment)}
        self.actions = [proposed(self.teller, "activate_subscription", target, actor) for actor in ("ann", "bob")]

    def judge(self) -> None:
        row, made = self.town.look(self.user), self._verified()
        told = f"{self.what}: {row}"
        assert self.town.run(OURS, user=self.user, event="activated") == made <= 1, told
        expected = {"suspended": "suspended", "cancelled": "canceled"}.get(self.what, "active")
        if self.what == "refunded":
            expected = "active" if made else "inactive"
        assert row["subscription_status"] == expected, told
        if expected == "active":
            plan = "year" if self.what == "other_plan" else "month"
            assert row["plan_id"] == PLANS[plan], told
        if self.what == "nothing":
            assert made == 1, told

    def _webhook(self) -> None:
        month = PAID + timedelta(days=30)
        self._at_once(GIVE, user=self.user, plan=PLANS["month"], paid=PAID, until=month, at=AS_OF)

    def _suspended(self) -> None:
        self._at_once(END, user=self.user, status="suspended", at=AS_OF)

    def _cancelled(self) -> None:
        self._at_once(END, TELL, user=self.user, status="canceled", at=AS_OF)

    def _other_plan(self) -> None:
        year = AS_OF + timedelta(days=365)
        self._at_once(BUY, GIVE, user=self.user, plan=PLANS["year"], paid=AS_OF, until=year, at=AS_OF)

    def _refunded(self) -> None:
        self._at_once(
            "UPDATE recon.provider_transactions SET state = 'refunded' WHERE provider_ref = 'pi_gap' || :user",
            "UPDATE public.payment_transactions SET status = 'refunded' WHERE transaction_id = 'pi_gap' || :user",
            user=str(self.user),
        )


class RevocationRound(_Local):
    """Somebody has access, and what was paid has run out."""

    happens = ("paid_again", "granted", "suspended")

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        super().__init__(soak, choice)
        self.user = self.town.user("active", "pro", plan_id=PLANS["month"])
        self.town.payment(self.user, ref=f"pi_old{self.user}", paid_at=LAPSED)
        target = {"user_id": str(self.user)}
        self.actions = [proposed(self.teller, "revoke_access", target, actor) for actor in ("ann", "bob")]

    def judge(self) -> None:
        row, made = self.town.look(self.user), self._verified()
        told = f"{self.what}: {row}"
        assert self.town.run(OURS, user=self.user, event="revoked") == made <= 1, told
        kept = {"nothing": "inactive", "suspended": "suspended"}.get(self.what, "active")
        assert row["subscription_status"] == kept, told
        if self.what == "nothing":
            assert made == 1, told

    def _paid_again(self) -> None:
        month = AS_OF + timedelta(days=30)
        self._at_once(BUY, GIVE, user=self.user, plan=PLANS["month"], paid=PAID, until=month, at=AS_OF)

    def _granted(self) -> None:
        self._at_once(GRANT, user=self.user, until=AS_OF + timedelta(days=9), at=AS_OF)

    def _suspended(self) -> None:
        self._at_once(END, user=self.user, status="suspended", at=AS_OF)


class ExpiryRound(_Local):
    """Nobody paid in time."""

    happens = ("paid", "cancelled", "deposit")

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        super().__init__(soak, choice)
        self.payment = asked(self.town, self.town.user())
        self.town.run(
            "UPDATE public.payment_transactions SET expires_at = :at WHERE id = CAST(:id AS bigint)",
            at=AS_OF - timedelta(hours=3), id=self.payment,
        )  # fmt: skip
        target = {"payment_id": self.payment}
        self.actions = [proposed(self.teller, "expire_payment", target, actor) for actor in ("ann", "bob")]

    def judge(self) -> None:
        status = self.town.run(
            "SELECT status FROM public.payment_transactions WHERE id = CAST(:id AS bigint)", id=self.payment
        )
        made, told = self._verified(), f"{self.what}: {status}"
        assert made <= 1, told
        expected = {"paid": "completed", "cancelled": "cancelled"}.get(self.what, "expired")
        if self.what == "deposit":
            expected = "expired" if made else "pending"
        assert status == expected, told
        assert self.what != "nothing" or made == 1, told

    def _paid(self) -> None:
        self._set("completed")

    def _cancelled(self) -> None:
        self._set("cancelled")

    def _deposit(self) -> None:
        came(self.town, self.payment, f"late{self.payment}")

    def _set(self, status: str) -> None:
        statement = "UPDATE public.payment_transactions SET status = :status WHERE id = CAST(:id AS bigint)"
        self._at_once(statement, status=status, id=self.payment)


class SyncRound(_Local):
    """The application's row lags behind Stripe, which may move on meanwhile."""

    happens = ("webhook", "given_back", "by_hand")

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        super().__init__(soak, choice)
        self.intent = self.teller.hold(started=True, booking="completed")
        self.teller.life.capture(self.intent, at=AS_OF)
        self.target = {"provider": "stripe", "provider_ref": self.intent}
        self.actions = [proposed(self.teller, "sync_payment_status", self.target, actor) for actor in ("ann", "bob")]

    def judge(self) -> None:
        """Where Stripe moved on in between, the next proposal brings the row in line."""
        made = self._verified()
        view = propose_target(
            self.teller.engine, "sync_payment_status", self.target, actor="cid", as_of=AS_OF, reason="soak",
            desk=self.teller.desk,
        )  # fmt: skip
        if view.action_id is not None:
            self.soak.work(view.action_id)
            assert self.teller.state_of(view.action_id) == "verified"
        row = self.teller.in_application(self.intent)[0]
        told = f"{self.what}: {row}, {self.teller.at_stripe(self.intent)}"
        assert row == ("refunded" if self.what == "by_hand" else self._word()), told
        assert self.what not in {"nothing", "given_back"} or made + (view.action_id is not None) >= 1, told
        assert self.teller.moves(self.intent) == [], "no money moves by it"

    def _webhook(self) -> None:
        self._set(self._word())

    def _given_back(self) -> None:
        charge = self.teller.sandbox.state.stripe.payment_intents[self.intent]["latest_charge"]
        self.teller.life.refund(charge, at=AS_OF)

    def _by_hand(self) -> None:
        """Somebody gave the money back in cash, and says so."""
        self._set("refunded")

    def _word(self) -> str:
        stripe = self.teller.sandbox.state.stripe
        intent = stripe.payment_intents[self.intent]
        charge = stripe.charges[str(intent["latest_charge"])]
        return "refunded" if charge["refunded"] else WEBHOOK[intent["status"]]

    def _set(self, status: str) -> None:
        statement = "UPDATE public.payment_transactions SET status = :status WHERE transaction_id = :ref"
        self._at_once(statement, status=status, ref=self.intent)

"""A Stripe account over real HTTP beside the town: holds that both sides know, and ways to disturb a repair.

Belongs here: planting, looking, interrupting. Does not belong here: assertions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.actions import apply, propose
from payments_pipeline.remediation.outcome import ActionResult
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import Town


class Killed(BaseException):
    """What a worker dies of between two steps; nothing in the project catches it."""


@dataclass
class Teller:
    """Attributes: desk: as the project would build it. life: what others do at Stripe."""

    engine: Engine
    town: Town
    sandbox: Sandbox
    settings: Settings
    desk: Desk = field(init=False)
    life: StripeLife = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox.state.clock = lambda: AS_OF
        self.life = StripeLife(self.sandbox.state)
        self.desk = Desk(self.settings, lambda: AS_OF)

    def hold(
        self,
        *,
        amount: int = 8000,
        status: str = "authorized",
        booking: str = "scheduled",
        started: bool = False,
        ended: timedelta = timedelta(hours=3),
        made: datetime = AS_OF - timedelta(days=2),
    ) -> str:
        """A card's hold for a booking, known to both sides; the intent's id. Amount in cents."""
        intent = self.life.create_intent(at=made, amount=amount, manual=True)["id"]
        self.life.authorize(intent, at=made)
        user = self.town.user()
        host = self.town.user()
        ends = AS_OF - ended
        booking_id = self.town.run(
            "INSERT INTO public.bookings (customer_id, provider_id, starts_at, ends_at, actual_start, status, price,"
            " currency) VALUES (:user, :host, :starts, :ends, :came, :status, :price, 'usd') RETURNING id",
            user=user, host=host, starts=ends - timedelta(hours=1), ends=ends,
            came=ends - timedelta(hours=1) if started else None, status=booking, price=Decimal(amount) / 100,
        )  # fmt: skip
        self.town.run(
            "INSERT INTO public.payment_transactions (user_id, booking_id, payment_method, transaction_id, status,"
            " amount, currency, created_at) VALUES (:user, :booking, 'stripe', :ref, :status, :amount, 'usd', :at)",
            user=user, booking=booking_id, ref=intent, status=status, amount=Decimal(amount) / 100, at=made,
        )  # fmt: skip
        self.town.run(
            "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
            " raw_status, amount, currency, provider_created_at, state_changed_at, read_at, link_method) VALUES"
            " ('stripe', :account, :ref, 'payment', FALSE, 'authorized', 'requires_capture', :amount, 'USD', :at, :at,"
            " :at, 'reference')",
            account=self.sandbox.state.stripe.account_id, ref=intent, amount=Decimal(amount) / 100, at=made,
        )  # fmt: skip
        return str(intent)

    def finding(self, intent: str, action: str, report: str = "stuck_authorizations", **evidence: Any) -> int:
        row = {"provider": "stripe", "provider_ref": intent, "reason": "deadline near", **evidence}
        return int(
            self.town.run(
                "INSERT INTO recon.findings (report, fingerprint, episode, status, severity, action, evidence,"
                " opened_at, last_seen_at, times_seen) VALUES (:report, :intent, 1, 'open', 'HIGH', :action,"
                " CAST(:evidence AS jsonb), :at, :at, 1) RETURNING finding_id",
                report=report, intent=intent, action=action, evidence=json.dumps(row), at=AS_OF,
            )
        )  # fmt: skip

    def proposed(self, kind: str, **hold: Any) -> tuple[str, int]:
        """A hold, a finding about it, and the action proposed for it: intent and action id."""
        intent = self.hold(**hold)
        finding = self.finding(intent, kind)
        (view,) = propose(self.engine, actor="probe", as_of=AS_OF, findings=[finding], desk=self.desk)
        assert view.action_id is not None
        return intent, view.action_id

    def apply(self, action_id: int, actor: str = "night", at: datetime = AS_OF, **more: Any) -> ActionResult:
        return apply(self.engine, action_id, actor=actor, as_of=at, dry_run=False, desk=self.desk, **more)

    def killed(self, action_id: int, step: str) -> None:
        """Apply, and die as soon as `step` is done."""

        def die(name: str) -> None:
            if name == step:
                raise Killed

        try:
            self.apply(action_id, step=die)
        except Killed:
            return
        raise AssertionError(f"no step {step}")

    def lease_over(self) -> None:
        self.town.run("UPDATE recon.actions SET leased_until = '-infinity' WHERE state = 'applying'")

    def at_stripe(self, intent: str) -> tuple[str, int]:
        found = self.sandbox.state.stripe.payment_intents[intent]
        return found["status"], found["amount_received"]

    def in_application(self, intent: str) -> tuple[str, Decimal, str, str | None]:
        row = self.town.row(
            "SELECT t.status, t.amount, b.status AS booking, b.cancelled_by FROM public.payment_transactions AS t"
            " JOIN public.bookings AS b ON t.booking_id = b.id WHERE t.transaction_id = :intent",
            intent=intent,
        )
        return row["status"], row["amount"], row["booking"], row["cancelled_by"]

    def moves(self, intent: str) -> list[tuple[str, int]]:
        """What Stripe's own ledger says was done to it over HTTP."""
        return [(what, amount) for what, which, amount in self.sandbox.state.stripe.moves if which == intent]

    def calls(self) -> list[str]:
        """Idempotency keys of every POST, in order."""
        return [one.headers["idempotency-key"] for one in self.sandbox.requests if one.method == "POST"]

    def state_of(self, action_id: int) -> str:
        return str(self.town.run("SELECT state FROM recon.actions WHERE action_id = :id", id=action_id))

    def events(self, action_id: int) -> list[str]:
        found = self.town.run(
            "SELECT array_agg(event ORDER BY audit_id) FROM recon.audit_log WHERE action_id = :id", id=action_id
        )
        return [str(event).removeprefix("action.") for event in found]


def served(settings: Settings, sandbox: Sandbox, timeout: float) -> Settings:
    """Settings that point at the sandbox, with one attempt a call."""
    values = {name.lower(): value for name, value in sandbox.environment().items() if name.startswith("STRIPE")}
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return load_settings(_env_file=None, database_url=url, http_timeout_seconds=timeout, http_max_attempts=1, **values)

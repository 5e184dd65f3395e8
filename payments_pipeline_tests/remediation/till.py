"""The application beside a Stripe of other people: rows for what was created there, and repairs of them.

Belongs here: planting, repairing, looking. Does not belong here: any one server, or assertions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.actions import apply, propose_target
from payments_pipeline.remediation.effects import Step, unwatched
from payments_pipeline.remediation.outcome import ActionResult
from payments_pipeline.remediation.planning import ActionView
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import Town

ACCOUNT = "default"
"""Servers without /v1/account give no id."""


@dataclass
class Till:
    """Attributes: town: the application. settings: with the server's address and key."""

    town: Town
    settings: Settings
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk(self.settings, lambda: AS_OF)

    def known(self, ref: str, *, status: str = "authorized", came: bool = True) -> str:
        """The application and the snapshots know this payment of 80 dollars for a booking that is over."""
        user, began = self.town.user(), AS_OF - timedelta(hours=4)
        booking = self.town.run(
            "INSERT INTO public.bookings (customer_id, provider_id, starts_at, ends_at, actual_start, status, price,"
            " currency) VALUES (:user, :user, :began, :ended, :came, :status, 80, 'usd') RETURNING id",
            user=user, began=began, ended=began + timedelta(hours=1), came=began if came else None,
            status="completed" if came else "scheduled",
        )  # fmt: skip
        self.town.run(
            "INSERT INTO public.payment_transactions (user_id, booking_id, payment_method, transaction_id, status,"
            " amount, currency, created_at) VALUES (:user, :booking, 'stripe', :ref, :status, 80, 'usd', :at)",
            user=user, booking=booking, ref=ref, status=status, at=began,
        )  # fmt: skip
        self.town.run(
            "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
            " raw_status, amount, currency, provider_created_at, state_changed_at, read_at, link_method) VALUES"
            " ('stripe', :account, :ref, 'payment', FALSE, 'authorized', 'requires_capture', 80, 'USD', :at, :at,"
            " :at, 'reference')",
            account=ACCOUNT, ref=ref, at=began,
        )  # fmt: skip
        return ref

    def view(self, kind: str, ref: str, **part: str) -> ActionView:
        return propose_target(
            self.town.engine, kind, {"provider": "stripe", "provider_ref": ref} | part,
            actor="kim", as_of=AS_OF, reason="asked", desk=self.desk,
        )  # fmt: skip

    def proposed(self, kind: str, ref: str, **part: str) -> int:
        view = self.view(kind, ref, **part)
        assert view.action_id is not None, view.reason
        return view.action_id

    def apply(self, action: int, step: Step = unwatched) -> ActionResult:
        self.town.run("UPDATE recon.actions SET leased_until = '-infinity' WHERE state = 'applying'")
        return apply(
            self.town.engine, action, actor="night", as_of=AS_OF, dry_run=False, desk=self.desk, step=step
        )  # fmt: skip

    def repaired(self, kind: str, ref: str, **part: str) -> ActionResult:
        return self.apply(self.proposed(kind, ref, **part))

    def row(self, ref: str) -> tuple[str, Decimal, str]:
        """The application's status, amount, and its booking's status."""
        found = self.town.row(
            "SELECT t.status, t.amount, b.status AS booking FROM public.payment_transactions AS t"
            " JOIN public.bookings AS b ON t.booking_id = b.id WHERE t.transaction_id = :ref",
            ref=ref,
        )
        return found["status"], found["amount"], found["booking"]


def settings_for(settings: Settings, base: str, key: str, **more: Any) -> Settings:
    """Settings that point at the server, with one attempt a call."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    values = {"http_timeout_seconds": 3, "http_max_attempts": 1, "stripe_api_base": base, "stripe_api_key": key}
    return load_settings(_env_file=None, database_url=url, **(values | more))

"""The builder of an invented town: its clock, its dice, and the application's rows one by one.

Belongs here: making one row of the application's tables. Does not belong here: the providers' side of a payment
(purchases.py), who lives in the town (residents.py) and what goes wrong (faults/).
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from payments_pipeline.sandbox.identities import Identities
from payments_pipeline.sandbox.objects import Json
from payments_pipeline.sandbox.plans import CURRENCY_WEIGHTS, TIERS, Row, paid_until, price_list
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline.sandbox.stripe_events import FEED_SECONDS
from payments_pipeline.sandbox.stripe_events import event as stripe_event

# In the order of their foreign keys.
TABLES = (
    "plans", "users", "bookings", "payment_transactions", "subscription_events", "payouts", "webhook_logs",
)  # fmt: skip
_CONFIRMED = frozenset({"succeeded", "completed", "confirmed", "finished", "paid", "captured", "partially_refunded"})
# From the application's row until the provider has the money: seconds for a card, blocks for crypto. The webhook comes
# two seconds later and is processed three seconds after that.
SETTLED_AFTER = {
    "stripe": timedelta(seconds=3),
    "nowpayments": timedelta(minutes=12),
    "okx": timedelta(minutes=10),
}
_LIKE_A_CARD = SETTLED_AFTER["stripe"]
_WEBHOOK_LAG = timedelta(seconds=2)
_PROCESSING = timedelta(seconds=3)
_HEADERS = {"content-type": "application/json"}
_WEBHOOK_TYPES = {"stripe": "payment_intent.succeeded", "nowpayments": "finished", "okx": "deposit"}


class Town:
    """Everything built so far. All times are whole seconds, UTC; all amounts `Decimal` in major units."""

    def __init__(self, seed: int, as_of: datetime) -> None:
        self.rng = random.Random(seed)
        self.as_of = as_of.replace(microsecond=0)
        self.state = SandboxState()
        # The providers' time runs on from the town's present: Stripe's feed of events goes back 30 days from there.
        ahead = self.as_of - self.state.clock()
        self.state.clock = lambda: datetime.now(UTC) + ahead
        self.ids = Identities(self.rng)
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self.tables["plans"].extend(price_list(self.ago(days=900)))
        self.hosts: list[Row] = []
        # Ids of charges and balance transactions that Stripe keeps out of its weekly payouts (settlement.py).
        self.kept_back: set[str] = set()
        # How often something was planted that concerns a whole provider, and so can be planted only once for each.
        self.turns: Counter[str] = Counter()
        self._plans = {(p["tier"], p["period"], p["currency"]): p for p in self.tables["plans"]}

    # Time and choice

    def ago(self, **span: float) -> datetime:
        """The moment that long before as_of, in the words of `timedelta`."""
        return self.as_of - timedelta(**span)

    def between(self, newest_days: float, oldest_days: float) -> datetime:
        """A random moment between so many days before as_of."""
        return self.ago(seconds=self.rng.randint(int(newest_days * 86_400), int(oldest_days * 86_400)))

    def plan(self, tier: str | None = None, period: str = "month", currency: str | None = None) -> Row:
        """A plan of the price list; tier and currency at random where not given."""
        if currency is None:
            currency = self.rng.choices(list(CURRENCY_WEIGHTS), list(CURRENCY_WEIGHTS.values()))[0]
        return self._plans[tier or self.rng.choice(TIERS), period, currency]

    # The application's side

    def user(self, **columns: Any) -> Row:
        """A new user: by default on the free tier, without access and without payments."""
        number = self._next("users")
        joined = self.between(400, 700)
        username = self.ids.username(number)
        row = {
            "id": number,
            "username": username,
            "email": f"{username}@example.com",
            "subscription_status": "inactive",
            "subscription_tier": "free",
            "plan_id": None,
            "last_payment_date": None,
            "payment_due_date": None,
            "subscription_renewal_date": None,
            "subscription_updated_at": None,
            "stripe_customer_id": self.ids.stripe("cus_"),
            "trial_ends_at": None,
            "access_override_until": None,
            "is_internal": False,
            "created_at": joined,
            "updated_at": joined,
        }
        return self._add("users", row, columns)

    def payment(self, user: Row | None, provider: str, ref: str | None, status: str, **columns: Any) -> Row:
        """The application's record of a payment; needs amount, currency and created_at among `columns`."""
        created = columns["created_at"]
        processed = created + SETTLED_AFTER.get(provider, _LIKE_A_CARD) + _WEBHOOK_LAG + _PROCESSING
        confirmed = processed if status in _CONFIRMED else None
        row = {
            "id": self._next("payment_transactions"),
            "user_id": user and user["id"],
            "plan_id": None,
            "booking_id": None,
            "payment_method": provider,
            "transaction_id": ref,
            "status": status,
            "amount": None,
            "currency": None,
            "crypto_currency": None,
            "crypto_amount": None,
            "deposit_address": None,
            "deposit_tag": None,
            "network": None,
            "tx_hash": None,
            "received_amount": None,
            "created_at": created,
            "expires_at": None,
            "confirmed_at": confirmed,
            "updated_at": confirmed or created,
        }
        return self._add("payment_transactions", row, columns)

    def activate(self, user: Row, plan: Row, payment: Row, event: str = "activated") -> None:
        """What the application does when a webhook is processed: access until the period ends, and an event."""
        paid_at = payment["confirmed_at"] or payment["created_at"]
        before = (user["subscription_status"], user["subscription_tier"])
        due = paid_until(plan, paid_at)
        user.update(
            subscription_status="active",
            subscription_tier=plan["tier"],
            plan_id=plan["id"],
            last_payment_date=paid_at,
            payment_due_date=due,
            subscription_renewal_date=due,
            subscription_updated_at=paid_at,
            updated_at=paid_at,
        )
        self.event(user, event, paid_at, before=before, plan=plan, payment=payment)

    def deactivate(self, user: Row, event: str, at: datetime, status: str = "inactive") -> None:
        """Access ends on purpose: expired, canceled, refunded."""
        before = (user["subscription_status"], user["subscription_tier"])
        user.update(
            subscription_status=status,
            subscription_tier="free",
            plan_id=None,
            subscription_updated_at=at,
            updated_at=at,
        )
        self.event(user, event, at, before=before)

    def event(
        self,
        user: Row,
        event_type: str,
        at: datetime,
        *,
        before: tuple[str, str],
        plan: Row | None = None,
        payment: Row | None = None,
    ) -> Row:
        """A line in the user's subscription history; the new state is read off the user."""
        row = {
            "id": self._next("subscription_events"),
            "user_id": user["id"],
            "event_type": event_type,
            "old_status": before[0],
            "new_status": user["subscription_status"],
            "old_tier": before[1],
            "new_tier": user["subscription_tier"],
            "plan_id": plan and plan["id"],
            "payment_id": payment and payment["id"],
            "reason": None,
            "actor": "application",
            "created_at": at,
        }
        return self._add("subscription_events", row)

    def webhook(
        self,
        payment: Row,
        status: str = "completed",
        *,
        valid: bool = True,
        error: str | None = None,
        at: datetime | None = None,
        kind: str | None = None,
    ) -> Row:
        """A provider's call about `payment`, as the inbox recorded it; of Stripe the feed has the event, too.

        Args:
            at: when it came, if not seconds after the money. kind: type of the event, if not that of success.
        """
        provider = payment["payment_method"]
        at = at or payment["created_at"] + SETTLED_AFTER.get(provider, _LIKE_A_CARD) + _WEBHOOK_LAG
        kind = kind or _WEBHOOK_TYPES.get(provider, "payment.completed")
        made = self.told_by_stripe(payment["transaction_id"], kind, at) if provider == "stripe" else None
        if made is not None:
            made["pending_webhooks"] = min(made["pending_webhooks"], 0 if valid and status == "completed" else 1)
        row = {
            "id": self._next("webhook_logs"),
            "payment_method": provider,
            "webhook_type": kind,
            "webhook_data": _payload(payment, kind),
            "headers": _HEADERS,
            "signature": f"t={int(at.timestamp())},v1={payment['id']:064x}",
            "signature_valid": valid,
            "processing_status": status,
            "error_message": error,
            "user_id": payment["user_id"],
            "payment_id": payment["id"],
            "plan_id": None,
            "created_at": at,
            "processed_at": at + _PROCESSING if status in {"completed", "failed"} else None,
        }
        return self._add("webhook_logs", row)

    def told_by_stripe(self, intent_id: str | None, kind: str, at: datetime, *, pending: int = 1) -> Json | None:
        """The event of type `kind` about this PaymentIntent in Stripe's feed, made if need be.

        None: the feed does not go back so far, or Stripe has no such intent.
        """
        stripe = self.state.stripe
        intent = stripe.payment_intents.get(intent_id or "")
        if intent is None or at <= self.as_of - timedelta(seconds=FEED_SECONDS):
            return None
        event_id = _event_id(intent["id"], kind)
        if event_id not in stripe.events:
            stripe.events[event_id] = stripe_event(
                event_id, kind, intent, created=int(at.timestamp()), api_version=stripe.api_version,
                livemode=stripe.livemode, pending_webhooks=pending,
            )  # fmt: skip
        return stripe.events[event_id]

    def booking(self, customer: Row, starts: datetime, price: Decimal, currency: str, **columns: Any) -> Row:
        """An hour with one of the town's hosts."""
        row = {
            "id": self._next("bookings"),
            "customer_id": customer["id"],
            "provider_id": self.rng.choice(self.hosts)["id"],
            "starts_at": starts,
            "ends_at": starts + timedelta(hours=1),
            "actual_start": None,
            "status": "scheduled",
            "price": price,
            "currency": currency,
            "cancelled_by": None,
            "cancel_reason": None,
            "created_at": starts - timedelta(days=2),
            "updated_at": starts - timedelta(days=2),
        }
        return self._add("bookings", row, columns)

    def payout(self, booking: Row, at: datetime) -> Row:
        """The host's share of a delivered booking, paid by transfer."""
        row = {
            "id": self._next("payouts"),
            "payee_id": booking["provider_id"],
            "booking_id": booking["id"],
            "amount": booking["price"] * Decimal("0.8"),
            "currency": booking["currency"],
            "method": "stripe",
            "stripe_transfer_id": self.ids.stripe("tr_3"),
            "paypal_batch_id": None,
            "status": "paid",
            "error": None,
            "created_at": at,
            "paid_at": at + timedelta(hours=2),
            "updated_at": at + timedelta(hours=2),
        }
        return self._add("payouts", row)

    def _next(self, table: str) -> int:
        return len(self.tables[table]) + 1

    def _add(self, table: str, row: Row, columns: dict[str, Any] | None = None) -> Row:
        if columns:
            unknown = columns.keys() - row.keys()
            if unknown:
                raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
            row.update(columns)
        self.tables[table].append(row)
        return row


def _event_id(ref: str, kind: str) -> str:
    """One event a thing that happens, however often it is delivered."""
    return "evt_" + hashlib.blake2b(f"{ref} {kind}".encode(), digest_size=12).hexdigest()


def _payload(payment: Row, kind: str) -> Json:
    """The body as each provider words it, as far as an inbox needs it to know what is meant."""
    provider, ref = payment["payment_method"], payment["transaction_id"]
    if provider == "nowpayments":
        return {"payment_id": ref, "payment_status": kind, "order_id": str(payment["id"])}
    if provider == "okx":
        return {"depId": ref, "txId": payment["tx_hash"]}
    event_id = _event_id(f"{provider} {payment['id']}" if ref is None else ref, kind)
    return {"id": event_id, "object": "event", "type": kind, "data": {"object": {"id": ref}}}

"""Customers, their subscriptions and checkouts as time passes.

Belongs here: what each step changes and the events Stripe tells of it. Does not belong here: invoices, which the
simulation has not, or the payments of a subscription.
Sources: https://docs.stripe.com/api/customers/delete, …/subscriptions/cancel, https://docs.stripe.com/payments/checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from payments_pipeline.sandbox import stripe_shapes
from payments_pipeline.sandbox.state import Json
from payments_pipeline.sandbox.stripe_ledger import Ledger, impossible, seconds, texts

LIVE = ("active", "trialing", "past_due", "unpaid", "paused", "incomplete")


class CustomerLife(Ledger):
    """Operations on customers; `event=False`: the feed never tells of it."""

    def create_customer(
        self, *, at: datetime, email: str | None = None, name: str | None = None,
        metadata: Mapping[str, str] | None = None, event: bool = True,
    ) -> Json:  # fmt: skip
        """A new customer."""
        with self.state.lock:
            made = stripe_shapes.customer(
                self._new_id("cus"), email=email, name=name, metadata=texts(metadata), created=seconds(at)
            )
            self._put(self._stripe.customers, made)
            self._tell("customer.created", made, at, event)
            return made

    def change_customer(self, customer_id: str, *, at: datetime, email: str | None, event: bool = True) -> Json:
        """The customer's address changes."""
        with self.state.lock:
            before = self._present(customer_id)
            made = self._amend(self._stripe.customers, before, email=email)
            self._tell("customer.updated", made, at, event, before)
            return made

    def delete_customer(self, customer_id: str, *, at: datetime, event: bool = True) -> Json:
        """The customer is gone for good, and with them every live subscription, at once."""
        with self.state.lock:
            before = self._present(customer_id)
            for name, subscription in list(self._stripe.subscriptions.items()):
                if subscription["customer"] == customer_id and subscription["status"] in LIVE:
                    self.cancel_subscription(name, at=at, event=event)
            self._tell("customer.deleted", before, at, event)
            return self._amend(self._stripe.customers, before, deleted=True)

    def create_subscription(
        self, customer_id: str, *, at: datetime, price: str = "price_sandbox", amount: int = 2000,
        currency: str = "usd", interval: str = "month", status: str = "active",
        metadata: Mapping[str, str] | None = None, event: bool = True,
    ) -> Json:  # fmt: skip
        """A new subscription to one price; the customer need not be in the sandbox."""
        with self.state.lock:
            made = stripe_shapes.subscription(
                self._new_id("sub"), customer=customer_id, price=price, amount=amount, currency=currency,
                interval=interval, status=status, metadata=texts(metadata), created=seconds(at),
            )  # fmt: skip
            self._put(self._stripe.subscriptions, made)
            self._tell("customer.subscription.created", made, at, event)
            return made

    def change_subscription(self, subscription_id: str, *, at: datetime, status: str, event: bool = True) -> Json:
        """Another status short of the end, e.g. past_due, or active again."""
        with self.state.lock:
            before = self._need(self._stripe.subscriptions, subscription_id, LIVE, "change")
            made = self._amend(self._stripe.subscriptions, before, status=status)
            self._tell("customer.subscription.updated", made, at, event, before)
            return made

    def cancel_subscription(
        self, subscription_id: str, *, at: datetime, at_period_end: bool = False, event: bool = True
    ) -> Json:
        """The subscription ends now, or is marked to end with its period (it stays active until then)."""
        with self.state.lock:
            stripe = self._stripe
            before = self._need(stripe.subscriptions, subscription_id, LIVE, "be canceled")
            asked = {**before["cancellation_details"], "reason": "cancellation_requested"}
            if at_period_end:
                end = min(item["current_period_end"] for item in before["items"]["data"])
                made = self._amend(
                    stripe.subscriptions, before, cancel_at_period_end=True, cancel_at=end, canceled_at=seconds(at),
                    cancellation_details=asked,
                )  # fmt: skip
                self._tell("customer.subscription.updated", made, at, event, before)
                return made
            made = self._amend(
                stripe.subscriptions, before, status="canceled", canceled_at=before["canceled_at"] or seconds(at),
                ended_at=seconds(at), cancellation_details=asked,
            )  # fmt: skip
            self._tell("customer.subscription.deleted", made, at, event)
            return made

    def open_checkout(
        self, *, at: datetime, amount: int = 2000, currency: str = "usd", mode: str = "payment",
        customer: str | None = None, reference: str | None = None, metadata: Mapping[str, str] | None = None,
    ) -> Json:  # fmt: skip
        """A new Checkout Session. Stripe has no event for it: only listing finds it."""
        with self.state.lock:
            made = stripe_shapes.checkout_session(
                self._new_id("cs_test"), mode=mode, amount=amount, currency=currency, customer=customer,
                reference=reference, metadata=texts(metadata), created=seconds(at),
            )  # fmt: skip
            return self._put(self._stripe.checkout_sessions, made)

    def complete_checkout(
        self, session_id: str, *, at: datetime, payment_intent: str | None = None, subscription: str | None = None,
        customer: str | None = None, email: str | None = None, event: bool = True,
    ) -> Json:  # fmt: skip
        """The payer came through; the session names the intent or subscription that resulted."""
        with self.state.lock:
            before = self._need(self._stripe.checkout_sessions, session_id, ("open",), "be completed")
            made = self._amend(
                self._stripe.checkout_sessions, before, status="complete", payment_status="paid", url=None,
                payment_intent=payment_intent, subscription=subscription, customer=customer or before["customer"],
                customer_details={"email": email, "name": None, "phone": None},
            )  # fmt: skip
            self._tell("checkout.session.completed", made, at, event)
            return made

    def expire_checkout(self, session_id: str, *, at: datetime, event: bool = True) -> Json:
        """Nobody came through in time."""
        with self.state.lock:
            before = self._need(self._stripe.checkout_sessions, session_id, ("open",), "expire")
            made = self._amend(self._stripe.checkout_sessions, before, status="expired", url=None)
            self._tell("checkout.session.expired", made, at, event)
            return made

    def _present(self, customer_id: str) -> Json:
        customer = self._need(self._stripe.customers, customer_id)
        if customer.get("deleted"):
            raise impossible(customer, "change", "it is deleted")
        return customer

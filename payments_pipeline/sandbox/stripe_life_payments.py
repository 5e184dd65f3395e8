"""Payments as time passes: intents, charges, refunds, disputes.

Belongs here: what each step changes and the events Stripe tells of it. Does not belong here: refusals over HTTP
(stripe_writes.py). Sources: https://docs.stripe.com/payments/paymentintents/lifecycle, …/refunds, …/disputes,
https://docs.stripe.com/api/events/types.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from payments_pipeline.sandbox import stripe_shapes
from payments_pipeline.sandbox.objects import stripe_charge, stripe_intent, stripe_refund
from payments_pipeline.sandbox.state import Json
from payments_pipeline.sandbox.stripe_ledger import AVAILABLE_AFTER, Ledger, impossible, seconds, texts

PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")
CANCELLABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
HOLD = timedelta(days=7)
DISPUTE_FEE = 1500
DISPUTE_ENDS = ("won", "lost", "warning_closed", "prevented")


class PaymentLife(Ledger):
    """Operations on payments; amounts in minor units, `event=False`: the feed never tells of it."""

    def create_intent(
        self, *, at: datetime, amount: int = 2000, currency: str = "usd", customer: str | None = None,
        metadata: Mapping[str, str] | None = None, manual: bool = False, intent_id: str | None = None,
        event: bool = True,
    ) -> Json:  # fmt: skip
        """A new intent in requires_payment_method. `manual`: it will be authorized, then captured."""
        with self.state.lock:
            intent = stripe_intent(
                intent_id or self._new_id("pi"), amount=amount, currency=currency, created=at,
                status="requires_payment_method", customer=customer, metadata=texts(metadata), description="",
                capture_method="manual" if manual else "automatic_async",
            )  # fmt: skip
            self._put(self._stripe.payment_intents, intent)
            self._tell("payment_intent.created", intent, at, event)
            return intent

    def process(self, intent_id: str, *, at: datetime, event: bool = True) -> Json:
        """A bank debit was accepted and is under way."""
        with self.state.lock:
            intent = self._need(self._stripe.payment_intents, intent_id, PAYABLE[:3], "be processed")
            intent = self._amend(self._stripe.payment_intents, intent, status="processing")
            self._tell("payment_intent.processing", intent, at, event)
            return intent

    def decline(self, intent_id: str, *, at: datetime, event: bool = True) -> Json:
        """The card was declined: a failed charge, and the intent waits for another method."""
        with self.state.lock:
            intent = self._need(self._stripe.payment_intents, intent_id, PAYABLE, "be declined")
            charge = self._charge(intent, at, captured=None, declined=True)
            error = {"charge": charge["id"], "code": "card_declined", "decline_code": "generic_decline",
                     "message": "Your card was declined.", "type": "card_error"}  # fmt: skip
            intent = self._amend(
                self._stripe.payment_intents, intent, status="requires_payment_method", latest_charge=charge["id"],
                last_payment_error=error,
            )  # fmt: skip
            self._tell("charge.failed", charge, at, event)
            self._tell("payment_intent.payment_failed", intent, at, event)
            return intent

    def authorize(self, intent_id: str, *, at: datetime, hold: timedelta | None = HOLD, event: bool = True) -> Json:
        """The card holds the whole amount for `hold`; None: Stripe does not say until when."""
        with self.state.lock:
            intent = self._need(self._stripe.payment_intents, intent_id, PAYABLE, "be authorized")
            if intent["capture_method"] != "manual":
                raise impossible(intent, "be authorized", "it captures automatically")
            charge = self._charge(intent, at, captured=None, deadline=None if hold is None else at + hold)
            intent = self._amend(
                self._stripe.payment_intents, intent, status="requires_capture", amount_capturable=intent["amount"],
                latest_charge=charge["id"], last_payment_error=None, payment_method=charge["payment_method"],
            )  # fmt: skip
            self._tell("charge.succeeded", charge, at, event)
            self._tell("payment_intent.amount_capturable_updated", intent, at, event)
            return intent

    def capture(self, intent_id: str, *, at: datetime, amount: int | None = None, event: bool = True) -> Json:
        """The held amount, or a part of it, is taken; the rest is released."""
        with self.state.lock:
            stripe = self._stripe
            intent = self._need(stripe.payment_intents, intent_id, ("requires_capture",), "be captured")
            capturable = int(intent.get("amount_capturable") or intent["amount"])
            taken = capturable if amount is None else amount
            if not 0 < taken <= capturable:
                raise impossible(intent, "be captured", f"{taken} is not between 1 and {capturable}")
            intent = self._amend(
                stripe.payment_intents, intent, status="succeeded", amount_received=taken, amount_capturable=0
            )
            charge = stripe.charges.get(str(intent.get("latest_charge")))
            if charge is not None:
                charge = self._amend(
                    stripe.charges, charge, status="succeeded", captured=True, paid=True, amount_captured=taken,
                    payment_method_details=_without_deadline(charge),
                    balance_transaction=self._income(charge, taken, at),
                )  # fmt: skip
                self._tell("charge.captured", charge, at, event)
            self._tell("payment_intent.succeeded", intent, at, event)
            return intent

    def succeed(self, intent_id: str, *, at: datetime, event: bool = True) -> Json:
        """The whole amount was paid at once."""
        with self.state.lock:
            stripe = self._stripe
            intent = self._need(stripe.payment_intents, intent_id, PAYABLE, "be paid")
            if intent["capture_method"] == "manual":
                raise impossible(intent, "be paid at once", "it is captured by hand")
            charge = self._charge(intent, at, captured=intent["amount"])
            charge = self._amend(stripe.charges, charge, balance_transaction=self._income(charge, intent["amount"], at))
            intent = self._amend(
                stripe.payment_intents, intent, status="succeeded", amount_received=intent["amount"],
                latest_charge=charge["id"], last_payment_error=None, payment_method=charge["payment_method"],
            )  # fmt: skip
            self._tell("charge.succeeded", charge, at, event)
            self._tell("payment_intent.succeeded", intent, at, event)
            return intent

    def cancel(
        self, intent_id: str, *, at: datetime, reason: str | None = "requested_by_customer", event: bool = True
    ) -> Json:
        """The intent is given up. Releasing a hold shows on the charge as a full refund of what was never captured.

        Args:
            reason: `automatic` or `expired` when Stripe did it itself.
        """
        with self.state.lock:
            stripe = self._stripe
            intent = self._need(stripe.payment_intents, intent_id, CANCELLABLE, "be canceled")
            charge = stripe.charges.get(str(intent.get("latest_charge")))
            if intent["status"] == "requires_capture" and charge is not None:
                charge = self._amend(stripe.charges, charge, refunded=True, amount_refunded=charge["amount"])
                lapsed = reason in {"automatic", "expired"}
                self._tell("charge.expired" if lapsed else "charge.refunded", charge, at, event)
            intent = self._amend(
                stripe.payment_intents, intent, status="canceled", canceled_at=seconds(at), cancellation_reason=reason,
                amount_capturable=0,
            )  # fmt: skip
            self._tell("payment_intent.canceled", intent, at, event)
            return intent

    def refund(
        self, charge_id: str, *, at: datetime, amount: int | None = None, status: str = "succeeded", event: bool = True
    ) -> Json:
        """Money goes back, all that is left or `amount`; `status` pending or succeeded. Returns the refund."""
        with self.state.lock:
            stripe = self._stripe
            charge = self._need(stripe.charges, charge_id, ("succeeded",), "be refunded")
            left = charge["amount_captured"] - charge["amount_refunded"]
            back = left if amount is None else amount
            if not 0 < back <= left:
                raise impossible(charge, "be refunded", f"{back} is not between 1 and the {left} left")
            made = stripe_refund(
                self._new_id("re"), charge, amount=back, created=at, status=status, failure_reason=None
            )
            made["balance_transaction"] = self._book("refund", -back, made, at)
            stripe.refunds[made["id"]] = made
            before = charge
            charge = self._refunded(charge, back)
            self._tell("refund.created", made, at, event)
            self._tell("charge.refunded", charge, at, event, before)
            return made

    def complete_refund(self, refund_id: str, *, at: datetime, event: bool = True) -> Json:
        """A pending refund arrived."""
        with self.state.lock:
            before = self._need(self._stripe.refunds, refund_id, ("pending", "requires_action"), "succeed")
            made = self._amend(self._stripe.refunds, before, status="succeeded")
            self._tell("refund.updated", made, at, event, before)
            self._tell("charge.refund.updated", made, at, event, before)
            return made

    def fail_refund(
        self, refund_id: str, *, at: datetime, reason: str = "expired_or_canceled_card", event: bool = True
    ) -> Json:
        """The bank sent the money back, maybe long after the refund read succeeded; the charge is as if unrefunded."""
        with self.state.lock:
            stripe = self._stripe
            before = self._need(stripe.refunds, refund_id, ("pending", "requires_action", "succeeded"), "fail")
            charge = self._need(stripe.charges, before["charge"])
            made = self._amend(
                stripe.refunds, before, status="failed", failure_reason=reason,
                failure_balance_transaction=self._book("refund_failure", before["amount"], before, at),
            )  # fmt: skip
            self._refunded(charge, -made["amount"])
            self._tell("refund.updated", made, at, event, before)
            self._tell("charge.refund.updated", made, at, event, before)
            self._tell("refund.failed", made, at, event)
            return made

    def open_dispute(
        self, charge_id: str, *, at: datetime, amount: int | None = None, reason: str = "fraudulent",
        status: str = "needs_response", event: bool = True,
    ) -> Json:  # fmt: skip
        """The holder disputes the charge. An inquiry (`status` warning_…) takes no money yet. Returns the dispute."""
        with self.state.lock:
            stripe = self._stripe
            charge = self._need(stripe.charges, charge_id, ("succeeded",), "be disputed")
            if not charge["captured"] or charge.get("disputed"):
                raise impossible(charge, "be disputed", "it is not captured or disputed already")
            made = stripe_shapes.dispute(
                self._new_id("du"), charge, amount=amount or charge["amount_captured"], reason=reason, status=status,
                created=seconds(at),
            )  # fmt: skip
            self._put(stripe.disputes, made)
            self._amend(stripe.charges, charge, disputed=True, dispute=made["id"])
            if status.startswith("warning"):
                self._tell("charge.dispute.created", made, at, event)
                return made
            taken = self._book("adjustment", -made["amount"], made, at, fee=DISPUTE_FEE)
            made = self._amend(stripe.disputes, made, balance_transactions=[stripe.balance_transactions[taken]])
            self._tell("charge.dispute.created", made, at, event)
            self._tell("charge.dispute.funds_withdrawn", made, at, event)
            return made

    def close_dispute(self, dispute_id: str, *, at: datetime, status: str = "lost", event: bool = True) -> Json:
        """The bank decided: won, lost, or warning_closed for an inquiry. The charge stays `disputed`."""
        with self.state.lock:
            stripe = self._stripe
            before = self._need(stripe.disputes, dispute_id)
            if before["status"] in DISPUTE_ENDS:
                raise impossible(before, "be closed", f"its status is {before['status']}")
            moves = before["balance_transactions"]
            won = status == "won" and moves
            if won:
                moves = [*moves, stripe.balance_transactions[self._book("adjustment", before["amount"], before, at)]]
            made = self._amend(stripe.disputes, before, status=status, balance_transactions=moves)
            self._tell("charge.dispute.closed", made, at, event)
            if won:
                self._tell("charge.dispute.funds_reinstated", made, at, event)
            return made

    def _charge(
        self, intent: Json, at: datetime, *, captured: int | None, deadline: datetime | None = None,
        declined: bool = False,
    ) -> Json:  # fmt: skip
        charge_id = self._new_id("ch")
        charge = stripe_charge(
            charge_id, intent, created=at, last4="4242", captured=captured, capture_before=deadline, declined=declined
        )
        charge["payment_method"] = "pm_" + charge_id[3:]
        return self._put(self._stripe.charges, charge)

    def _income(self, charge: Json, amount: int, at: datetime) -> str:
        return self._book("charge", amount, charge, at, fee=amount * 29 // 1000 + 30, delay=AVAILABLE_AFTER)

    def _refunded(self, charge: Json, more: int) -> Json:
        total = charge["amount_refunded"] + more
        return self._amend(
            self._stripe.charges, charge, amount_refunded=total, refunded=total == charge["amount_captured"]
        )


def _without_deadline(charge: Json) -> Json:
    """Card details of a captured charge: Stripe sends `capture_before` only while it waits for its capture."""
    details: Json = charge.get("payment_method_details") or {}
    card = {name: value for name, value in (details.get("card") or {}).items() if name != "capture_before"}
    return {**details, "card": card}

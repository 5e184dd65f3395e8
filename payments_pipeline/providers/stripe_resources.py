"""Which kinds of Stripe objects are read, and how each is listed, read as a row and kept.

Belongs here: one declaration a kind, and the intents' way to their charges. Does not belong here: paging
(stripe_lists.py), columns (stripe_objects*.py), what must not be stored (stripe_privacy.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments_pipeline.errors import NotFoundError
from payments_pipeline.providers import stripe_columns
from payments_pipeline.providers import stripe_objects as payments
from payments_pipeline.providers import stripe_objects_balance as balance
from payments_pipeline.providers import stripe_objects_customers as customers
from payments_pipeline.providers import stripe_payout_items as items
from payments_pipeline.providers import stripe_privacy as privacy
from payments_pipeline.providers.base import Clock, Resource
from payments_pipeline.providers.stripe_calls import StripeCalls
from payments_pipeline.providers.stripe_lists import Json, Kind, Mode, SlicedResource, StripeResource, single
from payments_pipeline.providers.stripe_payout_lists import PayoutItems
from payments_pipeline.providers.stripe_reversals import TransferReversals

# A charge says whether the money was captured, returned and by when a hold must be captured; other states need none.
NEEDS_CHARGE = frozenset({"requires_capture", "succeeded"})

INTENTS = Kind(
    payments.PAYMENT_INTENTS, "/v1/payment_intents", payments.intent_row, privacy.intent, expand=("latest_charge",)
)
REVERSALS = Kind(
    balance.TRANSFER_REVERSALS, "/v1/transfers", balance.reversal_row, privacy.unchanged, identity=balance.reversal_id
)
ITEMS = Kind(items.PAYOUT_ITEMS, "/v1/payouts", items.item_row, items.kept, identity=items.item_id)
KINDS: tuple[Kind, ...] = (
    Kind(payments.CHARGES, "/v1/charges", payments.charge_row, privacy.charge),
    Kind(payments.REFUNDS, "/v1/refunds", payments.refund_row, privacy.refund),
    Kind(payments.DISPUTES, "/v1/disputes", payments.dispute_row, privacy.dispute),
    Kind(balance.PAYOUTS, "/v1/payouts", balance.payout_row, privacy.unchanged),
    Kind(balance.TRANSFERS, "/v1/transfers", balance.transfer_row, privacy.unchanged),
    Kind(
        balance.BALANCE_TRANSACTIONS, "/v1/balance_transactions", balance.balance_transaction_row, privacy.unchanged
    ),
    Kind(
        customers.CHECKOUT_SESSIONS, "/v1/checkout/sessions", customers.checkout_session_row, privacy.checkout_session
    ),
    # Without a status Stripe leaves canceled subscriptions out.
    Kind(
        customers.SUBSCRIPTIONS, "/v1/subscriptions", customers.subscription_row, privacy.unchanged,
        params={"status": "all"},
    ),
    Kind(customers.CUSTOMERS, "/v1/customers", customers.customer_row, privacy.customer),
    Kind(customers.EVENTS, "/v1/events", customers.event_row, privacy.event),
)  # fmt: skip
"""Kinds that are listed and read alike."""


class PaymentIntents(SlicedResource):
    """Intents with their latest charge, also from a server that ignores `expand`."""

    def __init__(self, calls: StripeCalls, clock: Clock, mode: Mode) -> None:
        super().__init__(INTENTS, calls, clock, mode)

    def columns_of(self, raw: bytes) -> tuple[Any, ...] | None:
        """See `base.Columned.columns_of`."""
        return stripe_columns.from_bytes(raw)

    def _kept(self, obj: Any) -> Any:
        if isinstance(obj, dict):
            self._add_charge(obj)
        return super()._kept(obj)

    def _add_charge(self, obj: Json) -> None:
        """One more call where an id came instead of the charge, and only where the charge matters."""
        charge_id = obj.get("latest_charge")
        if isinstance(charge_id, str) and charge_id and obj.get("status") in NEEDS_CHARGE:
            try:
                charge = single(self._calls, "/v1/charges", charge_id)
            except NotFoundError:  # a server without charges
                return
            if charge is not None:
                obj["latest_charge"] = charge


def stripe_resources(calls: StripeCalls, clock: Clock, mode: Mode) -> Mapping[str, Resource]:
    """Every list of one account, by name. Makes no call."""
    resources: list[StripeResource] = [
        PaymentIntents(calls, clock, mode),
        *(SlicedResource(kind, calls, clock, mode) for kind in KINDS),
        TransferReversals(REVERSALS, calls, clock, mode),
        PayoutItems(ITEMS, calls, clock, mode),
    ]
    return {resource.spec.name: resource for resource in resources}

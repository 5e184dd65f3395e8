"""Every Stripe resource's spec in one tuple: enough to define assets, without network or client.

Belongs here: the list. Does not belong here: the specs themselves (stripe_objects*.py).
"""

from __future__ import annotations

from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.stripe_objects import CHARGES, DISPUTES, PAYMENT_INTENTS, REFUNDS
from payments_pipeline.providers.stripe_objects_balance import (
    BALANCE_TRANSACTIONS,
    PAYOUTS,
    TRANSFER_REVERSALS,
    TRANSFERS,
)
from payments_pipeline.providers.stripe_objects_customers import CHECKOUT_SESSIONS, CUSTOMERS, EVENTS, SUBSCRIPTIONS
from payments_pipeline.providers.stripe_payout_items import PAYOUT_ITEMS

STRIPE_SPECS: tuple[ResourceSpec, ...] = (
    PAYMENT_INTENTS,
    CHARGES,
    REFUNDS,
    DISPUTES,
    PAYOUTS,
    TRANSFERS,
    TRANSFER_REVERSALS,
    BALANCE_TRANSACTIONS,
    PAYOUT_ITEMS,
    CHECKOUT_SESSIONS,
    SUBSCRIPTIONS,
    CUSTOMERS,
    EVENTS,
)

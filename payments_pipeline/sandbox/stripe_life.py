"""The simulated Stripe as time passes: every operation that changes its objects and tells the events feed of it.

Belongs here: the one class to use. Does not belong here: the operations, which are grouped by what they change.
"""

from __future__ import annotations

from payments_pipeline.sandbox.stripe_life_balance import BalanceLife
from payments_pipeline.sandbox.stripe_life_customers import CustomerLife
from payments_pipeline.sandbox.stripe_life_payments import PaymentLife


class StripeLife(PaymentLife, BalanceLife, CustomerLife):
    """Changes `state.stripe` while a server may be reading it.

    Every operation takes `at` (aware; stamped in whole seconds) and returns the object it made or changed, which is
    never changed afterwards. With `event=False` the change happens but the feed never tells. Some changes Stripe
    itself tells nothing of: balance transactions, the opening of a checkout, a charge that becomes `disputed` (only
    the dispute is told), a charge whose refund failed (only the refund is told). Ids depend only on the account's id
    and on what was done before, so that the same history gives the same objects.

    Raises:
        PermanentError: from every operation, when the object is missing or its state does not allow the step.
    """

"""What every operation on the simulated Stripe shares: ids, replacing objects, balance transactions, telling events.

Belongs here: the mechanics. Does not belong here: which operation changes what (stripe_life*.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from payments_pipeline.errors import PermanentError
from payments_pipeline.sandbox import stripe_shapes
from payments_pipeline.sandbox.state import Json, SandboxState, Store, StripeState
from payments_pipeline.sandbox.stripe_events import event as event_about

AVAILABLE_AFTER = 2 * stripe_shapes.DAY


class Ledger:
    """Base of the operations. Objects are replaced, never changed: what an operation returned stays as it was.

    Args:
        state: operations take its lock, so that a request sees all of one or nothing.
        pending_webhooks: of new events; above 0 means that the webhook was not delivered. May be changed at any time.
    """

    def __init__(self, state: SandboxState, *, pending_webhooks: int = 0) -> None:
        self.state = state
        self.pending_webhooks = pending_webhooks

    @property
    def _stripe(self) -> StripeState:
        return self.state.stripe

    def _new_id(self, prefix: str) -> str:
        """Deterministic, and, like Stripe's, without an order within a second."""
        stripe = self._stripe
        stripe.sequence += 1
        digest = hashlib.blake2b(f"{stripe.account_id} {stripe.sequence}".encode(), digest_size=12)
        return f"{prefix}_{digest.hexdigest()}"

    def _put(self, store: Store, obj: Json) -> Json:
        obj["livemode"] = self._stripe.livemode
        store[obj["id"]] = obj
        return obj

    def _amend(self, store: Store, obj: Json, **changes: Any) -> Json:
        changed = {**obj, **changes}
        store[changed["id"]] = changed
        return changed

    def _need(self, store: Store, object_id: str, statuses: Collection[str] = (), step: str = "") -> Json:
        """The object, which must be in one of `statuses`.

        Raises:
            PermanentError: it is missing or the step is impossible now.
        """
        obj = store.get(object_id)
        if obj is None:
            raise PermanentError(
                f"The simulated Stripe holds no {object_id}.", where="sandbox", remedy="Create it before changing it."
            )
        if statuses and obj["status"] not in statuses:
            raise impossible(obj, step, f"its status is {obj['status']}, not {' or '.join(statuses)}")
        return obj

    def _tell(self, kind: str, obj: Json, at: datetime, told: bool, previous: Json | None = None) -> None:
        if not told:
            return
        stripe = self._stripe
        event = event_about(
            self._new_id("evt"), kind, obj, created=seconds(at), api_version=stripe.api_version,
            livemode=stripe.livemode, pending_webhooks=self.pending_webhooks, previous=previous,
        )  # fmt: skip
        stripe.events[event["id"]] = event

    def _book(self, kind: str, amount: int, source: Json, at: datetime, *, fee: int = 0, delay: int = 0) -> str:
        """A balance transaction for `source`; returns its id. Stripe tells no event about it."""
        txn = stripe_shapes.balance_transaction(
            self._new_id("txn"), kind=kind, amount=amount, fee=fee, currency=source["currency"], source=source["id"],
            created=seconds(at), delay=delay,
        )  # fmt: skip
        self._stripe.balance_transactions[txn["id"]] = txn
        return str(txn["id"])


def seconds(at: datetime) -> int:
    """Whole Unix seconds of an aware time."""
    return int(at.timestamp())


def impossible(obj: Json, step: str, why: str) -> PermanentError:
    """A step that Stripe would refuse."""
    return PermanentError(
        f"{obj['id']} can't {step}: {why}.", where="sandbox", remedy="Choose a step that its state allows."
    )


def texts(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata as Stripe keeps it: a copy, empty rather than absent."""
    return dict(metadata or {})

"""What repairs ask of Stripe: one payment as it is at this moment, and single calls that change something.

Belongs here: the one POST with its idempotency key, and what its answer means for whoever sent it. Does not belong
here: deciding what to ask for (remediation/), reading for the snapshots (stripe.py). No POST is repeated here: a call
whose outcome is unclear is settled by reading.
Sources: https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from payments_pipeline.errors import MalformedObjectError, NotFoundError
from payments_pipeline.providers.stripe_calls import StripeCalls

_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
Json = dict[str, Any]


class StripeWrites:
    """One Stripe account, for repairs."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    def payment_intent(self, intent_id: str) -> Json | None:
        """The intent as it is now, with its latest charge; None when this account has none of that id."""
        try:
            answer = self._calls.get(f"/v1/payment_intents/{checked(intent_id)}", expand=["latest_charge"])
        except NotFoundError:
            return None
        return answer if isinstance(answer, dict) else None

    def refunds(self, intent_id: str) -> list[Json]:
        """The refunds of an intent, newest first, at most 100."""
        answer = self._calls.get("/v1/refunds", payment_intent=checked(intent_id), limit=100)
        listed = answer.get("data") if isinstance(answer, dict) else None
        return [item for item in listed or [] if isinstance(item, dict)]

    def payout(self, payout_id: str) -> Json | None:
        """A payout as it is now; None when this account has none of that id."""
        try:
            answer = self._calls.get(f"/v1/payouts/{checked(payout_id)}")
        except NotFoundError:
            return None
        return answer if isinstance(answer, dict) else None

    def send(self, path: str, parameters: Mapping[str, str], *, idempotency_key: str) -> str:
        """Ask for one change, once.

        Returns:
            Stripe's id of the request, for its log and our audit trail; empty when it named none.

        Raises:
            UnclearOutcomeError: it may or may not have happened: read before anything else.
            TransientError: it did not happen; the same call with the same key may be sent again.
            RefusedError: Stripe says why it will not do it.
            CredentialsError: the key may not do this; it did not happen.
        """
        return self._calls.post(path, parameters, idempotency_key=idempotency_key)


def checked(object_id: str) -> str:
    """An id that can stand in a path.

    Raises:
        MalformedObjectError: it holds anything but letters, digits and underscores.
    """
    if _ID.fullmatch(object_id) is None:
        raise MalformedObjectError(f"{object_id[:40]!r} is no Stripe id.", remedy="Correct the application's row.")
    return object_id

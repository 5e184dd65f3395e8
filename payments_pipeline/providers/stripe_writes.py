"""What repairs ask of Stripe: one object as it is at this moment, and single calls that change something.

Belongs here: the one POST with its idempotency key, and what its answer means for whoever sent it. Does not belong
here: deciding what to ask for (remediation/), reading for the snapshots (stripe.py). No POST is repeated here: a call
whose outcome is unclear is settled by reading.
Sources: https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from payments_pipeline.errors import GoneError, MalformedObjectError

if TYPE_CHECKING:  # it loads stripe and requests, which definitions do not need
    from payments_pipeline.providers.stripe_calls import StripeCalls

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Stripe's own have no hyphen; those of some servers that speak its API do."""
MOST_LISTED = 100
Json = dict[str, Any]


class StripeWrites:
    """One Stripe account, for repairs."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    def payment_intent(self, intent_id: str) -> Json | None:
        """The intent as it is now, with its latest charge; None when this account has none of that id."""
        return self._one(f"/v1/payment_intents/{checked(intent_id)}", expand=["latest_charge"])

    def charge(self, charge_id: str) -> Json | None:
        """A charge as it is now; None when this account has none of that id."""
        return self._one(f"/v1/charges/{checked(charge_id)}")

    def refunds(self, intent_id: str) -> list[Json]:
        """The refunds of an intent, newest first, at most 100."""
        return self._listed("/v1/refunds", payment_intent=checked(intent_id))

    def payout(self, payout_id: str) -> Json | None:
        """A payout as it is now; None when this account has none of that id."""
        return self._one(f"/v1/payouts/{checked(payout_id)}")

    def payouts_since(self, created: int) -> list[Json]:
        """The account's payouts made since (Unix seconds), newest first, at most 100."""
        return self._listed("/v1/payouts", created={"gte": created})

    def transfer(self, transfer_id: str) -> Json | None:
        """A transfer as it is now; None when this account has none of that id."""
        return self._one(f"/v1/transfers/{checked(transfer_id)}")

    def reversals(self, transfer_id: str) -> list[Json]:
        """What came back of a transfer, newest first, at most 100."""
        return self._listed(f"/v1/transfers/{checked(transfer_id)}/reversals")

    def transfers_since(self, destination: str, created: int) -> list[Json]:
        """Transfers to one connected account made since (Unix seconds), newest first, at most 100."""
        return self._listed("/v1/transfers", destination=checked(destination), created={"gte": created})

    def _one(self, path: str, **parameters: Any) -> Json | None:
        """Only Stripe's own word means that there is none: a proxy's 404, or a path the server does not know, is an
        error."""
        try:
            answer = self._calls.get(path, **parameters)
        except GoneError:
            return None
        if not isinstance(answer, dict):
            raise MalformedObjectError(
                "Stripe's answer is no object.", where=f"stripe GET {path}", remedy="Is STRIPE_API_BASE Stripe?"
            )
        return answer

    def _listed(self, path: str, **parameters: Any) -> list[Json]:
        answer = self._calls.get(path, limit=MOST_LISTED, **parameters)
        listed = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise MalformedObjectError(
                "Stripe's answer is no list.", where=f"stripe GET {path}", remedy="Is STRIPE_API_BASE Stripe?"
            )
        return [item for item in listed if isinstance(item, dict)]

    def send(
        self, path: str, parameters: Mapping[str, str], *, idempotency_key: str, within: float | None = None
    ) -> str:
        """Ask for one change, once.

        Args:
            within: seconds in which it must be sent, or not at all.

        Returns:
            Stripe's id of the request, for its log and our audit trail; empty when it named none.

        Raises:
            UnclearOutcomeError: it may or may not have happened: read before anything else.
            TransientError: it did not happen; the same call with the same key may be sent again.
            RefusedError: Stripe says why it will not do it.
            CredentialsError: the key may not do this; it did not happen.
        """
        return self._calls.post(path, parameters, idempotency_key=idempotency_key, within=within)


def checked(object_id: str) -> str:
    """An id that can stand in a path.

    Raises:
        MalformedObjectError: it holds anything but letters, digits, underscores and hyphens.
    """
    if _ID.fullmatch(object_id) is None:
        raise MalformedObjectError(f"{object_id[:40]!r} is no Stripe id.", remedy="Correct the application's row.")
    return object_id

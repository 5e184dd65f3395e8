"""A provider written by hand: pages from a list, failing where told to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers import stripe_fields, stripe_objects
from payments_pipeline.providers.base import Account, Page, Resource, Window

AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(AS_OF - timedelta(days=90), AS_OF)
ACCOUNT = Account("stripe", "acct_1", False)


def refund(number: int, **changes: Any) -> dict[str, Any]:
    """A Stripe refund."""
    return {
        "id": f"re_{number:05}", "status": "succeeded", "currency": "usd", "amount": 100 + number,
        "payment_intent": f"pi_{number:05}", "created": 1793534000,
    } | changes  # fmt: skip


class Refunds:
    """Serves `pages`; raises `error` after them."""

    spec = stripe_objects.REFUNDS

    def __init__(
        self, pages: Sequence[Sequence[Any]], error: PaymentsPipelineError | None = None, read_at: datetime = AS_OF
    ) -> None:
        self._pages, self._error, self._read_at = pages, error, read_at

    def pages(self, window: Window) -> Iterator[Page]:  # noqa: ARG002
        for objects in self._pages:
            yield Page(objects, self._read_at)
        if self._error is not None:
            raise self._error

    def read(self, object_id: str) -> Page | None:
        found = [
            obj for objects in self._pages for obj in objects if isinstance(obj, dict) and obj.get("id") == object_id
        ]
        return Page(found[-1:], self._read_at) if found else None

    def object_id(self, obj: Mapping[str, Any]) -> str:
        return stripe_fields.object_id(obj)

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        return stripe_objects.refund_row(obj)


class OneList:
    """A provider with one resource."""

    name = "stripe"

    def __init__(self, resource: Resource) -> None:
        self.resources: Mapping[str, Resource] = {resource.spec.name: resource}

    def identify(self) -> Account:
        return ACCOUNT

"""One order of time over both sides: what the provider did, what the application wrote, what was told and repaired.

Belongs here: turning rows into moments. Pure. Does not belong here: reading them (stories.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments_pipeline.lookup.stories import Story


@dataclass(frozen=True, order=True)
class Moment:
    """Something that happened. `side`: application, provider, webhook, finding or repair. `at`: aware, UTC."""

    at: datetime
    side: str
    what: str


def timeline(story: Story) -> list[Moment]:
    """All moments of a story, the oldest first; of the same time in the order of sides and words."""
    return sorted({*_payments(story), *_objects(story), *_webhooks(story), *_events(story), *_findings(story)})


def _payments(story: Story) -> Iterator[Moment]:
    for row in story.payments:
        name = f"payment {row['payment_id']}"
        bought = row["plan_name"] or (f"booking {row['booking_id']}" if row["booking_id"] else "nothing named")
        sum_ = _money(row["amount"], row["currency"])
        if row["created_at"]:
            yield Moment(row["created_at"], "application", f"{name} begun: {sum_} for {bought}")
        if row["confirmed_at"]:
            yield Moment(row["confirmed_at"], "application", f"{name} confirmed")
        if row["updated_at"] and row["updated_at"] not in {row["created_at"], row["confirmed_at"]}:
            yield Moment(row["updated_at"], "application", f"{name} last written: {row['status']}")


def _objects(story: Story) -> Iterator[Moment]:
    for row in story.objects:
        name = f"{row['provider']} {row['kind']} {row['provider_ref']}"
        yield Moment(row["provider_created_at"], "provider", f"{name} begun: {_money(row['amount'], row['currency'])}")
        if row["paid_at"] and row["state"] != "paid":
            yield Moment(row["paid_at"], "provider", f"{name} paid")
        when = row["paid_at"] if row["state"] == "paid" and row["paid_at"] else row["state_changed_at"]
        yield Moment(when, "provider", f"{name} {row['state']} ({row['raw_status']})")
        if row["vanished_at"]:
            yield Moment(row["vanished_at"], "provider", f"{name} is not there any more")


def _webhooks(story: Story) -> Iterator[Moment]:
    for row in story.webhooks:
        told = "signature refused" if row["signature_valid"] is False else row["processing_status"] or "not processed"
        error = f": {row['error_message']}" if row["error_message"] else ""
        yield Moment(row["created_at"], "webhook", f"{row['provider']} {row['webhook_type']}, {told}{error}")


def _events(story: Story) -> Iterator[Moment]:
    for row in story.events:
        change = " ".join(
            f"{noun} {row[f'old_{noun}'] or 'none'} -> {row[f'new_{noun}']}"
            for noun in ("status", "tier")
            if row[f"new_{noun}"] and row[f"new_{noun}"] != row[f"old_{noun}"]
        )
        reason = f" ({row['reason']})" if row["reason"] else ""
        yield Moment(row["created_at"], "application", f"{row['event_type']} by {row['actor']}: {change}{reason}")


def _findings(story: Story) -> Iterator[Moment]:
    for row in story.findings:
        name = f"finding {row['finding_id']} {row['report']}"
        yield Moment(
            row["opened_at"], "finding", f"{name} opened, {row['severity']}: {row['reason'] or ''}".rstrip(": ")
        )
        if row["resolved_at"]:
            yield Moment(row["resolved_at"], "finding", f"{name} resolved by {row['resolved_by']}: {row['resolution']}")
    for row in story.trail:
        reason = f": {row['reason']}" if row["reason"] else ""
        number = f" (action {row['action_id']})" if row["action_id"] else ""
        yield Moment(row["at"], "repair", f"{row['event']}{number} by {row['actor']}{reason}")


def _money(amount: Decimal | None, currency: Any) -> str:
    return "no amount" if amount is None else f"{amount:f} {currency or ''}".rstrip()

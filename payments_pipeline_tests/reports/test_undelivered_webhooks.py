"""Failure catalogue, line W1: Stripe's own list of events against the inbox; and lines W as planted, read over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.small_world import planted_by, read_stripe, reported, scores, small_world

SUCCEEDED = "payment_intent.succeeded"
REPORTS = ("failed_webhooks", "undelivered_webhooks", "webhook_secret_mismatch", "webhook_silence")


def lost(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("undelivered_webhooks", **kwargs)


def event(ledger: Ledger, number: int, at: datetime | None = None, **columns: Any) -> None:
    """evt_N in Stripe's feed, about pi_N."""
    values = {
        "account": "acct_1", "livemode": True, "object_id": f"evt_{number}", "type": SUCCEEDED,
        "subject_id": f"pi_{number}", "subject_type": "payment_intent", "pending_webhooks": 0,
        "created_at": at or ago(hours=2), "read_at": AS_OF, "digest": 1,
    }  # fmt: skip
    ledger.add("recon.stripe_events", **values | columns)


def heard(ledger: Ledger, data: str | None, kind: str = SUCCEEDED, hours: float = 20, **columns: Any) -> None:
    """A line of the inbox; by default of long ago, so that the inbox is known to keep ids."""
    ledger.webhook(
        columns.pop("payment", None), "completed", webhook_type=kind, webhook_data=data, created_at=ago(hours=hours)
    )


def test_event_that_the_inbox_never_saw_names_the_payment(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, ledger.plan(), "pending")
    ledger.transaction("paid")
    heard(ledger, '{"id": "evt_0"}')
    event(ledger, 1, pending_webhooks=1)
    (row,) = lost(ledger)
    assert (row["provider"], row["event_ref"], row["provider_ref"]) == ("stripe", "evt_1", "pi_1")
    assert (row["payment_id"], row["user_id"], row["username"]) == (str(payment), str(user), "kim")
    assert (row["amount"], row["currency"], row["severity"]) == (Decimal(20), "USD", "HIGH")
    assert row["reason"] == "the provider could not deliver it, and the inbox does not have it"


def test_event_that_was_answered_and_never_stored(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_0"}')
    event(ledger, 1)
    (row,) = lost(ledger)
    assert row["reason"] == "the provider counts it as delivered, and the inbox does not have it"


@pytest.mark.parametrize(
    "data",
    [
        '{"id": "evt_1", "object": "event", "data": {"object": {"id": "pi_1"}}}',
        '{"event_id": "evt_1"}',
        '{"object": "event", "data": {"object": {"id": "pi_1"}}}',
        '{"id": "evt_of_our_own", "object": "pi_1"}',
        '{"id": "pi_1", "object": "payment_intent"}',
    ],
)
def test_event_in_the_inbox_is_delivered_however_the_inbox_keeps_it(ledger: Ledger, data: str) -> None:
    heard(ledger, '{"id": "evt_0"}')
    heard(ledger, data, hours=1.9)
    event(ledger, 1, pending_webhooks=1)
    assert lost(ledger) == []


def test_row_of_the_inbox_that_names_only_the_payment_is_enough(ledger: Ledger) -> None:
    payment = ledger.payment(ledger.user(), ledger.plan(), "succeeded")
    heard(ledger, '{"id": "evt_0"}')
    heard(ledger, None, payment=payment)
    event(ledger, 1)
    assert lost(ledger) == []


def test_another_event_of_the_same_type_about_the_same_object_is_not_the_same(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_2", "data": {"object": {"id": "pi_1"}}}', "charge.refunded")
    event(ledger, 1, type="charge.refunded")
    event(ledger, 2, type="charge.refunded", subject_id="pi_1")
    assert [row["event_ref"] for row in lost(ledger)] == ["evt_1"]


def test_types_that_nobody_listens_to_are_not_missed_unless_a_delivery_is_pending(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_0"}')
    event(ledger, 1, type="customer.updated")
    event(ledger, 2, type="charge.updated", pending_webhooks=1)
    assert [row["event_ref"] for row in lost(ledger)] == ["evt_2"]


def test_inbox_that_keeps_no_ids_cannot_be_judged(ledger: Ledger) -> None:
    heard(ledger, None)
    heard(ledger, '{"something": "else"}')
    event(ledger, 1, pending_webhooks=1)
    assert lost(ledger) == []


def test_event_from_before_a_pruned_inbox_begins_is_not_judged(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_0"}', hours=20)
    event(ledger, 1, ago(hours=21))
    event(ledger, 2, ago(hours=19))
    assert [row["event_ref"] for row in lost(ledger)] == ["evt_2"]


@pytest.mark.parametrize(("at", "rows"), [(ago(minutes=15), 1), (ago(minutes=14.9), 0), (ago(days=30), 0)])
def test_event_is_given_time_and_not_sought_for_ever(ledger: Ledger, at: datetime, rows: int) -> None:
    heard(ledger, '{"id": "evt_0"}')
    event(ledger, 1, at, pending_webhooks=1)
    assert len(lost(ledger)) == rows


def test_delivery_after_the_time_of_judgement_does_not_count_yet(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_0"}')
    heard(ledger, '{"id": "evt_1"}', hours=0.5)
    event(ledger, 1)
    assert lost(ledger) == []
    assert len(lost(ledger, as_of=AS_OF - timedelta(minutes=45))) == 1


def test_another_products_objects_are_not_ours(ledger: Ledger) -> None:
    heard(ledger, '{"id": "evt_0"}')
    event(ledger, 1, pending_webhooks=1)
    ledger.transaction("paid", link_method="foreign")
    assert lost(ledger) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_every_planted_webhook_is_found_and_nothing_else(engine: Engine, seed: int) -> None:
    names = planted_by("webhooks", "entitlement", "entitlement_lookalikes")
    world = small_world(engine, names, seed=seed, users=400)
    read_stripe(engine, world, ["payment_intents", "refunds", "events"])
    for name, tally in scores(engine, world, REPORTS).items():
        assert (name, tally.missed, tally.false) == (name, [], [])
        assert tally.planted >= 2, name
    assert {label.line for label in world.labels if label.report in REPORTS} >= {f"W{number}" for number in range(1, 7)}


def test_a_town_where_nothing_goes_wrong_gives_no_rows(engine: Engine) -> None:
    world = small_world(engine, [], seed=5, users=300)
    assert len(world.state.stripe.events) > 50
    read_stripe(engine, world, ["payment_intents", "events"])
    assert reported(engine, REPORTS) == {name: [] for name in REPORTS}

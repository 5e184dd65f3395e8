"""Repairs and ingestion against localstripe: no account, no idempotency, no sums of captures, no error codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from payments_pipeline.config import Settings
from payments_pipeline.errors import CredentialsError
from payments_pipeline.ingest.canonical import refresh_provider_transactions
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.localstripe import KEY, LocalStripe, localstripe
from payments_pipeline_tests.remediation.till import ACCOUNT, Till, settings_for
from payments_pipeline_tests.remediation.town import Town

PART = {"capture_amount": "30.50"}


@pytest.fixture(scope="module")
def stripe() -> Iterator[LocalStripe]:
    with localstripe() as stripe:
        yield stripe


@pytest.fixture
def till(town: Town, settings: Settings, stripe: LocalStripe) -> Till:
    town.run("UPDATE recon.policies SET approvals = 0")
    return Till(town, settings_for(settings, stripe.base, KEY))


def at(stripe: LocalStripe, ref: str) -> dict[str, Any]:
    return stripe.get(f"payment_intents/{ref}")


def once(name: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Somebody else acts as soon as that step is done."""

    def step(done: str) -> None:
        if done == name:
            act()

    return step


def test_holds_are_captured_whole_or_in_part_and_let_go(till: Till, stripe: LocalStripe) -> None:
    whole, part, gone = (till.known(stripe.hold(), came=came) for came in (True, True, False))
    assert till.repaired("capture_payment", whole).state == "verified"
    assert till.repaired("capture_payment", part, **PART).state == "verified"
    assert till.repaired("release_authorization", gone).state == "verified"
    assert [till.row(ref) for ref in (whole, part, gone)] == [
        ("completed", Decimal(80), "completed"), ("completed", Decimal("30.5"), "completed"),
        ("cancelled", Decimal(80), "cancelled"),
    ]  # fmt: skip
    assert [at(stripe, ref)["status"] for ref in (whole, part, gone)] == ["succeeded", "succeeded", "canceled"]
    assert at(stripe, part)["latest_charge"]["amount_refunded"] == 4950
    for ref in (whole, part, gone):
        assert "holds nothing any more" in str(till.view("capture_payment", ref).reason)


def test_what_others_do_in_between_is_settled_by_reading_whatever_the_error_says(
    till: Till, stripe: LocalStripe
) -> None:
    """Its errors have no codes: 400, "Bad request"."""
    taken, freed, raced = (till.known(stripe.hold(), came=came) for came in (True, False, True))
    captured = once("read", lambda: stripe.post(f"payment_intents/{taken}/capture"))
    assert till.apply(till.proposed("capture_payment", taken), captured).state == "verified"
    cancelled = once("read", lambda: stripe.post(f"payment_intents/{freed}/cancel"))
    assert till.apply(till.proposed("release_authorization", freed), cancelled).state == "verified"
    lost = once("claimed", lambda: stripe.post(f"payment_intents/{raced}/cancel"))
    assert till.apply(till.proposed("capture_payment", raced), lost).state == "rejected"
    assert [till.row(ref)[0] for ref in (taken, freed, raced)] == ["completed", "cancelled", "authorized"]
    charge = at(stripe, taken)["latest_charge"]
    assert (charge["captured"], charge["amount_refunded"]) == (True, 0)


def test_another_sum_than_was_asked_for_is_neither_verified_nor_taken_for_nothing(
    till: Till, stripe: LocalStripe
) -> None:
    """It tells only what was kept: somebody else's part is not our whole, and ours may have shrunk since."""
    for step in ("claimed", "read"):
        ref = till.known(stripe.hold())
        act = partial(stripe.post, f"payment_intents/{ref}/capture", amount_to_capture=3050)
        ended = till.apply(till.proposed("capture_payment", ref), once(step, act))
        assert (ended.state, "a person must look" in str(ended.reason)) == ("failed", True), ended
        assert till.row(ref)[0] == "authorized"
    ref = till.known(stripe.hold())

    def lost() -> None:
        stripe.post("refunds", payment_intent=ref, amount=500)
        raise ConnectionAbortedError

    ours = till.proposed("capture_payment", ref, **PART)
    with pytest.raises(ConnectionAbortedError):
        till.apply(ours, once("called", lost))
    assert till.apply(ours).state == "failed"
    assert till.row(ref)[0] == "authorized"


def test_refunds_are_made_once_and_read_back_by_their_mark(till: Till, stripe: LocalStripe) -> None:
    ref = till.known(stripe.pay()["id"], status="completed")
    two = [till.proposed("refund_payment", ref, refund_amount="5") for _ in range(2)]
    assert [till.apply(action).state for action in two] == ["verified", "rejected"]
    assert till.row(ref)[0] == "completed"
    assert till.repaired("refund_payment", ref).state == "verified"
    made = stripe.get(f"refunds?payment_intent={ref}")["data"]
    assert (sorted(one["amount"] for one in made), till.row(ref)[0]) == ([500, 7500], "refunded")
    unpaid = till.known(stripe.post("payment_intents", amount=8000, currency="usd")["id"], status="completed")
    assert "nothing was taken" in str(till.view("refund_payment", unpaid).reason)


def test_rows_are_brought_in_line_with_it(till: Till, stripe: LocalStripe) -> None:
    paid, given_back = till.known(stripe.pay()["id"]), till.known(stripe.pay()["id"])
    stripe.post("refunds", payment_intent=given_back)
    assert [till.repaired("sync_payment_status", ref).state for ref in (paid, given_back)] == ["verified"] * 2
    assert [till.row(ref)[0] for ref in (paid, given_back)] == ["completed", "refunded"]


def test_unknown_ids_and_refused_keys_are_told_apart(till: Till, stripe: LocalStripe) -> None:
    assert "has no pi_nothing" in str(till.view("capture_payment", till.known("pi_nothing")).reason)
    stranger = Till(till.town, settings_for(till.settings, stripe.base, "rk_test_nobody"))
    refused = stranger.view("capture_payment", till.known(stripe.hold()))
    assert "STRIPE_API_KEY" in str(refused.reason)
    with pytest.raises(CredentialsError, match="STRIPE_API_KEY"):
        stranger.desk.stripe(ACCOUNT)


def test_not_one_object_is_lost_or_doubled_on_the_way_in(till: Till, stripe: LocalStripe, engine: Engine) -> None:
    """Over pages, without a filter on created, and with what only some servers lack."""
    customer = stripe.post("customers", email="kim@example.com", payment_method="pm_card_visa")
    for _ in range(102):
        stripe.pay(100)
    stripe.post("refunds", payment_intent=stripe.pay(900)["id"], amount=300)
    stripe.post("plans", id="pro", amount=1999, currency="usd", interval="month", product={"name": "Pro"})
    stripe.post("subscriptions", customer=customer["id"], items={"0": {"plan": "pro"}}, trial_period_days=3)
    now = datetime.now(UTC) + timedelta(seconds=5)
    provider = StripeProvider(till.settings, lambda: now)
    window = Window(now - timedelta(days=1), now)

    def read(resource: str) -> Coverage:
        return snapshot(
            engine, provider, provider.identify(), resource, window,
            as_of=now, mode="sweep", run_id=None, clock=lambda: now,
        )  # fmt: skip

    for resource in ("payment_intents", "charges", "refunds", "customers", "subscriptions", "balance_transactions",
                     "events", "payouts"):  # fmt: skip
        there = stripe.get(f"{resource}?limit=1000")["data"]
        for _ in range(2):
            seen = read(resource)
            assert (seen.complete, seen.rejected, seen.objects) == (True, 0, len(there)), seen
            assert till.town.count(f"recon.stripe_{resource}") == len(there), resource
    for resource in ("disputes", "checkout_sessions", "transfers"):
        lacking = read(resource)
        assert (lacking.complete, "404" in str(lacking.error)) == (False, True), lacking
    period = "SELECT concat_ws(' ', currency, amount, price_id, period) FROM recon.stripe_subscriptions"
    assert till.town.run(period) == "usd 19.99 pro month"


def test_after_repairs_the_snapshots_say_what_the_rows_say(till: Till, stripe: LocalStripe, engine: Engine) -> None:
    refs = [till.known(stripe.hold(), came=came) for came in (True, True, False)]
    till.repaired("capture_payment", refs[0])
    till.repaired("capture_payment", refs[1], **PART)
    till.repaired("release_authorization", refs[2])
    provider, account = till.desk.stripe_account(ACCOUNT)
    for resource, ids in (("payment_intents", refs), ("refunds", _refunds(stripe, refs[:2]))):
        reread(engine, provider, account, resource, ids, as_of=AS_OF, mode="reread", run_id=None, clock=lambda: AS_OF)
    till.town.run("DELETE FROM recon.provider_transactions")
    refresh_provider_transactions(engine, AS_OF)
    state = "SELECT state FROM recon.provider_transactions WHERE provider_ref = :ref"
    assert [till.town.run(state, ref=ref) for ref in refs] == ["paid", "paid", "canceled"]
    kept = "SELECT amount_received - amount_refunded FROM recon.provider_transactions WHERE provider_ref = :ref"
    assert till.town.run(kept, ref=refs[1]) == till.row(refs[1])[1]


def _refunds(stripe: LocalStripe, refs: list[str]) -> list[str]:
    return [one["id"] for ref in refs for one in stripe.get(f"refunds?payment_intent={ref}")["data"]]

"""The truth about holds, services and payouts in the invented world, held against a second opinion in plain Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from payments_pipeline.sandbox.world import World, build_world
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.sandbox import oracle_services
from payments_pipeline_tests.sandbox.oracle import stuck_authorizations

ORACLE: dict[str, tuple[str, Callable[[World], set[str]]]] = {
    "stuck_authorizations": ("provider_ref", stuck_authorizations),
    "no_show_holds": ("provider_ref", oracle_services.no_show_holds),
    "expired_authorizations": ("provider_ref", oracle_services.expired_authorizations),
    "missing_payments": ("booking_id", oracle_services.missing_payments),
    "failed_payouts": ("", oracle_services.failed_payouts),
    "payout_mismatches": ("provider_ref", oracle_services.payout_mismatches),
}


def planted(world: World, report: str, column: str) -> set[str]:
    labels = [label.key for label in world.labels if label.report == report and label.expected]
    return {key[column] if column else next(iter(key.values())) for key in labels}


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_oracle_finds_what_was_planted_and_nothing_else(seed: int) -> None:
    world = build_world(seed, 900, AS_OF)
    for report, (column, opinion) in ORACLE.items():
        assert (report, opinion(world)) == (report, planted(world, report, column))


def test_a_town_where_nothing_goes_wrong_is_clean() -> None:
    world = build_world(11, 600, AS_OF, only=())
    assert {report: opinion(world) for report, (_, opinion) in ORACLE.items()} == {report: set() for report in ORACLE}


def test_recommendations_follow_from_the_bookings() -> None:
    world = build_world(3, 600, AS_OF)
    services = oracle_services.Services(world)
    labels = [label.key for label in world.labels if "recommendation" in label.key]
    assert {key["recommendation"] for key in labels} == {"capture", "release", "wait"}
    for key in labels:
        assert oracle_services.recommendation(services, key["provider_ref"]) == key["recommendation"]


def test_money_at_stripe_goes_out_every_week_and_adds_up() -> None:
    stripe = build_world(2, 600, AS_OF, only=()).state.stripe
    assert {payout["currency"] for payout in stripe.payouts.values()} >= {"usd", "eur", "jpy"}
    assert {payout["status"] for payout in stripe.payouts.values()} == {"paid", "in_transit"}
    for ref, names in stripe.payout_transactions.items():
        assert sum(stripe.balance_transactions[name]["net"] for name in names) == 0
        assert stripe.payouts[ref]["amount"] > 0
    listed = [name for names in stripe.payout_transactions.values() for name in names]
    assert len(listed) == len(set(listed))
    for charge in stripe.charges.values():
        assert (charge["balance_transaction"] in stripe.balance_transactions) == charge["captured"]

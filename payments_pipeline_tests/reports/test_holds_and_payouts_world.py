"""Lines H and P of the failure catalogue, planted among clean residents and read over HTTP: all found, nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from payments_pipeline_tests.reports.small_world import planted_by, read_stripe, reported, scores, small_world

REPORTS = (
    "stuck_authorizations", "expired_authorizations", "no_show_holds", "missing_payments", "failed_payouts",
    "payout_mismatches",
)  # fmt: skip
RESOURCES = (
    "payment_intents", "refunds", "charges", "payouts", "transfers", "transfer_reversals", "balance_transactions",
    "payout_items",
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_every_planted_hold_service_and_payout_is_found_and_nothing_else(engine: Engine, seed: int) -> None:
    world = small_world(engine, planted_by("holds", "services", "payouts", "state"), seed=seed, users=400)
    read_stripe(engine, world, RESOURCES)
    for name, tally in scores(engine, world, REPORTS).items():
        assert (name, tally.missed, tally.false) == (name, [], [])
        assert tally.planted >= 2, name
    lines = {label.line for label in world.labels if label.report in REPORTS}
    assert lines >= {*(f"H{number}" for number in range(1, 8)), *(f"P{number}" for number in range(1, 7))}


def test_a_town_where_nothing_goes_wrong_gives_no_rows(engine: Engine) -> None:
    world = small_world(engine, [], seed=5, users=300)
    assert world.state.stripe.payouts
    assert world.state.stripe.transfers
    read_stripe(engine, world, RESOURCES)
    assert reported(engine, REPORTS) == {name: [] for name in REPORTS}


def test_before_the_parts_of_payouts_are_read_nothing_is_said_about_sums(engine: Engine) -> None:
    world = small_world(engine, planted_by("payouts"), seed=3, users=200)
    read_stripe(engine, world, [name for name in RESOURCES if name != "payout_items"])
    assert reported(engine, ["payout_mismatches"]) == {"payout_mismatches": []}

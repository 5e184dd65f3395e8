"""Absence needs proof: what was not read in full neither opens nor resolves anything."""

from __future__ import annotations

import pytest

from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes


def test_a_provider_that_failed_neither_opens_nor_resolves(desk: Desk) -> None:
    desk.anomaly("old")
    desk.refresh()
    before = desk.findings()
    desk.ledger.coverage("stripe", "refunds", complete=False)
    desk.gone("old")
    desk.anomaly("new")
    assert desk.refresh() == changes(withheld=2)
    assert desk.findings() == before
    desk.ledger.coverage("stripe", "refunds", complete=True)
    assert desk.refresh() == changes(opened=1, resolved=1)


def test_one_account_of_two_that_failed_is_enough_to_withhold(desk: Desk) -> None:
    desk.anomaly("a")
    desk.ledger.read_in_full(stripe=True)
    with desk.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE recon.coverage SET account = 'acct_2', complete = FALSE WHERE coverage_id ="
            " (SELECT max(coverage_id) FROM recon.coverage WHERE resource = 'payment_intents')"
        )
    assert desk.refresh() == changes(withheld=1)


def test_a_configured_provider_that_was_never_read_is_not_believed(desk: Desk) -> None:
    desk.configured = {"stripe", "okx"}
    desk.anomaly("a", provider="okx")
    desk.anomaly("b", provider="stripe")
    assert desk.refresh() == changes(opened=1, withheld=1)


def test_one_failing_provider_leaves_the_other_alone(desk: Desk) -> None:
    desk.configured = {"stripe", "okx"}
    desk.ledger.read_in_full(okx=True)
    desk.anomaly("a", provider="okx")
    desk.anomaly("b", provider="stripe")
    desk.refresh()
    desk.ledger.read_in_full(okx=False)
    desk.gone("a", "b")
    assert desk.refresh() == changes(resolved=1, withheld=1)


@pytest.mark.parametrize(("unconfigured", "expected"), [("judge", {"opened": 1}), ("withhold", {"withheld": 1})])
def test_rows_of_a_provider_without_credentials_are_worth_what_the_report_says(
    desk: Desk, unconfigured: str, expected: dict[str, int]
) -> None:
    desk.configured, desk.unconfigured = frozenset(), unconfigured
    desk.anomaly("a", provider="stripe")
    assert desk.refresh() == changes(**expected)
    desk.anomaly("b", provider="paypal")
    assert desk.refresh().opened == 1


@pytest.mark.parametrize(("okx", "expected"), [(True, {"opened": 1}), (False, {"withheld": 1})])
def test_a_row_without_a_provider_needs_all_that_are_configured(
    desk: Desk, okx: bool, expected: dict[str, int]
) -> None:
    desk.configured = {"stripe", "okx"}
    desk.ledger.read_in_full(okx=okx)
    desk.anomaly("a", provider=None)
    assert desk.refresh() == changes(**expected)

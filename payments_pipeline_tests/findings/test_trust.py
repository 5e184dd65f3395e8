"""Absence needs proof: what was not read in full neither opens nor resolves anything."""

from __future__ import annotations

import pytest

from payments_pipeline_tests.conftest import AS_OF
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


def reject(desk: Desk, object_id: str, resource: str = "payment_intents", body: str = "{}") -> None:
    desk.ledger.add(
        "recon.rejected_objects",
        provider="stripe", account="acct_1", resource=resource, object_id=object_id, reason="no amount", body=body,
        first_seen_at=AS_OF, last_seen_at=AS_OF,
    )  # fmt: skip


def readable_again(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM recon.rejected_objects")


def test_what_cannot_be_read_withholds_itself_alone(desk: Desk) -> None:
    desk.anomaly("known", provider_ref="pi_1")
    desk.anomaly("other", provider_ref="pi_2")
    desk.refresh()
    (before,) = [one for one in desk.findings() if one["evidence"]["thing"] == "known"]
    reject(desk, "pi_1")
    reject(desk, "pi_3")
    desk.gone("known", "other")
    desk.anomaly("new", provider_ref="pi_3")
    desk.anomaly("fourth", provider_ref="pi_4")
    assert desk.refresh() == changes(opened=1, resolved=1, withheld=2)
    assert before in desk.findings()
    readable_again(desk)
    assert desk.refresh() == changes(opened=1, refreshed=1, resolved=1)


@pytest.mark.parametrize(
    "body",
    ['{"payment_intent":"pi_1","amount":null}', '{"amount": null, "payment_intent" : "pi_1"}', '{"charge":"pi_1"}'],
)
def test_the_payment_that_an_unreadable_refund_names_is_withheld_too(desk: Desk, body: str) -> None:
    reject(desk, "re_1", "refunds", body)
    desk.anomaly("a", provider_ref="pi_1")
    desk.anomaly("b", provider_ref="pi_10")
    assert desk.refresh() == changes(opened=1, withheld=1)


def test_a_body_that_the_server_could_not_take_apart_disturbs_nothing(desk: Desk) -> None:
    reject(desk, "re_1", "refunds", '{"reason":"a\\u0000b\\ud800","payment_intent":"pi_1"}')
    desk.anomaly("a", provider_ref="pi_1")
    assert desk.refresh() == changes(withheld=1)


def test_an_unreadable_object_of_a_list_that_the_report_does_not_need_withholds_nothing(desk: Desk) -> None:
    reject(desk, "evt_1", "events", '{"payment_intent":"pi_1"}')
    desk.anomaly("a", provider_ref="pi_1")
    assert desk.refresh() == changes(opened=1)


def test_the_same_id_at_another_provider_is_another_object(desk: Desk) -> None:
    desk.configured = {"stripe", "okx"}
    desk.ledger.read_in_full(okx=True)
    reject(desk, "1")
    desk.anomaly("a", provider="okx", provider_ref="1")
    assert desk.refresh() == changes(opened=1)

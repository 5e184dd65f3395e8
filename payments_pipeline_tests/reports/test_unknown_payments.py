"""Failure catalogue, lines S5 and S11: payments that the provider does not have, and what proves it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.effort import executed, most_looked_at
from payments_pipeline_tests.reports.ledger import Ledger, Row, ago
from payments_pipeline_tests.reports.stripe_rows import charge

MANY_CERTIFICATES = text("""
    INSERT INTO recon.coverage (
        provider, account, livemode, resource, mode, window_from, window_to, as_of, pages, objects, rows_written,
        complete, started_at, finished_at
    )
    SELECT
        'stripe', 'acct_1', true, r.resource, 'incremental', g.at - interval '2 minutes', g.at, g.at, 1, 1, 1,
        g.n <> 5000, g.at, g.at
    FROM unnest(ARRAY['payment_intents', 'refunds', 'charges', 'events']) AS r (resource)
    CROSS JOIN (
        SELECT n, cast(:as_of AS timestamptz) - n * interval '1 minute' AS at FROM generate_series(1, 10000) AS n
    ) AS g
""")


def listed(
    ledger: Ledger, since: datetime, until: datetime = AS_OF, *, account: str = "acct_1", livemode: bool = True,
    complete: bool = True, provider: str = "stripe", resource: str = "payment_intents", **columns: Any,
) -> None:  # fmt: skip
    """A certificate of one list."""
    values: Row = {
        "provider": provider, "account": account, "livemode": livemode, "resource": resource, "mode": "sweep",
        "window_from": since, "window_to": until, "as_of": AS_OF, "pages": 1, "objects": 1, "rows_written": 1,
        "complete": complete, "started_at": AS_OF, "finished_at": AS_OF,
    }  # fmt: skip
    ledger.add("recon.coverage", **values | columns)


def unknowns(ledger: Ledger, **kwargs: Any) -> list[Row]:
    return ledger.rows("unknown_payments", **kwargs)


def test_reference_of_nothing_inside_a_complete_list(ledger: Ledger) -> None:
    user = ledger.user()
    payment = ledger.payment(user, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90))
    (row,) = unknowns(ledger)
    assert (row["payment_id"], row["user_id"], row["username"]) == (payment, user, "kim")
    assert (row["provider"], row["provider_ref"], row["severity"]) == ("stripe", "pi_1", "HIGH")
    assert (row["amount"], row["currency"], row["app_state"]) == (20, "USD", "paid")
    assert row["reason"] == "the provider never had it: all that was made around that time was read"


def test_payment_that_the_provider_has_is_known(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    ledger.transaction("paid", ago(days=10))
    listed(ledger, ago(days=90))
    assert unknowns(ledger) == []


def test_without_any_list_nothing_is_absent(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    assert unknowns(ledger) == []


@pytest.mark.parametrize("list_", [
    {"complete": False}, {"mode": "reread"}, {"mode": "feed"}, {"resource": "refunds"}, {"provider": "nowpayments"},
])  # fmt: skip
def test_what_is_no_complete_list_of_payments_proves_nothing(ledger: Ledger, list_: Row) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90), **list_)
    assert unknowns(ledger) == []


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [(26, 0, 1), (23, 0, 0), (90, -2, 1), (90, -0.5, 0)],
    ids=["a day before", "less than a day before", "hours after", "minutes after"],
)
def test_payment_near_the_edge_of_a_list_is_not_judged(
    ledger: Ledger, since: float, until: float, expected: int
) -> None:
    at = ago(days=10)
    ledger.payment(None, None, "succeeded", at)
    listed(ledger, at - timedelta(hours=since), at - timedelta(hours=until) if until else AS_OF)
    assert len(unknowns(ledger)) == expected


def test_a_list_speaks_of_nothing_that_was_made_after_it_began(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=1))
    listed(ledger, ago(days=90), started_at=ago(days=1), finished_at=ago(days=1))
    assert unknowns(ledger) == []


@pytest.mark.parametrize(("gap_minutes", "expected"), [(0, 1), (1, 0)])
def test_lists_that_meet_are_one_and_a_gap_between_them_proves_nothing(
    ledger: Ledger, gap_minutes: int, expected: int
) -> None:
    at = ago(days=10)
    ledger.payment(None, None, "succeeded", at)
    listed(ledger, ago(days=90), at)
    listed(ledger, at + timedelta(minutes=gap_minutes), mode="incremental")
    assert len(unknowns(ledger)) == expected


def test_an_old_complete_list_still_proves_what_it_covered_after_a_failure(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90))
    listed(ledger, ago(days=90), complete=False)
    assert len(unknowns(ledger)) == 1


def test_every_account_must_have_been_listed(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90))
    listed(ledger, ago(days=5), account="acct_2")
    assert unknowns(ledger) == []
    listed(ledger, ago(days=90), ago(days=4), account="acct_2", mode="backfill")
    assert len(unknowns(ledger)) == 1


def test_fetch_that_never_learned_whose_account_it_is_blocks_until_a_later_run(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90), run_id="one")
    listed(ledger, ago(days=90), account="unidentified", livemode=False, complete=False, run_id="two")
    listed(ledger, ago(days=90), run_id="two")
    assert unknowns(ledger) == []
    listed(ledger, ago(days=90), run_id="three")
    assert len(unknowns(ledger)) == 1


def test_object_in_test_mode_is_no_payment_where_live_accounts_are_known(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90))
    listed(ledger, ago(days=5), account="acct_test", livemode=False)
    ledger.transaction("paid", ago(days=10), account="acct_test", livemode=False)
    (row,) = unknowns(ledger)
    assert row["reason"] == "it exists in test mode only, in account acct_test"


def test_where_only_test_accounts_are_known_test_objects_are_the_payments(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    ledger.payment(None, None, "succeeded", ago(days=10), transaction_id="pi_2")
    listed(ledger, ago(days=90), livemode=False)
    ledger.transaction("paid", ago(days=10), livemode=False)
    assert [row["provider_ref"] for row in unknowns(ledger)] == ["pi_2"]


def test_list_of_the_other_mode_proves_nothing(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90), livemode=False)
    listed(ledger, ago(days=5), livemode=True)
    assert unknowns(ledger) == []


def test_payment_that_the_provider_no_longer_has(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    ledger.transaction("paid", ago(days=10), vanished_at=ago(days=1))
    listed(ledger, ago(days=90))
    (row,) = unknowns(ledger)
    assert row["reason"] == "the provider no longer has it"


@pytest.mark.parametrize("status", ["failed", "canceled", "expired"])
def test_attempt_that_the_application_gave_up_is_missed_by_nobody(ledger: Ledger, status: str) -> None:
    ledger.payment(None, None, status, ago(days=10))
    listed(ledger, ago(days=90))
    assert unknowns(ledger) == []


@pytest.mark.parametrize("ref", ["in_1", "sub_1", "seti_1", None])
def test_what_is_no_payments_id_is_not_looked_for(ledger: Ledger, ref: str | None) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10), transaction_id=ref)
    listed(ledger, ago(days=90))
    assert unknowns(ledger) == []


def test_charge_is_looked_for_among_charges(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10), transaction_id="ch_1")
    ledger.payment(None, None, "succeeded", ago(days=10), transaction_id="ch_2")
    charge(ledger, "ch_1", payment_intent_id="pi_9")
    listed(ledger, ago(days=90))
    assert unknowns(ledger) == []
    listed(ledger, ago(days=90), resource="charges")
    assert [row["provider_ref"] for row in unknowns(ledger)] == ["ch_2"]


def test_object_that_was_set_aside_as_unreadable_exists(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=10))
    listed(ledger, ago(days=90))
    ledger.add(
        "recon.rejected_objects", provider="stripe", account="acct_1", resource="payment_intents", object_id="pi_1",
        reason="amount is missing", first_seen_at=AS_OF, last_seen_at=AS_OF,
    )  # fmt: skip
    assert unknowns(ledger) == []


@pytest.mark.parametrize(("status", "expected"), [("finished", 1), ("pending", 0)])
def test_checkout_at_the_gateway_that_was_abandoned_is_no_payment_yet(
    ledger: Ledger, status: str, expected: int
) -> None:
    """No coin was chosen: there is an invoice, and no payment."""
    ledger.payment(None, None, status, ago(days=10), payment_method="nowpayments", transaction_id="900")
    listed(ledger, ago(days=90), provider="nowpayments", resource="payments")
    assert len(unknowns(ledger)) == expected


def test_gateways_invoice_number_is_known_by_the_payment_that_names_the_order(ledger: Ledger) -> None:
    payment = ledger.payment(
        None, None, "finished", ago(days=10), payment_method="nowpayments", transaction_id="invoice"
    )
    listed(ledger, ago(days=90), provider="nowpayments", resource="payments")
    assert len(unknowns(ledger)) == 1
    ledger.transaction("paid", provider="nowpayments", payment_ref=str(payment), link_method="metadata")
    assert unknowns(ledger) == []


@pytest.mark.parametrize(("status", "expected"), [("completed", 1), ("pending", 0)])
@pytest.mark.parametrize("names", [{"transaction_id": "dep_9"}, {"transaction_id": None, "tx_hash": "0xdef"}])
def test_deposit_that_the_application_counts_and_nobody_received(
    ledger: Ledger, status: str, expected: int, names: Row
) -> None:
    ledger.payment(None, None, status, ago(days=10), payment_method="okx", **names)
    ledger.payment(None, None, status, ago(days=10), payment_method="okx", transaction_id="0xabc")
    ledger.payment(None, None, status, ago(days=10), payment_method="okx", transaction_id=None, tx_hash="0xabc")
    ledger.deposit("paid")
    listed(ledger, ago(days=90), provider="okx", resource="deposits", account="1")
    assert len(unknowns(ledger)) == expected


def test_thousands_of_short_lists_are_joined_quickly(ledger: Ledger) -> None:
    ledger.payment(None, None, "succeeded", ago(days=2))
    ledger.payment(None, None, "succeeded", ago(days=5))
    with ledger.engine.begin() as connection:
        connection.execute(MANY_CERTIFICATES, {"as_of": AS_OF})
    before = time.perf_counter()
    assert [row["created_at"] for row in unknowns(ledger)] == [ago(days=2), ago(days=5)]
    assert time.perf_counter() - before < 2


def test_a_database_of_which_the_provider_knows_nothing_is_no_work_for_each_payment(ledger: Ledger) -> None:
    """As when the keys of another account were put in."""
    unknown = 2_000
    with ledger.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO public.payment_transactions (status, payment_method, transaction_id, amount, currency,"
                " created_at, updated_at) SELECT 'succeeded', 'stripe', 'pi_' || n, 20, 'USD', :at, :at"
                " FROM generate_series(1, :unknown) AS n"
            ),
            {"at": ago(days=10), "unknown": unknown},
        )
    listed(ledger, ago(days=90))
    assert ledger.run("unknown_payments").rows == unknown
    rows, step = most_looked_at(executed(ledger.engine, "unknown_payments"))
    assert rows <= 10 * unknown, step

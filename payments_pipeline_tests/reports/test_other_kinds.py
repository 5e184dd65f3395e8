"""Disputes, payouts and transfers stand in the canonical table too. They are no payments, whatever the application has.

The kinds that reports on payments judge are payment and deposit.
"""

from __future__ import annotations

import pytest

from payments_pipeline.db.sql import named
from payments_pipeline.remediation.activate_subscription import TOLERANCE
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger, ago

OTHERS = ["dispute", "payout", "transfer"]


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("state", ["paid", "refunded", "frozen", "unknown"])
def test_is_compared_with_no_payment(ledger: Ledger, kind: str, state: str) -> None:
    ledger.payment(None, None, "pending", ago(days=2))
    ledger.transaction(state, kind=kind)
    ledger.transaction("unknown", kind=kind, provider_ref="x_2")
    assert ledger.rows("out_of_sync_payments") == []


@pytest.mark.parametrize("kind", OTHERS)
def test_pays_for_nothing_and_repairs_nothing(ledger: Ledger, kind: str) -> None:
    user = ledger.user()
    payment = ledger.payment(user, ledger.plan(), "pending", ago(days=2))
    ledger.transaction("paid", kind=kind)
    # A transfer carries the payment's metadata, and sends its money on to somebody else.
    unstored = ledger.payment(user, ledger.plan("basic"), "pending", ago(days=2), transaction_id=None)
    ledger.transaction("paid", kind=kind, provider_ref="x_2", payment_ref=str(unstored), link_method="metadata")
    assert ledger.rows("activation_gaps") == []
    sought = {"user_id": user, "as_of": AS_OF, "tolerance": TOLERANCE}
    with ledger.engine.connect() as connection:
        assert connection.execute(named("remediation/activation_payment.sql"), sought).all() == []
        states = connection.execute(named("remediation/payment_states.sql"), {"payment_id": payment}).mappings().one()
    assert states["provider_state"] is None


@pytest.mark.parametrize("kind", OTHERS)
def test_takes_no_paid_access_away(ledger: Ledger, kind: str) -> None:
    """Not even a dispute: it makes its payment `disputed`, and that is what the reports go by."""
    ledger.payment(ledger.user(), ledger.plan(), "succeeded")
    ledger.transaction("paid", raw_status="succeeded")
    ledger.transaction("refunded", kind=kind, provider_ref="x_2", parent_ref="pi_1", amount=20)
    (gap,) = ledger.rows("activation_gaps")
    assert gap["repairable"] is True


@pytest.mark.parametrize("kind", OTHERS)
def test_holds_nothing(ledger: Ledger, kind: str) -> None:
    ledger.transaction("authorized", ago(days=9), kind=kind)
    assert ledger.rows("stuck_authorizations") == []


def test_a_refund_of_a_status_nobody_knows_is_still_worth_a_look(ledger: Ledger) -> None:
    ledger.transaction("unknown", kind="refund", provider_ref="re_1", parent_ref="pi_1", raw_status="quantum")
    (unknown,) = ledger.rows("unmapped_statuses")
    assert unknown["raw_status"] == "quantum"

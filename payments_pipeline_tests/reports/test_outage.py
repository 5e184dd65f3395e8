"""An outage of the webhook inbox: thousands of payers without access, and as many webhooks that name nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from payments_pipeline_tests.reports.effort import executed, most_looked_at
from payments_pipeline_tests.reports.ledger import Ledger, ago

PAYERS = 2_000

_OUTAGE = (
    "INSERT INTO public.users (username, email) SELECT 'u' || n, n || '@example.com' FROM generate_series(1, :n) AS n",
    "INSERT INTO public.payment_transactions (user_id, plan_id, status, payment_method, transaction_id, amount,"
    " currency, created_at, updated_at, confirmed_at) SELECT id, :plan, 'succeeded', 'stripe', 'pi_' || id, 20,"
    " 'USD', :at, :at, :at FROM public.users",
    "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
    " raw_status, amount, currency, link_method, provider_created_at, state_changed_at, read_at, paid_at)"
    " SELECT 'stripe', 'a', 'pi_' || id, 'payment', TRUE, 'paid', 'succeeded', 20, 'USD', 'reference', :at,"
    " :at, :at, :at FROM public.users",
    "INSERT INTO recon.stripe_checkout_sessions (account, livemode, object_id, payment_state,"
    " payment_intent_id, created_at, read_at, digest)"
    " SELECT 'a', TRUE, 'cs_' || id, 'complete', 'pi_' || id, :at, :at, 1 FROM public.users",
    "INSERT INTO public.webhook_logs (payment_method, webhook_data, processing_status, signature_valid,"
    " created_at) SELECT 'stripe', jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object("
    " 'id', CASE WHEN id % 2 = 0 THEN 'cs_' ELSE 'pi_' END || id))), 'failed', FALSE, :at FROM public.users",
)
# What more is asked for payer by payer: webhooks that name the payer alone, and events.
_HISTORY = (
    "INSERT INTO public.webhook_logs (payment_method, user_id, processing_status, signature_valid, created_at)"
    " SELECT 'stripe', id, 'completed', TRUE, :at FROM public.users",
    "INSERT INTO public.subscription_events (user_id, event_type, new_status, new_tier, created_at)"
    " SELECT id, 'payment_seen', NULL, NULL, :at + INTERVAL '1 hour' FROM public.users",
)


def outage(ledger: Ledger, *statements: str) -> None:
    """Twenty hours ago."""
    known = {"plan": ledger.plan(), "n": PAYERS, "at": ago(hours=20)}
    with ledger.engine.begin() as connection:
        for statement in (*_OUTAGE, *statements):
            connection.execute(
                text(statement), {name: value for name, value in known.items() if f":{name}" in statement}
            )


def test_an_outage_in_which_nobody_was_named_is_told_by_each_gap(ledger: Ledger) -> None:
    outage(ledger)
    result = ledger.run("activation_gaps")
    assert result.rows == PAYERS
    assert {row["reason"] for row in result.preview} == {"webhook refused: signature invalid"}


@pytest.mark.parametrize("analysed", [None, "ANALYZE public.webhook_logs", "ANALYZE"])
@pytest.mark.parametrize("history", [(), _HISTORY])
def test_no_step_looks_at_every_webhook_for_every_gap(
    engine: Engine, history: tuple[str, ...], analysed: str | None
) -> None:
    """Whatever the database knows of its tables: nothing of any of them, of one, or everything."""
    outage(Ledger(engine), *history)
    if analysed is not None:
        with engine.begin() as connection:
            connection.execute(text(analysed))
    rows, step = most_looked_at(executed(engine, "activation_gaps"))
    assert rows <= 100 * PAYERS, step

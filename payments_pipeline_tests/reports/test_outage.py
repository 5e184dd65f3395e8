"""An outage of the webhook inbox: thousands of payers without access, and as many webhooks that name nobody."""

from __future__ import annotations

import time

from sqlalchemy import text

from payments_pipeline_tests.reports.ledger import Ledger, ago


def test_an_outage_in_which_nobody_was_named_is_told_by_each_gap_and_soon(ledger: Ledger) -> None:
    plan, count = ledger.plan(), 2_000
    with ledger.engine.begin() as connection:
        for statement in (
            "INSERT INTO public.users (username, email) SELECT 'u' || n, n || '@example.com' FROM {} AS s (n)",
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
        ):
            made = statement.format("generate_series(1, :count)")
            connection.execute(text(made), {"plan": plan, "count": count, "at": ago(hours=20)})
        connection.execute(text("ANALYZE public.webhook_logs"))
    before = time.perf_counter()
    result = ledger.run("activation_gaps")
    took = time.perf_counter() - before
    assert result.rows == count
    assert {row["reason"] for row in result.preview} == {"webhook refused: signature invalid"}
    assert took < 5

"""A million users by SQL alone: users, payments, provider transactions, webhooks and events over 90 days, 0.1 % wrong.

Belongs here: the rows and their indexes. Does not belong here: what is measured on them (bench_reports.py). Every tenth
of a thousand users lacks what the newest payment bought (its webhook is lost: the application waits); as many have an
older payment that the application never marked; one payment in a thousand is a hold older than seven days.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
MONTHS = 3
USERS = 1_000_000
# How long ago last months began, for a million users. Fewer users pay as fast, over a shorter time: what happens in an
# hour stays the same, what lies behind it is less.
SPREAD = timedelta(days=28)

# In order. Each is one statement; :users is how many, :as_of the world's present, :spread as above, in seconds.
_FILL = (
    """
    INSERT INTO public.plans (id, name, tier, period, price, currency)
    SELECT n, tier || ' month', tier, 'month', price, 'USD'
    FROM (VALUES (1, 'basic', 9.99), (2, 'pro', 19.99), (3, 'premium', 49.99)) AS p (n, tier, price)
    """,
    # Paid at: each user's last month began up to :spread seconds ago; the months before lie 30 days back each.
    """
    CREATE TEMPORARY TABLE life AS
    SELECT
        u AS user_id,
        1 + u % 3 AS plan_id,
        (ARRAY['basic', 'pro', 'premium'])[1 + u % 3] AS tier,
        (ARRAY[9.99, 19.99, 49.99])[1 + u % 3] AS price,
        CASE WHEN u % 10 < 7 THEN 'stripe' WHEN u % 10 < 9 THEN 'nowpayments' ELSE 'okx' END AS provider,
        CAST(:as_of AS timestamptz) - INTERVAL '3 hours'
            - (CAST(u AS bigint) * 7919 % :spread) * INTERVAL '1 second' AS paid_at,
        u % 1000 = 501 AS is_gap,
        u % 1000 = 707 AS is_unmarked
    FROM generate_series(1, :users) AS u
    """,
    """
    INSERT INTO public.users (
        id, username, email, subscription_status, subscription_tier, plan_id, last_payment_date, payment_due_date,
        subscription_renewal_date, subscription_updated_at, stripe_customer_id, created_at, updated_at
    )
    SELECT
        user_id, 'user' || user_id, 'user' || user_id || '@example.com',
        CASE WHEN is_gap THEN 'inactive' ELSE 'active' END, CASE WHEN is_gap THEN 'free' ELSE tier END, plan_id,
        paid_at, paid_at + INTERVAL '1 month', paid_at + INTERVAL '1 month', paid_at, 'cus_' || user_id,
        paid_at - INTERVAL '100 days', paid_at
    FROM life
    """,
    """
    CREATE TEMPORARY TABLE purchase AS
    SELECT
        l.*,
        m,
        (l.user_id - 1) * 3 + m + 1 AS payment_id,
        CASE l.provider WHEN 'stripe' THEN 'pi_' || ((l.user_id - 1) * 3 + m + 1)
            ELSE CAST(500000000 + (l.user_id - 1) * 3 + m + 1 AS text) END AS ref,
        l.paid_at - m * INTERVAL '30 days' AS at,
        CASE WHEN (l.is_gap AND m = 0) OR (l.is_unmarked AND m = 1) THEN 'pending' ELSE 'succeeded' END AS status,
        l.user_id % 333 = 5 AND m = 2 AND l.provider = 'stripe' AS is_hold
    FROM life AS l, generate_series(0, 2) AS m
    """,
    """
    INSERT INTO public.bookings (
        id, customer_id, provider_id, starts_at, ends_at, actual_start, status, price, currency, created_at, updated_at
    )
    SELECT
        payment_id, user_id, 1, CAST(:as_of AS timestamptz) + INTERVAL '9 days',
        CAST(:as_of AS timestamptz) + INTERVAL '9 days 1 hour', NULL, 'scheduled', price, 'USD', at, at
    FROM purchase WHERE is_hold
    """,
    """
    INSERT INTO public.payment_transactions (
        id, user_id, plan_id, booking_id, payment_method, transaction_id, status, amount, currency, crypto_currency,
        crypto_amount, deposit_address, network, tx_hash, created_at, confirmed_at, updated_at
    )
    SELECT
        payment_id, user_id, CASE WHEN NOT is_hold THEN plan_id END, CASE WHEN is_hold THEN payment_id END, provider,
        ref, CASE WHEN is_hold THEN 'authorized' ELSE status END, price, 'USD',
        CASE WHEN provider <> 'stripe' THEN 'USDT' END, CASE WHEN provider <> 'stripe' THEN price END,
        CASE WHEN provider <> 'stripe' THEN 'T' || payment_id END,
        CASE provider WHEN 'okx' THEN 'TRC20' WHEN 'nowpayments' THEN 'TRX' END,
        CASE WHEN provider <> 'stripe' THEN md5(CAST(payment_id AS text)) END,
        at - INTERVAL '5 seconds', CASE WHEN status = 'succeeded' AND NOT is_hold THEN at + INTERVAL '5 seconds' END, at
    FROM purchase
    """,
    """
    INSERT INTO recon.provider_transactions (
        provider, account, provider_ref, kind, livemode, state, raw_status, amount, currency, amount_received,
        received_currency, expected_amount, customer_ref, user_ref, payment_ref, link_method, deposit_address, network,
        tx_hash, provider_created_at, paid_at, state_changed_at, read_at
    )
    SELECT
        provider, 'acct', ref, CASE provider WHEN 'okx' THEN 'deposit' ELSE 'payment' END, TRUE,
        CASE WHEN is_hold THEN 'authorized' ELSE 'paid' END,
        CASE WHEN is_hold THEN 'requires_capture' WHEN provider = 'stripe' THEN 'succeeded'
            WHEN provider = 'okx' THEN '2' ELSE 'finished' END,
        price, CASE provider WHEN 'okx' THEN 'USDT' ELSE 'USD' END, CASE WHEN NOT is_hold THEN price END,
        CASE WHEN is_hold THEN NULL WHEN provider = 'stripe' THEN 'USD' ELSE 'USDT' END,
        CASE WHEN provider = 'nowpayments' THEN price END, CASE provider WHEN 'stripe' THEN 'cus_' || user_id END,
        CAST(user_id AS text), CAST(payment_id AS text), 'reference',
        CASE WHEN provider <> 'stripe' THEN 'T' || payment_id END,
        CASE provider WHEN 'okx' THEN 'USDT-TRC20' WHEN 'nowpayments' THEN 'TRX' END,
        CASE WHEN provider <> 'stripe' THEN md5(CAST(payment_id AS text)) END,
        at - INTERVAL '3 seconds', CASE WHEN NOT is_hold THEN at END, at, CAST(:as_of AS timestamptz)
    FROM purchase
    """,
    """
    INSERT INTO public.webhook_logs (
        payment_method, webhook_type, webhook_data, signature_valid, processing_status, user_id, payment_id, created_at,
        processed_at
    )
    SELECT
        provider, 'payment_intent.succeeded', jsonb_build_object('id', 'evt_' || payment_id, 'object', 'event'), TRUE,
        'completed', user_id, payment_id, at + INTERVAL '2 seconds', at + INTERVAL '5 seconds'
    FROM purchase WHERE status = 'succeeded' AND NOT is_hold
    """,
    """
    INSERT INTO recon.stripe_events (
        account, livemode, object_id, type, subject_id, subject_type, pending_webhooks, created_at, read_at, digest
    )
    SELECT
        'acct', TRUE, 'evt_' || payment_id, 'payment_intent.succeeded', ref, 'payment_intent', 0,
        at, CAST(:as_of AS timestamptz), payment_id
    FROM purchase
    WHERE provider = 'stripe' AND m = 0 AND status = 'succeeded'
    """,
    """
    INSERT INTO public.subscription_events (
        user_id, event_type, new_status, new_tier, plan_id, payment_id, created_at
    )
    SELECT user_id, 'renewed', 'active', tier, plan_id, payment_id, at + INTERVAL '5 seconds'
    FROM purchase WHERE m < 2 AND status = 'succeeded'
    """,
)

# Indexes that no constraint stands on.
_INDEXES = """
    SELECT CAST(i.indexrelid AS regclass) AS name, pg_get_indexdef(i.indexrelid) AS made_by
    FROM pg_index AS i
    WHERE
        i.indrelid IN (
            SELECT to_regclass(n) FROM unnest(ARRAY[
                'public.users', 'public.payment_transactions', 'public.webhook_logs', 'public.subscription_events',
                'recon.provider_transactions', 'recon.stripe_events'
            ]) AS n
        )
        AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
"""


def fill(engine: Engine, users: int) -> None:
    """Write the rows of so many users, three payments each, and tidy up behind them.

    As a restored dump does it: without triggers and checks of keys, and with the indexes made at the end.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        indexes = connection.execute(text(_INDEXES)).all()
        for index in indexes:
            connection.execute(text(f"DROP INDEX {index.name}"))
        known = {"users": users, "as_of": AS_OF, "spread": round(SPREAD.total_seconds() * users / USERS)}
        for statement in _FILL:
            values = {name: value for name, value in known.items() if f":{name}" in statement}
            connection.execute(text(statement), values)
        for index in indexes:
            connection.exec_driver_sql(index.made_by.replace("%", "%%"))
    vacuum(engine)


def vacuum(engine: Engine) -> None:
    """VACUUM ANALYZE, as after each load."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def touch(engine: Engine, share: float) -> int:
    """Update this share of payments and provider transactions, evenly spread, without changing what they say."""
    every = max(1, round(1 / share))
    touched = 0
    with engine.begin() as connection:
        for statement in (
            "UPDATE public.payment_transactions SET updated_at = updated_at + INTERVAL '1 ms' WHERE id % :every = 0",
            "UPDATE recon.provider_transactions SET read_at = read_at + INTERVAL '1 ms'"
            " WHERE hashtext(provider_ref) % :every = 0",
        ):
            touched += connection.execute(text(statement), {"every": every}).rowcount
    return touched

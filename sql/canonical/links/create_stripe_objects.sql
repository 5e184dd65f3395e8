-- The Stripe payments that this refresh looks at, with all that they say themselves about whose they are.
CREATE TEMPORARY TABLE stripe_objects (
    account text NOT NULL,
    object_id text NOT NULL,
    charge_id text,
    customer_id text,
    metadata_user_id text,
    metadata_payment_id text,
    metadata_app text
) ON COMMIT DROP;

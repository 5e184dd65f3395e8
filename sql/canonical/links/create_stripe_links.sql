-- Whose each Stripe payment is that this refresh looks at.
CREATE TEMPORARY TABLE stripe_links (
    account text NOT NULL,
    object_id text NOT NULL,
    user_ref text,
    payment_ref text,
    link_method text NOT NULL,
    link_evidence text
) ON COMMIT DROP;

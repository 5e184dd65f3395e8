-- What checkouts say of the payments that this refresh looks at.
CREATE TEMPORARY TABLE checkout_claims (
    account text NOT NULL,
    object_id text NOT NULL,
    session_id text NOT NULL,
    app text,
    reference text,
    payment_ref text,
    other_payment_ref text,
    user_ref text,
    other_user_ref text,
    reference_payment_ref text,
    reference_payment_user_ref text,
    reference_user_ref text
) ON COMMIT DROP;

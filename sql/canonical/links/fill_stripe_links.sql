-- Whose each Stripe payment is: by the application's reference to it, else its metadata, else its customer, else its
-- checkout. Nobody is chosen where two users have a claim (E13), nor where the payment names an application that is
-- not ours (S10). Where :applications is empty, we can't know which names are ours: then ids in the metadata of a
-- payment that names an application count only as a pair, a payment and its payer.
WITH by_reference AS (
    SELECT
        n.account,
        n.object_id,
        -- Who names the payment itself goes before who names its charge.
        coalesce(min(n.reference) FILTER (WHERE n.reference = n.object_id), min(n.reference)) AS reference,
        coalesce(min(k.payment_ref) FILTER (WHERE n.reference = n.object_id), min(k.payment_ref)) AS payment_ref,
        coalesce(max(k.payment_ref) FILTER (WHERE n.reference = n.object_id), max(k.payment_ref)) AS other_payment_ref,
        min(k.user_ref) AS user_ref,
        max(k.user_ref) AS other_user_ref
    FROM (
        SELECT
            o.account,
            o.object_id,
            o.object_id AS reference
        FROM pg_temp.stripe_objects AS o
        UNION ALL
        SELECT
            o.account,
            o.object_id,
            o.charge_id AS reference
        FROM pg_temp.stripe_objects AS o
        WHERE o.charge_id IS NOT NULL
    ) AS n
    INNER JOIN recon.link_payments AS k ON k.provider = 'stripe' AND n.reference = k.provider_ref
    GROUP BY n.account, n.object_id
),

customers AS (
    SELECT DISTINCT o.customer_id
    FROM pg_temp.stripe_objects AS o
    WHERE o.customer_id IS NOT NULL
),

by_customer AS (
    SELECT
        c.customer_id,
        min(c.user_ref) AS user_ref,
        max(c.user_ref) AS other_user_ref
    FROM (
        SELECT
            o.customer_id,
            u.user_ref
        FROM customers AS o
        INNER JOIN recon.link_users AS u ON o.customer_id = u.customer_ref
        UNION ALL
        SELECT
            o.customer_id,
            n.user_ref
        FROM customers AS o
        INNER JOIN recon.stripe_customers AS s ON o.customer_id = s.object_id
        INNER JOIN recon.link_users AS n ON s.metadata_user_id = n.user_ref
        WHERE s.metadata_app IS NULL OR lower(s.metadata_app) = any(cast(:applications AS text[]))
    ) AS c
    GROUP BY c.customer_id
),

claims AS (
    SELECT
        o.account,
        o.object_id,
        o.customer_id,
        o.metadata_user_id,
        o.metadata_payment_id,
        r.reference,
        r.payment_ref AS r_payment,
        r.other_payment_ref AS r_other_payment,
        r.user_ref AS r_user,
        r.other_user_ref AS r_other,
        p.payment_ref AS m_payment,
        c.user_ref AS c_user,
        c.other_user_ref AS c_other,
        k.session_id,
        k.reference AS k_reference,
        k.other_payment_ref AS k_other_payment,
        coalesce(o.metadata_app, k.app) AS app,
        coalesce(p.user_ref, u.user_ref) AS m_user,
        coalesce(o.metadata_user_id, p.user_ref) AS m_named,
        coalesce(o.metadata_user_id <> p.user_ref, FALSE) AS m_differs,
        coalesce(o.metadata_user_id = p.user_ref, FALSE) AS m_pair,
        k.payment_ref AS k_clear_payment,
        k.user_ref AS k_clear_user,
        k.other_user_ref AS k_clear_other,
        coalesce(k.payment_ref, k.user_ref) IS NOT NULL AS k_is_clear,
        k.reference_payment_ref AS n_payment,
        k.reference_payment_user_ref AS n_payment_user,
        k.reference_user_ref AS n_user,
        -- Whom the payment itself names, if it names one.
        coalesce(o.metadata_user_id, p.user_ref, CASE WHEN c.user_ref = c.other_user_ref THEN c.user_ref END) AS voice
    FROM pg_temp.stripe_objects AS o
    LEFT JOIN by_reference AS r ON o.account = r.account AND o.object_id = r.object_id
    LEFT JOIN recon.link_payments AS p ON p.provider = 'stripe' AND o.metadata_payment_id = p.payment_ref
    LEFT JOIN recon.link_users AS u ON o.metadata_user_id = u.user_ref
    LEFT JOIN by_customer AS c ON o.customer_id = c.customer_id
    LEFT JOIN pg_temp.checkout_claims AS k ON o.account = k.account AND o.object_id = k.object_id
),

heard AS (
    -- client_reference_id speaks where the checkout says nothing clearer, and, when it could be both a payment's id and
    -- a user's, as the one of the two whose user the payment itself names.
    SELECT
        c.*,
        CASE
            WHEN c.k_is_clear THEN c.k_clear_payment
            WHEN c.n_payment_user = c.n_user THEN c.n_payment
            WHEN c.n_user = c.voice THEN NULL
            ELSE c.n_payment
        END AS k_payment,
        CASE
            WHEN c.k_is_clear THEN c.k_clear_user
            WHEN c.n_user = c.voice THEN c.n_user
            ELSE coalesce(c.n_payment_user, c.n_user)
        END AS k_user,
        CASE
            WHEN c.k_is_clear THEN c.k_clear_other
            WHEN c.n_payment_user = c.voice THEN c.n_payment_user
            ELSE coalesce(c.n_user, c.n_payment_user)
        END AS k_other
    FROM claims AS c
),

weighed AS (
    SELECT
        c.*,
        c.app IS NOT NULL AND lower(c.app) <> all(cast(:applications AS text[])) AS names_another,
        coalesce(
            c.m_differs
            OR c.m_named NOT IN (c.c_user, c.c_other)
            OR c.m_named NOT IN (c.k_user, c.k_other)
            OR c.k_user <> c.k_other
            OR c.m_payment <> c.k_payment
            OR c.k_payment <> c.k_other_payment
            OR (c.m_named IS NULL AND c.k_user NOT IN (c.c_user, c.c_other))
            OR (coalesce(c.m_named, c.k_user) IS NULL AND c.c_user <> c.c_other),
            FALSE
        ) AS contradicts
    FROM heard AS c
),

judged AS (
    SELECT
        w.*,
        CASE
            WHEN w.r_payment IS NOT NULL
                THEN CASE
                    WHEN w.r_user <> w.r_other THEN 'ambiguous'
                    WHEN w.names_another AND cardinality(cast(:applications AS text[])) > 0 THEN 'ambiguous'
                    ELSE 'reference'
                END
            WHEN w.names_another AND NOT (w.m_pair AND cardinality(cast(:applications AS text[])) = 0) THEN 'foreign'
            WHEN w.contradicts THEN 'ambiguous'
            WHEN w.m_payment IS NOT NULL THEN 'metadata'
            WHEN w.k_payment IS NOT NULL THEN 'checkout'
            WHEN w.m_user IS NOT NULL THEN 'metadata'
            WHEN w.c_user = w.c_other THEN 'customer'
            WHEN w.k_user IS NOT NULL THEN 'checkout'
            ELSE 'none'
        END AS link_method
    FROM weighed AS w
),

worded AS (
    SELECT
        j.*,
        'reference=' || j.reference || CASE
            WHEN j.r_user <> j.r_other THEN ' (users ' || j.r_user || ' and ' || j.r_other || ')'
            WHEN j.r_payment <> j.r_other_payment
                THEN ' (payments ' || j.r_payment || ' and ' || j.r_other_payment || ')'
            ELSE ''
        END AS r_words,
        concat_ws(
            ', ',
            'metadata.payment_id=' || j.metadata_payment_id || CASE
                WHEN j.m_payment IS NULL THEN ' (unknown)'
                WHEN j.link_method = 'metadata' THEN ''
                ELSE coalesce(' (user ' || j.m_user || ')', '')
            END,
            'metadata.user_id=' || j.metadata_user_id || CASE
                WHEN j.m_user IS NULL THEN ' (unknown)'
                ELSE ''
            END
        ) AS m_words,
        'customer=' || j.customer_id || CASE
            WHEN j.link_method = 'customer' THEN ''
            WHEN j.c_user <> j.c_other THEN ' (users ' || j.c_user || ' and ' || j.c_other || ')'
            ELSE ' (' || coalesce('user ' || j.c_user, 'unknown') || ')'
        END AS c_words,
        'checkout=' || j.session_id || coalesce(', client_reference_id=' || j.k_reference, '') || CASE
            WHEN j.k_user <> j.k_other THEN ' (users ' || j.k_user || ' and ' || j.k_other || ')'
            ELSE ' (' || concat_ws(
                ', ',
                'payment ' || j.k_payment || CASE
                    WHEN j.k_payment <> j.k_other_payment THEN ' or ' || j.k_other_payment ELSE ''
                END,
                coalesce('user ' || j.k_user, CASE WHEN j.k_payment IS NULL THEN 'unknown' END)
            ) || ')'
        END AS k_words
    FROM judged AS j
)

INSERT INTO pg_temp.stripe_links (account, object_id, user_ref, payment_ref, link_method, link_evidence)
SELECT
    w.account,
    w.object_id,
    CASE w.link_method
        -- A payment that names no user is whose the object says.
        WHEN 'reference'
            THEN
                coalesce(
                    w.r_user,
                    CASE
                        WHEN NOT w.contradicts
                            THEN coalesce(w.m_user, w.k_user, CASE WHEN w.c_user = w.c_other THEN w.c_user END)
                    END
                )
        WHEN 'metadata' THEN coalesce(w.m_user, w.k_user, CASE WHEN w.c_user = w.c_other THEN w.c_user END)
        WHEN 'checkout' THEN coalesce(w.k_user, w.m_user, CASE WHEN w.c_user = w.c_other THEN w.c_user END)
        WHEN 'customer' THEN w.c_user
    END AS user_ref,
    CASE
        -- Two rows of one user name it: whose it is we know, which of his payments it is we do not.
        WHEN w.link_method = 'reference' THEN CASE WHEN w.r_payment = w.r_other_payment THEN w.r_payment END
        WHEN w.link_method IN ('metadata', 'checkout') THEN coalesce(w.m_payment, w.k_payment)
    END AS payment_ref,
    w.link_method,
    CASE w.link_method
        WHEN 'reference'
            THEN CASE
                WHEN w.r_user <> coalesce(w.m_named, w.k_user, w.c_user)
                    THEN concat_ws('; ', w.r_words || ' (user ' || w.r_user || ')', w.m_words, w.k_words, w.c_words)
                ELSE w.r_words
            END
        WHEN 'metadata' THEN w.m_words
        WHEN 'checkout' THEN w.k_words
        WHEN 'customer' THEN w.c_words
        ELSE nullif(
            concat_ws(
                '; ',
                'metadata.app=' || w.app,
                CASE WHEN w.r_payment IS NOT NULL THEN w.r_words || coalesce(' (user ' || CASE
                    WHEN w.r_user = w.r_other THEN w.r_user
                END || ')', '') END,
                nullif(w.m_words, ''),
                w.c_words,
                w.k_words
            ),
            ''
        )
    END AS link_evidence
FROM worded AS w;

-- Does a crypto payment of these providers, made since then, wait for its money?
SELECT
    exists(
        SELECT 1
        FROM recon.state_map AS m
        INNER JOIN recon.app_payments AS p ON m.raw_status = p.status
        WHERE
            m.provider = 'app'
            AND m.resource = 'app_payment'
            AND m.state IN ('pending', 'processing', 'partially_paid')
            AND p.created_at > :since
            AND p.provider = any(cast(:providers AS text[]))
    ) AS waits;

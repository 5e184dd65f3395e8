-- The report's rows as findings see them, for this transaction only. withheld: not enough was read to believe the row.
CREATE TEMPORARY TABLE report_rows (
    fingerprint text PRIMARY KEY,
    severity text NOT NULL,
    provider text,
    user_ref text,
    payment_ref text,
    amount numeric,
    currency text,
    evidence jsonb NOT NULL,
    withheld boolean NOT NULL
) ON COMMIT DROP;

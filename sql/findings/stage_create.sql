-- The rows that findings are brought in line with, for this transaction only. withheld: not enough was read to believe
-- the row. material: digest of what a person looks at: words, yes and no, and the amount; not times, ages and counts.
CREATE TEMPORARY TABLE IF NOT EXISTS report_rows (
    fingerprint text PRIMARY KEY,
    severity text NOT NULL,
    provider text,
    user_ref text,
    payment_ref text,
    amount numeric,
    currency text,
    evidence jsonb NOT NULL,
    material text NOT NULL,
    withheld boolean NOT NULL
) ON COMMIT DROP;

-- Gives the member the membership that was paid for, the first one or again. Changes exactly one row.
-- Parameters: user_id, plan_id (text), tier (unused: the offer tells it), paid_at, renews_at, at (timestamptz).
INSERT INTO studio.memberships (member_uuid, offer_code, is_live, paid_last, runs_until, touched)
VALUES (
    cast(:user_id AS uuid), :plan_id, TRUE, cast(:paid_at AS timestamptz), cast(:renews_at AS timestamptz),
    cast(:at AS timestamptz)
)
ON CONFLICT (member_uuid) DO UPDATE
    SET
        offer_code = excluded.offer_code, is_live = TRUE, paid_last = excluded.paid_last,
        runs_until = excluded.runs_until, touched = excluded.touched;

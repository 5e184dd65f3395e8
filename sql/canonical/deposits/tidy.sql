-- After many verdicts at once; steps aside when another one is at it.
-- noqa: disable=all
VACUUM (ANALYZE, SKIP_LOCKED) recon.deposit_matches, recon.deposit_match_payments;

-- Keeps index-only scans index-only after a large refresh; steps aside when another one is at it.
-- noqa: disable=all
VACUUM (ANALYZE, SKIP_LOCKED) recon.provider_transactions;

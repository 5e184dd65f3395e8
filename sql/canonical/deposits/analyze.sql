-- noqa: disable=all
-- Temporary tables have no statistics of their own.
ANALYZE arrived, waiting, touched_deposits, touched_payments, touched_places;

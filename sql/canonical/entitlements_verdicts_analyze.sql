-- The plan depends on whether these are few or many.
ANALYZE entitlement_verdicts;

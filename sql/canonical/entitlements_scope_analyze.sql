-- The plan depends on whether these are few or all.
ANALYZE entitlement_scope;

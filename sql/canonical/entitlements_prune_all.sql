-- Users whose payments have all lapsed, or who are gone, have no row.
DELETE FROM recon.entitlements AS t
WHERE NOT EXISTS (SELECT 1 FROM entitlements_next AS n WHERE n.user_ref = t.user_ref);

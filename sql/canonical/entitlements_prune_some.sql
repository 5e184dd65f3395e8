-- Of the users judged (ids as text), those whose payments have all lapsed have no row.
DELETE FROM recon.entitlements AS t
WHERE
    t.user_ref = any(:user_refs)
    AND NOT EXISTS (SELECT 1 FROM entitlements_next AS n WHERE n.user_ref = t.user_ref);

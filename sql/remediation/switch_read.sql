-- Is everything stopped, by whom and why?
SELECT
    s.stopped,
    s.reason,
    s.changed_at,
    s.changed_by
FROM recon.repair_switch AS s;

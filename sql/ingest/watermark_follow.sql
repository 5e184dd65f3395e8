-- A complete list that reaches from before the watermark moves it to that list's end.
UPDATE recon.watermarks AS w
SET listed_to = :window_to, run_id = :run_id, moved_at = :moved_at
WHERE
    w.provider = :provider AND w.account = :account AND w.resource = :resource
    AND w.listed_to >= :window_from AND w.listed_to < :window_to;

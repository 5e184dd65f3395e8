-- Drops the bodies of a stretch of the table's pages that were read before a moment. The objects' rows stay.
DELETE FROM recon.raw_json AS r
WHERE
    r.ctid >= cast(concat('(', cast(:first_page AS text), ',0)') AS tid)
    AND r.ctid < cast(concat('(', cast(:end_page AS text), ',0)') AS tid)
    AND r.read_at < :before;

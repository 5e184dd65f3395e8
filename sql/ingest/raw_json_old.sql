-- How many bodies of a stretch of the table's pages were read before a moment.
SELECT count(*) AS bodies
FROM recon.raw_json AS r
WHERE
    r.ctid >= cast(concat('(', cast(:first_page AS text), ',0)') AS tid)
    AND r.ctid < cast(concat('(', cast(:end_page AS text), ',0)') AS tid)
    AND r.read_at < :before;

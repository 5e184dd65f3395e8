-- What every report that is still refreshed has seen.
DELETE FROM recon.touched_objects AS o
WHERE
    o.changed_in < (
        SELECT min(k.changed_from)
        FROM recon.report_marks AS k
        WHERE k.as_of > (SELECT max(n.as_of) FROM recon.report_marks AS n) - INTERVAL '1' DAY * :days
    );

-- Who answers, and what its clock says.
SELECT
    cast(current_setting('server_version_num') AS integer) AS version,
    current_setting('server_version') AS words,
    clock_timestamp() AS at;

-- Objects that this refresh looks at, by raw table.
CREATE TEMPORARY TABLE due (source text NOT NULL, account text NOT NULL, object_id text NOT NULL) ON COMMIT DROP;

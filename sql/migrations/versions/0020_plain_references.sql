-- An id or a transaction hash as both sides compare it: without blanks round it, hexadecimal hashes in lower case and
-- without the 0x that some write before them. The contract view, its indexes and the canonical layer use it.
CREATE FUNCTION recon.plain_reference(reference text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN lower(substring(btrim(reference), 1, 2)) = '0x' THEN lower(substring(btrim(reference), 3))
        WHEN length(btrim(reference)) = 64 AND btrim(reference) ~ '^[0-9a-fA-F]+$' THEN lower(btrim(reference))
        ELSE btrim(reference)
    END
$$;

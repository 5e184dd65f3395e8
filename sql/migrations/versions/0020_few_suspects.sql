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

-- What is not simply paid at the provider: the few that may differ from what the application says.
CREATE INDEX provider_transactions_not_paid ON recon.provider_transactions (provider, provider_ref)
INCLUDE (kind, state) WHERE state <> 'paid' AND kind IN ('payment', 'deposit');

-- Remembers which version of a contract view is applied.
INSERT INTO recon.contract_views (view_name, digest) VALUES (:view, :digest)
ON CONFLICT (view_name) DO UPDATE SET digest = excluded.digest;

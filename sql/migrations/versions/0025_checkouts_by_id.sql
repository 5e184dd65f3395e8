-- A webhook that names a checkout names no account.

CREATE INDEX stripe_checkout_sessions_object ON recon.stripe_checkout_sessions (object_id, account);

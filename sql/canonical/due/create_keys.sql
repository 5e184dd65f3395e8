-- Keys whose meaning may have changed. Kinds: stripe, nowpayments, okx for the application's references to objects of
-- those; payment, user, customer, hash, transfer for its own; intent, charge, parent for the providers'.
CREATE TEMPORARY TABLE changed_keys (kind text NOT NULL, key text NOT NULL) ON COMMIT DROP;

/*---
title: Charges of another product
why: >-
  The account takes money for something else as well. It is not ours to judge, and it must not be counted as ours: this
  list is here so that somebody can say whether it really is another's.
severity: LOW
what_to_do: >-
  Nothing, where the other product is known. Where it is ours under another name, add that name to the applications in
  the settings.
key: [provider, provider_ref]
coverage:
  stripe: [payment_intents]
unconfigured: withhold
intraday: full
params:
  window_days: 90
action: null
columns:
  provider: Who has the money.
  provider_ref: The provider's id of the payment.
  customer_ref: The provider's id of the customer.
  app: Which application the payment names.
  provider_status: Status as the provider calls it.
  provider_state: The same in canonical words.
  amount: The payment's amount in major units.
  currency: Currency of the amount.
  provider_created_at: When the provider's object was made (UTC).
  description: What the payment says it is for.
  reason: Why it is taken for another product's.
---*/
-- The rule. A payment whose metadata names an application that is not ours (S10), and that took money or holds it, in
-- the last days. Attempts that came to nothing are not listed; its refunds and disputes are not ours either.
SELECT
    t.provider,
    t.provider_ref,
    t.customer_ref,
    coalesce(i.metadata_app, c.metadata_app) AS app,
    t.raw_status AS provider_status,
    t.state AS provider_state,
    t.amount,
    t.currency,
    t.provider_created_at,
    coalesce(i.description, c.description) AS description,
    'it names the application ' || coalesce(i.metadata_app, c.metadata_app, 'of a checkout that is not ours') AS reason
FROM recon.provider_transactions AS t
LEFT JOIN recon.stripe_payment_intents AS i
    ON t.provider = 'stripe' AND t.account = i.account AND t.provider_ref = i.object_id
LEFT JOIN recon.stripe_charges AS c
    ON t.provider = 'stripe' AND t.account = c.account AND t.provider_ref = c.object_id
WHERE
    t.link_method = 'foreign'
    AND t.kind = 'payment'
    AND t.state IN ('paid', 'authorized', 'partially_paid', 'processing', 'refunded')
    AND t.vanished_at IS NULL
    AND t.provider_created_at <= cast(:as_of AS timestamptz)
    AND t.provider_created_at > cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :window_days

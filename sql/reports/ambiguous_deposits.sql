/*---
title: Crypto money that could settle more than one payment
why: >-
  One deposit settles one payment, and nothing tells which: the same sum was asked for twice, two payments name the same
  transaction, or two deposits came for one. Guessing would give somebody what another paid for.
severity: HIGH
what_to_do: >-
  Ask the payers of the candidates for their transaction hash, and write it into the payment that it belongs to: the
  next run matches it.
key: [provider, provider_ref]
coverage:
  okx: [deposits]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 30
action: null
columns:
  provider: Where the money came.
  provider_ref: The provider's id of the deposit.
  cause: two_payments, named_twice or internal_fits.
  candidates: Payments that it may be for.
  amount: What came, in coins.
  currency: The coin.
  network: The network, as the provider writes it.
  deposit_address: Where it was sent.
  deposit_tag: The memo that came along.
  tx_hash: The transaction.
  came_at: When it came (UTC).
  reason: Why nothing tells whose it is.
---*/
SELECT
    m.provider,
    m.provider_ref,
    m.reason AS cause,
    m.candidates,
    t.amount,
    t.currency,
    t.network,
    t.deposit_address,
    t.deposit_tag,
    t.tx_hash,
    t.provider_created_at AS came_at,
    m.evidence || '; candidates are the payments ' || m.candidates AS reason
FROM recon.deposit_matches AS m
INNER JOIN recon.provider_transactions AS t
    ON m.provider = t.provider AND m.account = t.account AND m.provider_ref = t.provider_ref
WHERE
    m.state = 'ambiguous'
    AND t.provider_created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes

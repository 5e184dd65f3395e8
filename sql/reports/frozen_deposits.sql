/*---
title: Crypto money that the exchange holds back
why: >-
  The deposit arrived and the exchange does not hand it over: suspended, frozen, intercepted, or waiting for papers. The
  payer has paid; we have nothing.
severity: HIGH
what_to_do: >-
  Open the deposit at the exchange and give it what it asks for (identity, travel rule, appeal). Tell the payer that it
  takes time; give no access before the state is successful.
key: [provider, provider_ref]
coverage:
  okx: [deposits]
unconfigured: withhold
intraday: full
params:
  grace_minutes: 15
  stuck_days: 7
action: null
columns:
  provider: The exchange.
  provider_ref: The exchange's id of the deposit.
  status: The exchange's own number of the state.
  payment_id: The payment that names it, where one does.
  user_id: The payer, where known.
  username: The payer's name in the application.
  app_status: Status of the payment as the application wrote it.
  amount: Held back, in coins.
  currency: The coin.
  network: The network, as the exchange writes it.
  deposit_address: Where it was sent.
  tx_hash: The transaction.
  came_at: When the exchange saw it (UTC).
  reason: What the exchange says.
  severity: MEDIUM where it is merely slow, else HIGH.
---*/
-- States of OKX, "Get deposit history": 0 and 1 are on their way and become final by themselves, unless they never do.
WITH held AS (
    SELECT
        t.provider,
        t.provider_ref,
        t.raw_status,
        t.payment_ref,
        t.amount,
        t.currency,
        t.network,
        t.deposit_address,
        t.tx_hash,
        t.provider_created_at,
        (t.state = 'frozen' OR (t.provider = 'okx' AND t.raw_status = '8')) AS is_held
    FROM recon.provider_transactions AS t
    WHERE
        t.kind = 'deposit'
        AND t.state IN ('frozen', 'processing')
        AND t.vanished_at IS NULL
        AND t.provider_created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' MINUTE * :grace_minutes
)

SELECT
    h.provider,
    h.provider_ref,
    h.raw_status AS status,
    p.payment_id,
    p.user_id,
    u.username,
    p.status AS app_status,
    h.amount,
    h.currency,
    h.network,
    h.deposit_address,
    h.tx_hash,
    h.provider_created_at AS came_at,
    CASE h.raw_status
        WHEN '0' THEN 'still unconfirmed after days'
        WHEN '1' THEN 'credited, but still not to be withdrawn after days'
        WHEN '8' THEN 'suspended: deposits of this coin are paused'
        WHEN '11' THEN 'refused: the sender is on a blacklist'
        WHEN '12' THEN 'frozen: the account or the deposit is'
        WHEN '13' THEN 'intercepted'
        WHEN '14' THEN 'held back: above the limit of our identity level'
        WHEN '17' THEN 'held back: travel rule, the exchange waits for facts about the sender'
        ELSE 'held back'
    END AS reason,
    CASE WHEN h.is_held THEN 'HIGH' ELSE 'MEDIUM' END AS severity
FROM held AS h
LEFT JOIN recon.app_payments AS p
    ON h.provider = p.provider AND h.payment_ref = cast(p.payment_id AS text) AND p.provider IN ('okx', 'nowpayments')
LEFT JOIN recon.app_users AS u ON p.user_id = u.user_id
WHERE h.is_held OR h.provider_created_at <= cast(:as_of AS timestamptz) - INTERVAL '1' DAY * :stuck_days

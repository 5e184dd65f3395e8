-- A yoga studio's own tables, as its application made them long before payments_pipeline came: other names, uuid keys,
-- amounts in cents, status words of its own, the subscription in a table apart from the person.

CREATE SCHEMA studio;

CREATE TABLE studio.offers (
    code text PRIMARY KEY,
    label text NOT NULL,
    level text NOT NULL,
    every_days integer NOT NULL,
    cents bigint NOT NULL,
    cur text NOT NULL
);

CREATE TABLE studio.members (
    member_uuid uuid PRIMARY KEY,
    nick text NOT NULL,
    mail text NOT NULL,
    stripe_cus text,
    staff boolean NOT NULL DEFAULT FALSE,
    joined timestamptz NOT NULL
);

CREATE TABLE studio.memberships (
    member_uuid uuid PRIMARY KEY REFERENCES studio.members,
    offer_code text REFERENCES studio.offers,
    is_live boolean NOT NULL,
    paid_last timestamptz,
    runs_until timestamptz,
    touched timestamptz NOT NULL
);

CREATE TABLE studio.receipts (
    receipt_no bigint PRIMARY KEY,
    member_uuid uuid REFERENCES studio.members,
    offer_code text REFERENCES studio.offers,
    gateway text NOT NULL,
    gateway_id text,
    phase text NOT NULL,
    cents bigint NOT NULL,
    cur text NOT NULL,
    made timestamptz NOT NULL,
    settled timestamptz,
    touched timestamptz NOT NULL
);
CREATE INDEX receipts_compare ON studio.receipts (gateway, gateway_id);

CREATE TABLE studio.membership_log (
    line_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member_uuid uuid NOT NULL REFERENCES studio.members,
    what text NOT NULL,
    offer_code text,
    receipt_no bigint,
    why text,
    who text NOT NULL,
    at timestamptz NOT NULL
);

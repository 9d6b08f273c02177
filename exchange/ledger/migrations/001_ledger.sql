-- The truth: moments and the rows that stand or fall with them, sealed records, money, leases.
-- Hot tables are append-only and without foreign keys: one statement writes all rows of a moment,
-- and check.sql finds what does not belong together.

-- Who may write. A worker without a row here writes nothing: every flush locks its row, and
-- whoever takes over a dead worker's leads deletes it.
CREATE TABLE worker (
    id          uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    open_since  timestamptz NOT NULL,  -- no open lead of this worker is older
    version     text NOT NULL,
    addresses   text[] NOT NULL
);

CREATE TABLE moment (
    lead_id uuid NOT NULL,
    number  integer NOT NULL CHECK (number > 0),
    at      timestamptz NOT NULL,
    kind    text NOT NULL,
    worker  uuid NOT NULL,
    write   bigint NOT NULL,  -- the worker's own count: by it a repeated flush knows its rows
    events  json NOT NULL,    -- the exact text, short keys
    PRIMARY KEY (lead_id, number)
);

CREATE TABLE lead (
    lead_id         uuid PRIMARY KEY,
    received_at     timestamptz NOT NULL,
    worker          uuid NOT NULL,  -- who sells it now
    seller          text NOT NULL,
    campaign        text NOT NULL,
    source          text NOT NULL,
    channel         text,
    source_declared boolean NOT NULL,
    vertical        text NOT NULL,
    seller_ref      text,
    test            boolean NOT NULL,
    version         bigint NOT NULL,
    answer_by       timestamptz NOT NULL,
    idempotency_key bytea,
    claim           bytea,
    state           text,
    score           integer
);
CREATE INDEX lead_received_at ON lead USING brin (received_at) WITH (autosummarize = on);

CREATE TABLE lead_end (
    lead_id  uuid PRIMARY KEY,
    at       timestamptz NOT NULL,
    status   text NOT NULL,
    reason   smallint,
    detail   text,
    price    bigint,
    original uuid
);

CREATE TABLE quote (
    lead_id    uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    seller     text NOT NULL,
    campaign   text NOT NULL,
    source     text NOT NULL,
    vertical   text NOT NULL,
    test       boolean NOT NULL,
    version    bigint NOT NULL,
    status     text NOT NULL,
    reason     smallint,
    price      bigint,
    expires_at timestamptz
);

-- Erasing a person is setting wrapped_key to NULL, here, in award and in capture.
CREATE TABLE record (
    lead_id     uuid NOT NULL,
    number      integer NOT NULL,
    sealed      bytea NOT NULL,
    wrapped_key bytea,
    PRIMARY KEY (lead_id, number)
);

CREATE TABLE award (
    sale_id     uuid PRIMARY KEY,
    lead_id     uuid NOT NULL,
    number      integer NOT NULL,
    offer       text NOT NULL,
    buyer       text NOT NULL,
    price       bigint NOT NULL,
    payout      bigint NOT NULL,
    currency    text NOT NULL,
    held_at     timestamptz NOT NULL,
    bid_id      text,
    ping_id     text,
    stage       integer NOT NULL,
    post        bytea,
    wrapped_key bytea
);
CREATE INDEX award_lead_id ON award (lead_id);

CREATE TABLE sale_end (
    sale_id      uuid PRIMARY KEY,
    at           timestamptz NOT NULL,
    state        text NOT NULL,
    reason       smallint,
    reference    text,
    redirect_url text
);

-- What leaves the debit account enters the credit account. Money paid in has neither lead nor sale.
CREATE TABLE transfer (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_id  uuid,
    sale_id  uuid,
    kind     text NOT NULL,
    debit    text NOT NULL,
    credit   text NOT NULL,
    amount   bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    at       timestamptz NOT NULL,
    CHECK (debit <> credit),
    UNIQUE (sale_id, kind)
);

CREATE VIEW posting AS
    SELECT id, lead_id, sale_id, kind, at, debit AS account, -amount AS amount, currency
      FROM transfer
    UNION ALL
    SELECT id, lead_id, sale_id, kind, at, credit, amount, currency
      FROM transfer;

-- Exact requests and answers, kept for a set time.
CREATE TABLE capture (
    lead_id     uuid NOT NULL,
    number      integer NOT NULL,
    at          timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    sealed      bytea NOT NULL,
    wrapped_key bytea,
    PRIMARY KEY (lead_id, number)
);
CREATE INDEX capture_expires_at ON capture USING brin (expires_at) WITH (autosummarize = on);

-- What is sealed looks like chance: trying to compress it cost a fifth of what a flush costs here.
ALTER TABLE record ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE award ALTER COLUMN post SET STORAGE EXTERNAL;
ALTER TABLE capture ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- What was not a lead: which fields were wrong and how, never what stood in them.
CREATE TABLE rejection (
    id       uuid PRIMARY KEY,
    seller   text NOT NULL,
    campaign text,
    at       timestamptz NOT NULL,
    errors   json NOT NULL
);
CREATE INDEX rejection_seller ON rejection (seller, at);

-- What one flush sends: JSON of these, which a driver writes at a fraction of what arrays cost, and
-- beside it what is sealed, as it is. A field without a column here is not read, a column without a
-- field is NULL: a later migration may add columns at the end, workers of the last version send none.
CREATE TYPE lead_row AS (
    seller_id text, campaign_id text, source_id text, channel text, source_declared boolean,
    vertical_id text, seller_ref text, test boolean, version bigint, received_at_us bigint,
    answer_by_us bigint, idempotency_key text, claim text, state text, score integer
);
CREATE TYPE lead_end_row AS (status text, reason smallint, detail text, price bigint, original uuid);
CREATE TYPE quote_row AS (
    seller_id text, campaign_id text, source_id text, vertical_id text, test boolean,
    version bigint, status text, reason smallint, price bigint, expires_at_us bigint
);
CREATE TYPE award_row AS (
    sale_id uuid, offer_id text, buyer_id text, price bigint, payout bigint, currency text,
    held_at_us bigint, bid_id text, ping_id text, stage integer
);
CREATE TYPE sale_end_row AS (
    sale_id uuid, state text, reason smallint, reference text, redirect_url text
);
CREATE TYPE transfer_row AS (
    sale_id uuid, kind text, debit text, credit text, amount bigint, currency text
);
CREATE TYPE moment_row AS (
    write bigint, lead_id uuid, number integer, at_us bigint, kind text, events json,
    announce boolean, wrapped_key text, capture_until_us bigint, lead lead_row, quote quote_row,
    award award_row, sale_end sale_end_row, lead_end lead_end_row, transfers transfer_row[]
);
CREATE TYPE rejection_row AS (
    id uuid, seller_id text, campaign_id text, at_us bigint, errors json
);

-- Exact: a product of whole microseconds is below 2^53 until the year 2255.
CREATE FUNCTION at(us bigint) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN timestamptz 'epoch' + us * interval '1 microsecond';

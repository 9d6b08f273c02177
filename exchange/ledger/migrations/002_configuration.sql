-- What the market is, and was: every version can be read back. A version counts from the moment of
-- its commit; nothing is ever changed or deleted but a retired key's end and a secret's value.

CREATE TABLE configuration (
    version bigint PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    by      text NOT NULL,    -- who made it: the audit
    kind    text NOT NULL CHECK (kind IN ('market', 'key', 'credit', 'secret')),
    digest  bytea NOT NULL    -- SHA-256 of what it changed
);

-- An object as it is from this version on, until a later row of its own; without a body it is
-- retired from this version on.
CREATE TABLE market_object (
    version  bigint NOT NULL REFERENCES configuration,
    kind     text NOT NULL CHECK (kind IN ('vertical', 'seller', 'buyer', 'offer', 'campaign')),
    id       text NOT NULL,
    position integer NOT NULL,
    body     json,            -- the exact text: numbers keep their digits
    PRIMARY KEY (kind, id, version)
);

CREATE TABLE api_key (
    digest  bytea PRIMARY KEY,  -- SHA-256 of the key, which is nowhere
    version bigint NOT NULL REFERENCES configuration,
    role    text NOT NULL CHECK (role IN ('seller', 'buyer', 'operator', 'admin')),
    account text NOT NULL,
    hint    text NOT NULL,      -- its first characters, by which its owner knows it
    made    timestamptz NOT NULL DEFAULT now(),
    revoked timestamptz
);
CREATE INDEX api_key_account ON api_key (role, account) WHERE revoked IS NULL;

-- Named secrets, sealed under the master key: signing/acme is what acme's calls are signed with.
CREATE TABLE secret (
    name        text PRIMARY KEY,
    version     bigint NOT NULL REFERENCES configuration,
    sealed      bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    made        timestamptz NOT NULL DEFAULT now()
);

-- Which version of the configuration a worker sells under; NULL: none yet.
ALTER TABLE worker ADD COLUMN configuration bigint;

-- What buyers paid in is read with every snapshot, out of all the transfers of sales.
CREATE INDEX transfer_paid_in ON transfer (credit) WHERE debit = 'cash';

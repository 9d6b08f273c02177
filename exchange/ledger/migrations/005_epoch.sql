-- Which market state is whole: counters, claims and requests in Valkey were built from this ledger
-- under this epoch, in the server that is named. Where either does not agree they are built anew,
-- and nothing is sold by them before every worker knows the new epoch.
CREATE TABLE market_epoch (
    is_it  boolean PRIMARY KEY DEFAULT true CHECK (is_it),  -- there is one row
    epoch  bigint NOT NULL,
    server text,  -- NULL: it is being built
    at     timestamptz NOT NULL DEFAULT now()
);
INSERT INTO market_epoch (epoch) VALUES (0);

-- Up to which epoch a worker holds: what it awarded under an older one is written, all of it. One
-- that does not sell yet has awarded nothing, and nobody waits for it.
ALTER TABLE worker ADD COLUMN epoch bigint NOT NULL DEFAULT 9223372036854775807;

-- A record that can be verified: exchange/domain/sealing.py says how.

-- In which order moments came: what is above the last seal is not sealed yet.
ALTER TABLE moment ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX moment_serial ON moment USING brin (serial) WITH (autosummarize = on);

-- Every row names the moment of its lead that it was written with.
ALTER TABLE lead ADD COLUMN in_moment integer NOT NULL DEFAULT 0;
ALTER TABLE lead_end ADD COLUMN in_moment integer NOT NULL DEFAULT 0;
ALTER TABLE sale_end ADD COLUMN in_moment integer NOT NULL DEFAULT 0;
ALTER TABLE transfer ADD COLUMN in_moment integer NOT NULL DEFAULT 0;

-- A sealed entry: the digests of all that was written with a moment, and the head of its lead's
-- chain after it. Nothing here is ever changed or deleted.
CREATE TABLE link (
    lead_id       uuid NOT NULL,
    number        integer NOT NULL,
    seal          bigint NOT NULL,
    parts         bytea NOT NULL,
    keys          bytea,
    capture       bytea,
    capture_until timestamptz,
    head          bytea NOT NULL,
    PRIMARY KEY (lead_id, number)
);
CREATE INDEX link_seal ON link USING brin (seal) WITH (autosummarize = on);

CREATE TABLE seal (
    number   bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    first    bigint NOT NULL,
    last     bigint NOT NULL,
    entries  integer NOT NULL,
    root     bytea NOT NULL,
    versions bigint NOT NULL,
    paid_in  bigint NOT NULL,
    market   bytea NOT NULL,
    mac      bytea NOT NULL
);

-- A letter for the table and 16 bytes of what stood there; nothing where nothing did.
CREATE FUNCTION part(letter text, body text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN body IS NULL THEN ''::bytea
            ELSE convert_to(letter, 'UTF8') || substr(sha256(convert_to(body, 'UTF8')), 1, 16) END;

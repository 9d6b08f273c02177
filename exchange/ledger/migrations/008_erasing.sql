-- Where a buyer sends the person on may name the person: sealed like the record, erased with it.
ALTER TABLE sale_end DROP COLUMN redirect_url;
ALTER TABLE sale_end ADD COLUMN redirect_url bytea, ADD COLUMN wrapped_key bytea;
ALTER TABLE decision DROP COLUMN redirect_url;
ALTER TABLE decision ADD COLUMN redirect_url bytea, ADD COLUMN wrapped_key bytea;

-- Who had whose person erased, and when. That it happened stays known; who it was does not.
CREATE TABLE erasure (
    lead_id uuid PRIMARY KEY,
    at      timestamptz NOT NULL,
    by      text NOT NULL      -- operator/night-desk, or who typed the command
);

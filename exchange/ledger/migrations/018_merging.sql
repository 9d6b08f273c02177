-- What was posted of a person who came before, where its campaign merges duplicates: one record is
-- kept, the first lead's. So this has no row in lead and no record, and nothing of the person: who
-- sent it, from where, when, under which id; and which lead it is part of.
CREATE TABLE submission (
    lead_id         uuid PRIMARY KEY,  -- the id that its seller was told
    first           uuid NOT NULL,     -- the lead that it is part of
    received_at     timestamptz NOT NULL,
    at              timestamptz NOT NULL,
    worker          uuid NOT NULL,
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
    in_moment       integer NOT NULL
);
CREATE INDEX submission_first ON submission (first);
CREATE INDEX submission_received_at ON submission USING brin (received_at) WITH (autosummarize = on);

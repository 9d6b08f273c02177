-- What somebody outside is to be told, each message once for one recipient. One that tells the end
-- of a lead is written with that end; it has no body: it says how the lead stands when it is sent.
CREATE TABLE message (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    recipient  text NOT NULL,      -- seller/fastquotes, offer/acme-tx
    topic      text NOT NULL,      -- lead.resolved, bid.notices
    lead_id    uuid,
    body       bytea,
    state      text NOT NULL DEFAULT 'waiting'
               CHECK (state IN ('waiting', 'delivered', 'failed')),
    tries      integer NOT NULL DEFAULT 0,         -- since it was written, or replayed
    due        timestamptz NOT NULL DEFAULT now(), -- while it waits: when it is tried next
    ended_at   timestamptz,
    CHECK ((lead_id IS NULL) <> (body IS NULL))
);
CREATE INDEX message_due ON message (recipient, due) WHERE state = 'waiting';
CREATE INDEX message_latest ON message (at DESC, id DESC);
CREATE INDEX message_ended ON message (ended_at) WHERE ended_at IS NOT NULL;

-- A lead ends once, and whoever wants to know hears it as one message.
CREATE UNIQUE INDEX message_of_end ON message (lead_id, recipient)
 WHERE topic IN ('lead.sold', 'lead.unsold', 'lead.resolved');

-- Every try to deliver one.
CREATE TABLE delivery (
    message_id uuid NOT NULL REFERENCES message ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    ms         real NOT NULL,
    status     integer NOT NULL,   -- 0 where nothing came back
    detail     text NOT NULL       -- why it counts as failed; empty where it does not
);
CREATE INDEX delivery_of_message ON delivery (message_id, at);

CREATE TYPE message_row AS (id uuid, recipient text, topic text);
ALTER TYPE moment_row ADD ATTRIBUTE message message_row;

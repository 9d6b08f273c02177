-- What was written, read back.

-- lead --
SELECT lead.*, lead_end.at AS ended_at, lead_end.status, lead_end.reason, lead_end.detail,
       lead_end.price, lead_end.original,
       (SELECT max(number) FROM moment WHERE moment.lead_id = lead.lead_id) AS last_number,
       EXISTS (SELECT FROM moment
                WHERE moment.lead_id = lead.lead_id AND kind = 'pending') AS pending,
       award.sale_id, award.offer, award.buyer, award.price AS award_price, award.payout,
       award.currency, award.held_at, award.bid_id, award.ping_id, award.stage,
       award.buyers_max,
       sale_end.at AS sale_ended_at, sale_end.state AS sale_state, sale_end.reason AS sale_reason,
       sale_end.reference, sale_end.redirect_url,
       sale_end.wrapped_key AS redirect_key
  FROM lead
  LEFT JOIN lead_end USING (lead_id)
  LEFT JOIN award USING (lead_id)
  LEFT JOIN sale_end USING (sale_id)
 WHERE lead_id = $1
 ORDER BY award.number;

-- submission --
-- What was posted under this id and is part of another lead.
SELECT * FROM submission WHERE lead_id = $1;

-- merged --
-- What is part of a lead, in the order in which it came; the first so many.
SELECT lead_id, received_at, seller, source, channel
  FROM submission
 WHERE first = $1
 ORDER BY received_at, lead_id
 LIMIT $2;

-- open_leads --
SELECT lead.*,
       (SELECT max(number) FROM moment WHERE moment.lead_id = lead.lead_id) AS last_number,
       EXISTS (SELECT FROM moment
                WHERE moment.lead_id = lead.lead_id AND kind = 'pending') AS pending,
       award.sale_id, award.offer, award.buyer, award.price AS award_price, award.payout,
       award.currency, award.held_at, award.bid_id, award.ping_id, award.stage,
       award.buyers_max, award.post, award.wrapped_key
  FROM lead
  LEFT JOIN award ON award.lead_id = lead.lead_id
   AND NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id)
 WHERE lead.lead_id = ANY($1::uuid[])
   AND NOT EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = lead.lead_id)
 ORDER BY received_at, lead.lead_id, award.number;

-- timeline --
SELECT events FROM moment WHERE lead_id = $1 ORDER BY number;

-- quote --
SELECT * FROM quote WHERE lead_id = $1;

-- is_used --
-- The post of a quote is its second moment, and so is what makes sure that there will be none.
SELECT EXISTS (SELECT FROM moment WHERE lead_id = $1 AND number = 2) AS used;

-- record --
SELECT sealed, wrapped_key FROM record WHERE lead_id = $1 ORDER BY number DESC LIMIT 1;

-- records --
SELECT sealed, wrapped_key FROM record WHERE lead_id = $1 ORDER BY number;

-- records_after --
-- A page of all that were not erased, after the record ($1, $2).
SELECT lead_id, number, sealed, wrapped_key
  FROM record
 WHERE (lead_id, number) > ($1::uuid, $2::integer) AND wrapped_key IS NOT NULL
 ORDER BY lead_id, number
 LIMIT $3;

-- captures --
SELECT number, at, sealed, wrapped_key
  FROM capture
 WHERE lead_id = $1 AND wrapped_key IS NOT NULL
 ORDER BY number;

-- alone --
-- Before its person is erased: waits for whoever asks just now whether it was (`erased`), and lets
-- nobody ask until this transaction is over.
SELECT pg_advisory_xact_lock(hashtextextended(coalesce(
           (SELECT first FROM submission WHERE lead_id = $1::uuid), $1::uuid)::text, 0));

-- erase --
-- Of a lead, or a ping that became none; of what is part of a lead, that lead, and all its parts.
-- While it is being sold nothing is. The first time is noted.
WITH meant AS (
    SELECT coalesce((SELECT first FROM submission WHERE submission.lead_id = $1), $1) AS lead_id
), fenced AS (
    -- A quote's post is its second moment: once its person is erased it is posted no more.
    INSERT INTO moment (lead_id, number, at, kind, worker, write, events)
    SELECT lead_id, 2, $2, 'void', '00000000-0000-0000-0000-000000000000', 0, '[]'
      FROM meant JOIN quote USING (lead_id)
     WHERE quote.status = 'quoted'
        ON CONFLICT DO NOTHING
    RETURNING lead_id
), closed AS (
    SELECT lead_id FROM meant
     WHERE EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = meant.lead_id)
        OR EXISTS (SELECT FROM fenced)
        OR (EXISTS (SELECT FROM moment WHERE moment.lead_id = meant.lead_id)
            AND NOT EXISTS (SELECT FROM lead WHERE lead.lead_id = meant.lead_id)
            AND (EXISTS (SELECT FROM moment WHERE moment.lead_id = meant.lead_id AND number = 2)
                 OR NOT EXISTS (SELECT FROM quote
                                 WHERE quote.lead_id = meant.lead_id AND status = 'quoted')))
), parts AS (
    -- What pings kept of whom was posted then, and merged.
    SELECT lead_id FROM closed
    UNION ALL
    SELECT submission.lead_id FROM submission JOIN closed ON submission.first = closed.lead_id
), records AS (
    UPDATE record SET wrapped_key = NULL FROM parts WHERE record.lead_id = parts.lead_id
), posts AS (
    UPDATE award SET wrapped_key = NULL FROM closed WHERE award.lead_id = closed.lead_id
), captures AS (
    UPDATE capture SET wrapped_key = NULL FROM parts WHERE capture.lead_id = parts.lead_id
), ends AS (
    UPDATE sale_end SET wrapped_key = NULL FROM award
     WHERE award.sale_id = sale_end.sale_id AND award.lead_id = (SELECT lead_id FROM closed)
), words AS (
    UPDATE decision SET redirect_url = NULL, wrapped_key = NULL, reference = NULL, note = NULL
      FROM award
     WHERE award.sale_id = decision.sale_id AND award.lead_id = (SELECT lead_id FROM closed)
), noted AS (
    INSERT INTO erasure (lead_id, at, by) SELECT lead_id, $2, $3 FROM closed
        ON CONFLICT (lead_id) DO NOTHING
    RETURNING at, by
)
SELECT at, by FROM noted
UNION ALL
SELECT erasure.at, erasure.by FROM closed JOIN erasure USING (lead_id)
 LIMIT 1;

-- owe --
-- The message of an end that was written without it; one that is there stays the only one.
INSERT INTO message (id, at, recipient, topic, lead_id)
SELECT $1, lead_end.at, $2, $3, lead_id FROM lead_end WHERE lead_id = $4
    ON CONFLICT DO NOTHING;

-- balance --
SELECT currency, sum(amount)::bigint AS amount FROM posting WHERE account = $1 GROUP BY currency;

-- balances --
SELECT account, currency, sum(amount)::bigint AS amount
  FROM posting
 WHERE starts_with(account, $1)
 GROUP BY account, currency
 ORDER BY account, currency;

-- sums --
SELECT currency, sum(amount)::bigint AS amount FROM posting GROUP BY currency;

-- counts --
SELECT coalesce(lead_end.status,
                CASE WHEN EXISTS (SELECT FROM moment
                                   WHERE moment.lead_id = lead.lead_id AND kind = 'pending')
                     THEN 'pending' ELSE 'open' END) AS status,
       count(*) AS leads
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE received_at >= $1 AND test = $2
 GROUP BY 1;

-- rejections --
SELECT seller, campaign, at, errors
  FROM rejection
 WHERE seller = $1
 ORDER BY at DESC
 LIMIT $2;

-- expire_captures --
DELETE FROM capture
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM capture WHERE expires_at < $1 LIMIT $2));

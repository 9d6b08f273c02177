-- Entries digested as they are stored; the seals of what was, and what is not sealed yet.

-- alike --
-- One text for one row, whatever the server is set to; and every row found by its key: a planner
-- that knows nothing of young tables yet would read all of them for each.
SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL bytea_output = 'hex';
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- at_will --
SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;

-- fresh --
-- What came after the last seal and is not sealed: moments above $1, up to $2. Their kinds say where
-- to look; a row elsewhere is not theirs, and is found when they are verified.
WITH base AS MATERIALIZED (
    SELECT lead_id, number, kind FROM moment
     WHERE serial > $1 AND serial <= $2
       AND NOT EXISTS (SELECT FROM link
                        WHERE link.lead_id = moment.lead_id AND link.number = moment.number)
)

-- sealed --
-- What was sealed under number $1, looked for everywhere.
WITH base AS MATERIALIZED (
    SELECT lead_id, number, NULL::text AS kind FROM link WHERE seal = $1
)

-- digests --
SELECT base.lead_id, base.number,
       part('m', (SELECT ROW(lead_id, number, at, kind, worker, write,
                                sha256(convert_to(events::text, 'UTF8')))::text
                    FROM moment
                   WHERE moment.lead_id = base.lead_id AND moment.number = base.number))
       || part('l', (SELECT ROW(lead_id, in_moment, received_at, seller, campaign, source, channel,
                                source_declared, vertical, seller_ref, test, version, answer_by,
                                idempotency_key, claim, state, score)::text
                       FROM lead
                      WHERE lead.lead_id = base.lead_id AND lead.in_moment = base.number
                        AND coalesce(base.kind NOT IN ('award'), true)))
       || part('q', (SELECT ROW(lead_id, at, seller, campaign, source, vertical, test, version,
                                status, reason, price, expires_at)::text
                       FROM quote
                      WHERE quote.lead_id = base.lead_id AND base.number = 1
                        AND coalesce(base.kind NOT IN ('lead', 'award', 'outcome'), true)))
       || part('r', (SELECT ROW(lead_id, number, sha256(sealed))::text
                       FROM record
                      WHERE record.lead_id = base.lead_id AND record.number = base.number
                        AND coalesce(base.kind NOT IN ('award'), true)))
       || part('a', (SELECT string_agg(ROW(sale_id, lead_id, number, offer, buyer, price, payout,
                                           currency, held_at, bid_id, ping_id, stage,
                                           buyers_max, sha256(post))::text,
                                       '' ORDER BY sale_id)
                       FROM award
                      WHERE award.lead_id = base.lead_id AND award.number = base.number
                        AND coalesce(base.kind NOT IN ('quote', 'lead', 'outcome'), true)))
       || part('s', (SELECT string_agg(ROW(sale_id, in_moment, at, state, reason, reference,
                                           sha256(redirect_url))::text, '' ORDER BY sale_id)
                       FROM award JOIN sale_end USING (sale_id)
                      WHERE award.lead_id = base.lead_id AND in_moment = base.number
                        AND coalesce(base.kind NOT IN ('quote', 'lead'), true)))
       || part('t', (SELECT string_agg(ROW(id, moved.lead_id, sale_id, in_moment, kind, debit,
                                           credit, amount, moved.currency, at)::text,
                                       '' ORDER BY sale_id, kind)
                       FROM award JOIN transfer AS moved USING (sale_id)
                      WHERE award.lead_id = base.lead_id AND in_moment = base.number
                        AND coalesce(base.kind NOT IN ('quote', 'lead', 'award'), true)))
       || part('e', (SELECT ROW(lead_id, in_moment, at, status, reason, detail, price, original)::text
                       FROM lead_end
                      WHERE lead_end.lead_id = base.lead_id AND lead_end.in_moment = base.number
                        AND coalesce(base.kind NOT IN ('quote', 'lead', 'award'), true)))
       || part('u', (SELECT ROW(lead_id, in_moment, first, received_at, at, worker, seller, campaign,
                                source, channel, source_declared, vertical, seller_ref, test,
                                version, answer_by, idempotency_key)::text
                       FROM submission
                      WHERE submission.lead_id = base.lead_id
                        AND submission.in_moment = base.number
                        AND coalesce(base.kind = 'merged', true)))
       AS parts,
       (SELECT substr(sha256(convert_to(string_agg(what || encode(wrapped_key, 'hex'), ','
                                                   ORDER BY what), 'UTF8')), 1, 16)
          FROM (SELECT 'r' AS what, wrapped_key FROM record
                 WHERE record.lead_id = base.lead_id AND record.number = base.number
                   AND coalesce(base.kind NOT IN ('award'), true)
                UNION ALL
                SELECT sale_id::text, wrapped_key FROM award
                 WHERE award.lead_id = base.lead_id AND award.number = base.number
                   AND coalesce(base.kind NOT IN ('quote', 'lead', 'outcome'), true)
                UNION ALL
                SELECT 's' || sale_id, sale_end.wrapped_key FROM award JOIN sale_end USING (sale_id)
                 WHERE award.lead_id = base.lead_id AND in_moment = base.number
                   AND coalesce(base.kind NOT IN ('quote', 'lead'), true)) AS opened
         WHERE wrapped_key IS NOT NULL) AS keys,
       CASE WHEN kept.lead_id IS NOT NULL
            THEN substr(sha256(convert_to(ROW(kept.number, kept.at, kept.expires_at,
                                              sha256(kept.sealed))::text, 'UTF8')), 1, 16)
                 || coalesce(substr(sha256(kept.wrapped_key), 1, 16), '')
        END AS capture,
       kept.expires_at AS capture_until
  FROM base
  LEFT JOIN capture AS kept ON kept.lead_id = base.lead_id AND kept.number = base.number
 ORDER BY base.lead_id, base.number;

-- heads --
-- The head before each entry: of the last sealed one of its lead.
SELECT DISTINCT ON (asked.lead_id) asked.lead_id, head
  FROM unnest($1::uuid[], $2::integer[]) AS asked (lead_id, number)
  JOIN link ON link.lead_id = asked.lead_id AND link.number < asked.number
 ORDER BY asked.lead_id, link.number DESC;

-- links --
SELECT lead_id, number, parts, keys, capture, capture_until, head
  FROM link WHERE seal = $1 ORDER BY lead_id, number;

-- unlinked --
SELECT lead_id, number FROM moment
 WHERE serial > $1 AND serial <= $2
   AND NOT EXISTS (SELECT FROM link
                    WHERE link.lead_id = moment.lead_id AND link.number = moment.number)
 ORDER BY serial;

-- high --
-- How far there is something to seal: moments, versions of the market, money paid in.
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('moment', 'serial')), 0) AS serial,
       (SELECT coalesce(max(version), 0) FROM configuration) AS versions,
       (SELECT coalesce(max(id), 0) FROM transfer WHERE debit = 'cash') AS paid_in;

-- market --
-- The versions above $1 up to $2, and the money that was paid in by transfers above $3 up to $4.
SELECT sha256(convert_to(coalesce(string_agg(body, ',' ORDER BY place, first, second), ''), 'UTF8'))
  FROM (SELECT 1 AS place, version AS first, '' AS second,
               ROW(version, at, by, kind, digest)::text AS body
          FROM configuration WHERE version > $1 AND version <= $2
        UNION ALL
        SELECT 2, version, kind || ' ' || id, ROW(version, kind, id, position, body::text)::text
          FROM market_object WHERE version > $1 AND version <= $2
        UNION ALL
        SELECT 3, id, '', ROW(id, lead_id, sale_id, kind, debit, credit, amount, currency, at)::text
          FROM transfer WHERE debit = 'cash' AND id > $3 AND id <= $4) AS rows;

-- last_seal --
SELECT * FROM seal ORDER BY number DESC LIMIT 1;

-- seals --
SELECT * FROM seal WHERE number >= $1 ORDER BY number;

-- seal_since --
SELECT coalesce(min(number), 0) FROM seal WHERE at >= $1;

-- add_seal --
INSERT INTO seal (number, at, first, last, entries, root, versions, paid_in, market, mac)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- turn --
SELECT pg_try_advisory_xact_lock($1);

-- unsealed --
SELECT count(*) FROM moment WHERE serial > $1;

-- strays --
-- Rows of leads that belong to no moment or award; $1: of leads that came since.
SELECT what, lead_id, number
  FROM (SELECT 'lead' AS what, lead_id, in_moment AS number FROM lead
        UNION ALL SELECT 'lead_end', lead_id, in_moment FROM lead_end
        UNION ALL SELECT 'submission', lead_id, in_moment FROM submission
        UNION ALL SELECT 'quote', lead_id, 1 FROM quote
        UNION ALL SELECT 'record', lead_id, number FROM record
        UNION ALL SELECT 'award', lead_id, number FROM award
        UNION ALL SELECT 'capture', lead_id, number FROM capture) AS found
 WHERE lead_id >= $1
   AND NOT EXISTS (SELECT FROM moment
                    WHERE moment.lead_id = found.lead_id AND moment.number = found.number)
UNION ALL
SELECT 'sale_end', (SELECT lead_id FROM award WHERE award.sale_id = sale_end.sale_id), in_moment
  FROM sale_end
 WHERE sale_id >= $1
   AND NOT EXISTS (SELECT FROM award
                     JOIN moment ON moment.lead_id = award.lead_id
                      AND moment.number = in_moment
                    WHERE award.sale_id = sale_end.sale_id)
UNION ALL
SELECT 'transfer', lead_id, in_moment
  FROM transfer
 WHERE lead_id >= $1
   AND NOT EXISTS (SELECT FROM award
                     JOIN moment ON moment.lead_id = award.lead_id
                      AND moment.number = in_moment
                    WHERE award.sale_id = transfer.sale_id AND award.lead_id = transfer.lead_id)
UNION ALL
SELECT 'transfer', NULL, NULL
  FROM transfer
 WHERE lead_id IS NULL AND debit <> 'cash'
 LIMIT 100;

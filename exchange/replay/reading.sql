-- Leads as they were written down, for a replay; a page of them in the order in which they came.

-- since --
-- When the oldest of the last $1 leads came.
SELECT min(received_at) FROM (
    SELECT received_at FROM lead WHERE NOT test ORDER BY received_at DESC LIMIT $1) AS newest;

-- versions --
-- Under which leads from $1 to before $2 were sold, and their pings quoted.
SELECT version FROM lead WHERE NOT test AND received_at >= $1 AND received_at < $2
 UNION
SELECT quote.version FROM quote JOIN lead USING (lead_id)
 WHERE NOT lead.test AND received_at >= $1 AND received_at < $2
 ORDER BY version;

-- page --
SELECT lead.lead_id, received_at, campaign, version, lead_end.status, lead_end.at AS ended_at,
       lead_end.original
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE NOT test AND received_at < $2
   AND (received_at, lead.lead_id) > ($1, $3::uuid)
 ORDER BY received_at, lead.lead_id
 LIMIT $4;

-- leads --
SELECT lead.lead_id, received_at, campaign, version, lead_end.status, lead_end.at AS ended_at,
       lead_end.original
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE lead.lead_id = ANY($1::uuid[]);

-- pings --
-- Pings from $1 to before $2 that were quoted, of the campaigns $5 or posted from $6 to before $7.
-- $3, $4: the least and the greatest id that they can have; ids tell the time.
SELECT quote.lead_id, quote.at, quote.expires_at, quote.version,
       CASE WHEN lead.received_at < $7 THEN lead.received_at END AS posted_at
  FROM quote LEFT JOIN lead USING (lead_id)
 WHERE NOT quote.test AND quote.status = 'quoted' AND quote.at >= $1 AND quote.at < $2
   AND quote.lead_id BETWEEN $3::uuid AND $4::uuid
   AND (lead.received_at >= $6 AND lead.received_at < $7
        OR quote.campaign = ANY($5::text[])
            AND (lead.received_at IS NULL OR lead.received_at >= $7));

-- moments --
SELECT lead_id, kind, at, events
  FROM moment WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id, number;

-- records --
SELECT lead_id, number, sealed, wrapped_key
  FROM record WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id, number;

-- quotes --
SELECT lead_id, version FROM quote WHERE lead_id = ANY($1::uuid[]);

-- sales --
SELECT award.lead_id, offer, held_at,
       coalesce(sum(amount) FILTER (WHERE debit = 'buyer/' || buyer), 0)::bigint AS charge,
       coalesce(sum(amount) FILTER (WHERE starts_with(credit, 'seller/')), 0)::bigint AS payout
  FROM award JOIN sale_end USING (sale_id)
  LEFT JOIN transfer ON transfer.sale_id = award.sale_id
   AND transfer.in_moment = sale_end.in_moment
 WHERE award.lead_id = ANY($1::uuid[]) AND sale_end.state IN ('accepted', 'returned')
 GROUP BY award.lead_id, award.sale_id;

-- settled --
-- What counters stood at when the first lead came: $1…$5 names, owners, scopes, begins, ends;
-- $6 when; $7, $8: offers, and the scope of the account that each belongs to.
WITH counter AS (
    SELECT *
      FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
           AS counter (name, owner, scope, began, until)
), charged AS (
    SELECT offer, buyer, held_at,
           (SELECT coalesce(sum(amount), 0) FROM transfer
             WHERE transfer.sale_id = award.sale_id AND debit = 'buyer/' || buyer) AS charge
      FROM award JOIN sale_end USING (sale_id) JOIN lead USING (lead_id)
     WHERE sale_end.state = 'accepted' AND NOT lead.test AND lead.received_at < $6
), scoped AS (
    SELECT 'offer/' || offer AS scope, held_at, charge FROM charged
    UNION ALL
    SELECT 'buyer/' || buyer, held_at, charge FROM charged
    UNION ALL
    SELECT 'pilot/' || buyer, held_at, charge FROM charged
    UNION ALL
    SELECT 'offer-pilot/' || offer, held_at, charge FROM charged
    UNION ALL
    SELECT member.scope, held_at, charge
      FROM charged JOIN unnest($7::text[], $8::text[]) AS member (offer, scope) USING (offer)
)
SELECT name, owner, count(*) AS leads, sum(charge)::bigint AS money
  FROM counter JOIN scoped ON scoped.scope = counter.scope
   AND held_at >= began AND held_at < until
 GROUP BY name, owner;

-- paid_in --
SELECT substr(credit, 7) AS buyer, sum(amount)::bigint AS amount
  FROM transfer WHERE debit = 'cash' AND starts_with(credit, 'buyer/') GROUP BY credit;

-- What the demo reads in the ledger besides its checks.

-- moments --
-- $1: leads. What their quotes were is told apart, when they are quoted.
SELECT lead_id, events FROM moment
 WHERE lead_id = ANY($1::uuid[]) AND kind <> 'quote'
 ORDER BY lead_id, number;

-- quotes --
-- $1, $2: after and up to which id, which begins with the time of the ping.
SELECT quote.campaign, events FROM moment JOIN quote USING (lead_id)
 WHERE moment.lead_id > $1 AND moment.lead_id <= $2 AND kind = 'quote' AND NOT test;

-- statuses --
SELECT coalesce(lead_end.status, 'pending') AS status, count(*) AS leads
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE NOT test
 GROUP BY 1;

-- happened --
-- How often buyers were pinged, answered with a price, were posted to.
SELECT coalesce(sum(json_array_length(event -> 'os')) FILTER (WHERE event ->> 'e' = 'pinged'), 0)
           AS pings,
       count(*) FILTER (WHERE event ->> 'e' = 'bid' AND event ->> 'ms' IS NOT NULL) AS bids,
       count(*) FILTER (WHERE event ->> 'e' = 'posted') AS posts
  FROM moment CROSS JOIN LATERAL json_array_elements(events) AS event
  LEFT JOIN lead USING (lead_id) LEFT JOIN quote USING (lead_id)
 WHERE NOT coalesce(lead.test, quote.test, false);

-- money --
-- What buyers pay, what sellers get.
SELECT coalesce(sum(-amount) FILTER (WHERE starts_with(account, 'buyer/')), 0)::bigint AS revenue,
       coalesce(sum(amount) FILTER (WHERE starts_with(account, 'seller/')), 0)::bigint AS payout
  FROM posting
 WHERE sale_id IS NOT NULL;

-- sales --
-- Every award and what became of it; what its buyer was charged, where it was.
SELECT award.sale_id::text, award.lead_id::text, offer, buyer, award.price, payout, held_at, test,
       sale_end.state, buyers_max,
       (SELECT sum(amount)::bigint FROM transfer
         WHERE transfer.sale_id = award.sale_id AND debit = 'buyer/' || buyer) AS charged
  FROM award JOIN lead USING (lead_id) LEFT JOIN sale_end USING (sale_id)
 ORDER BY award.sale_id;

-- endings --
-- What became of everything that was posted; a lead that several share is sold with those who
-- accepted so far.
SELECT lead.lead_id::text, sold.sales,
       coalesce(status, CASE WHEN sold.sales > 0 THEN 'sold' ELSE 'pending' END) AS status,
       CASE WHEN status IS NULL THEN sold.payout ELSE price END AS price
  FROM lead
  LEFT JOIN lead_end USING (lead_id)
  LEFT JOIN LATERAL (
      SELECT count(*) AS sales, sum(payout)::bigint AS payout
        FROM award JOIN sale_end USING (sale_id)
       WHERE award.lead_id = lead.lead_id AND state = 'accepted') AS sold ON true
UNION ALL
SELECT lead_id::text, 0, 'duplicate', NULL FROM submission;

-- open_sales --
-- Every lead without an end, with each sale of it that has none, where somebody was awarded it.
SELECT lead_id::text, sale_id::text
  FROM lead LEFT JOIN (
      SELECT lead_id, sale_id FROM award
       WHERE NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id)) AS undecided
       USING (lead_id)
 WHERE NOT EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = lead.lead_id);

-- quoted --
-- Quotes that were not posted and hold room, where their campaign says so; some seconds longer.
SELECT lead_id::text
  FROM quote
 WHERE status = 'quoted' AND expires_at > now() - interval '15 seconds'
   AND NOT EXISTS (SELECT FROM lead WHERE lead.lead_id = quote.lead_id);

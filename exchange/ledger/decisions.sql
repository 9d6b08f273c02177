-- Sales that wait for a word from outside, and the words that came.

-- decide --
-- Of a sale that has its end, or a word, nothing is written; what stands is returned. Nor of one whose
-- person was erased meanwhile: it has its end, too.
WITH sale AS (
    SELECT award.sale_id, award.lead_id, award.buyer, sale_end.state
      FROM award LEFT JOIN sale_end USING (sale_id)
     WHERE award.sale_id = $1
), made AS (
    INSERT INTO decision (sale_id, at, by, accepted, reference, redirect_url, wrapped_key,
                          note)
    SELECT sale_id, $2, $3, $4, $5, $6, $7, $8 FROM sale WHERE state IS NULL AND NOT erased(lead_id)
        ON CONFLICT (sale_id) DO NOTHING
    RETURNING sale_id
)
SELECT EXISTS (SELECT FROM made) AS made,
       (SELECT count(pg_notify('decision', sale_id::text)) FROM made) AS announced;

-- decision --
SELECT at, by, accepted, reference, redirect_url, wrapped_key, note FROM decision WHERE sale_id = $1;

-- sale --
SELECT award.lead_id, award.buyer, award.offer, award.price, award.currency, sale_end.state,
       decision.by, decision.accepted
  FROM award
  LEFT JOIN sale_end USING (sale_id)
  LEFT JOIN decision USING (sale_id)
 WHERE award.sale_id = $1;

-- open_sales --
-- No open lead is older than the oldest that a worker answers for.
SELECT award.sale_id, award.lead_id, award.buyer, award.offer, award.price, award.currency,
       award.held_at, lead.seller, lead.campaign, decision.by, decision.accepted
  FROM lead
  JOIN award ON award.lead_id = lead.lead_id
  LEFT JOIN decision ON decision.sale_id = award.sale_id
 WHERE lead.received_at >= (SELECT min(open_since) FROM worker)
   AND award.held_at < $1
   AND NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id)
 ORDER BY award.held_at
 LIMIT $2;

-- What market state should be, by the books.

-- epoch --
SELECT epoch, server FROM market_epoch;

-- begin_epoch --
UPDATE market_epoch SET epoch = epoch + 1, server = NULL, at = now() RETURNING epoch;

-- finish_epoch --
UPDATE market_epoch SET server = $2, at = now() WHERE epoch = $1 RETURNING epoch;

-- acknowledge --
UPDATE worker SET epoch = $2 WHERE id = $1;

-- behind --
-- $2: those count, too, whose lease has run out.
SELECT id FROM worker WHERE epoch < $1 AND ($2 OR lease_until > now());

-- expire --
UPDATE worker SET lease_until = now() WHERE id = ANY($1::uuid[]) AND lease_until > now();

-- try_turn --
SELECT pg_try_advisory_lock($1);

-- end_turn --
SELECT pg_advisory_unlock($1);

-- free_turn --
-- Whoever has the turn of $1 and has asked nothing for $2 seconds hangs: its connection is ended.
SELECT count(pg_terminate_backend(pg_locks.pid))
  FROM pg_locks JOIN pg_stat_activity USING (pid)
 WHERE locktype = 'advisory' AND granted AND objsubid = 1
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (classid::bigint << 32) + objid::bigint = $1::bigint
   AND state <> 'active' AND state_change < now() - make_interval(secs => $2);

-- settled --
-- $1…$5: names, scopes, begins, ends, tests of counters; $6: no sale of them has a lower id.
-- $7, $8: offers, and the scope of the account that each belongs to.
WITH counter AS (
    SELECT *
      FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::boolean[])
           AS counter (name, scope, began, until, test)
), accepted AS (
    SELECT award.sale_id, award.lead_id, offer, buyer, held_at, lead.test, award.price
      FROM award
      JOIN sale_end USING (sale_id)
      JOIN lead USING (lead_id)
     WHERE sale_end.state = 'accepted' AND award.sale_id >= $6::uuid
), charged AS (
    SELECT accepted.*,
           CASE WHEN NOT test THEN (
               SELECT coalesce(sum(amount), 0)
                 FROM transfer
                WHERE transfer.sale_id = accepted.sale_id AND debit = 'buyer/' || buyer)
           ELSE coalesce((
               SELECT (event ->> 'p')::bigint
                 FROM moment CROSS JOIN LATERAL json_array_elements(events) AS event
                WHERE moment.lead_id = accepted.lead_id AND event ->> 'e' = 'accepted'
                  AND event ->> 's' = accepted.sale_id::text
                LIMIT 1), price) END AS charge
      FROM accepted
), scoped AS (
    SELECT 'offer/' || offer AS scope, held_at, test, charge FROM charged
    UNION ALL
    SELECT 'buyer/' || buyer, held_at, test, charge FROM charged
    UNION ALL
    SELECT 'pilot/' || buyer, held_at, test, charge FROM charged
    UNION ALL
    SELECT 'offer-pilot/' || offer, held_at, test, charge FROM charged
    UNION ALL
    SELECT member.scope, held_at, test, charge
      FROM charged JOIN unnest($7::text[], $8::text[]) AS member (offer, scope) USING (offer)
)
SELECT name, counter.scope, count(*) AS leads, sum(charge)::bigint AS money
  FROM counter
  JOIN scoped ON scoped.scope = counter.scope AND scoped.test = counter.test
   AND held_at >= began AND held_at < until
 GROUP BY name, counter.scope;

-- brought --
-- $1…$7: names, sellers, sources (NULL: all), campaigns (NULL: all), begins, ends, tests of counters.
WITH counter AS (
    SELECT *
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                  $6::timestamptz[], $7::boolean[])
           AS counter (name, seller, source, campaign, began, until, test)
), since AS (
    SELECT min(began) AS began FROM counter
), sent AS NOT MATERIALIZED (
    SELECT seller, campaign, source, test, received_at FROM lead
    UNION ALL
    SELECT seller, campaign, source, test, received_at FROM submission
), brought AS (
    -- Where no counter is of a seller, or none of a campaign, nothing is read for it.
    SELECT seller, NULL AS campaign, source, test, received_at FROM sent
     WHERE seller = ANY($2::text[]) AND received_at >= (SELECT began FROM since)
       AND EXISTS (SELECT FROM counter WHERE counter.seller IS NOT NULL)
    UNION ALL
    SELECT NULL, campaign, source, test, received_at FROM sent
     WHERE campaign = ANY($4::text[]) AND received_at >= (SELECT began FROM since)
       AND EXISTS (SELECT FROM counter WHERE counter.campaign IS NOT NULL)
)
SELECT name, count(*) AS amount
  FROM counter
  JOIN brought ON (brought.seller = counter.seller OR brought.campaign = counter.campaign)
   AND brought.test = counter.test
   AND (counter.source IS NULL OR brought.source = counter.source)
   AND received_at >= began AND received_at < until
 GROUP BY name;

-- sent --
-- The same of the pings that were sent to buyers for leads and pings of sellers.
-- $8: no moment of them is of a lead with a lower id.
WITH counter AS (
    SELECT *
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                  $6::timestamptz[], $7::boolean[])
           AS counter (name, seller, source, campaign, began, until, test)
), brought AS (
    SELECT lead_id, seller, source, test FROM lead
     WHERE seller = ANY($2::text[]) AND lead_id >= $8::uuid
    UNION
    SELECT lead_id, seller, source, test FROM quote
     WHERE seller = ANY($2::text[]) AND lead_id >= $8::uuid
), pinged AS (
    SELECT seller, source, test, at((event ->> 't')::bigint) AS at,
           json_array_length(event -> 'os') AS pings
      FROM brought JOIN moment USING (lead_id)
           CROSS JOIN LATERAL json_array_elements(events) AS event
     WHERE event ->> 'e' = 'pinged' AND moment.lead_id >= $8::uuid
)
SELECT name, sum(pings)::bigint AS amount
  FROM counter JOIN pinged ON pinged.seller = counter.seller AND pinged.test = counter.test
   AND (counter.source IS NULL OR pinged.source = counter.source)
   AND pinged.at >= began AND pinged.at < until
 GROUP BY name;

-- moved --
-- The same of money: what sellers were paid for their sales, what buyers paid in campaigns.
WITH counter AS (
    SELECT *
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                  $6::timestamptz[], $7::boolean[])
           AS counter (name, seller, source, campaign, began, until, test)
), moved AS (
    SELECT lead.seller, NULL AS campaign, held_at, amount
      FROM lead JOIN award USING (lead_id) JOIN sale_end USING (sale_id)
      JOIN transfer ON transfer.sale_id = award.sale_id AND credit = 'seller/' || lead.seller
     WHERE sale_end.state = 'accepted' AND NOT lead.test AND lead.seller = ANY($2::text[])
    UNION ALL
    SELECT NULL, lead.campaign, held_at, amount
      FROM lead JOIN award USING (lead_id) JOIN sale_end USING (sale_id)
      JOIN transfer ON transfer.sale_id = award.sale_id AND debit = 'buyer/' || award.buyer
     WHERE sale_end.state = 'accepted' AND NOT lead.test AND lead.campaign = ANY($4::text[])
)
SELECT name, sum(amount)::bigint AS amount
  FROM counter
  JOIN moved ON (moved.seller = counter.seller OR moved.campaign = counter.campaign)
   AND NOT counter.test AND held_at >= began AND held_at < until
 GROUP BY name;

-- taken_in --
-- Of these leads those that are written.
SELECT lead_id FROM lead WHERE lead_id = ANY($1::uuid[])
UNION ALL
SELECT lead_id FROM submission WHERE lead_id = ANY($1::uuid[]);

-- pinged_at --
-- When buyers were pinged for these leads, in µs, as far as it is written.
SELECT moment.lead_id, (event ->> 't')::bigint AS at
  FROM moment CROSS JOIN LATERAL json_array_elements(events) AS event
 WHERE moment.lead_id = ANY($1::uuid[]) AND event ->> 'e' = 'pinged';

-- open_sales --
SELECT award.sale_id, award.lead_id, offer, buyer, seller, campaign, price, payout, held_at,
       lead.test
  FROM award JOIN lead USING (lead_id)
 WHERE NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id);

-- states --
SELECT award.sale_id, coalesce(sale_end.state, 'open') AS state
  FROM award LEFT JOIN sale_end USING (sale_id)
 WHERE award.sale_id = ANY($1::uuid[]);

-- claims --
-- Leads since $1 whose claim may still stand: what it is kept for is decided by the claim itself.
SELECT claim, lead.lead_id, coalesce(lead_end.at, lead.received_at) AS since,
       lead_end.status
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE lead.received_at >= $1 AND claim IS NOT NULL
   AND lead_end.status IS DISTINCT FROM 'duplicate'
 ORDER BY lead.received_at;

-- requests --
SELECT lead.lead_id, seller, worker, idempotency_key, received_at,
       lead_end.lead_id IS NOT NULL AS has_ended
  FROM lead LEFT JOIN lead_end USING (lead_id)
 WHERE received_at >= $1 AND idempotency_key IS NOT NULL
UNION ALL
SELECT lead_id, seller, worker, idempotency_key, received_at, true
  FROM submission
 WHERE received_at >= $1 AND idempotency_key IS NOT NULL
 ORDER BY received_at;

-- purchases --
-- Sales to these buyers that ended since $2, and posts that they refused since then as persons that
-- they have already (205), with the record that tells of whom.
SELECT award.lead_id, award.buyer, sale_end.at, record.sealed, record.wrapped_key
  FROM award
  JOIN sale_end USING (sale_id)
  JOIN lead USING (lead_id)
  JOIN LATERAL (
      SELECT sealed, wrapped_key FROM record
       WHERE record.lead_id = award.lead_id ORDER BY number DESC LIMIT 1) AS record ON true
 WHERE (sale_end.state = 'accepted' OR (sale_end.state = 'refused' AND sale_end.reason = 205))
   AND NOT lead.test AND record.wrapped_key IS NOT NULL
   AND award.buyer = ANY($1::text[]) AND sale_end.at >= $2;

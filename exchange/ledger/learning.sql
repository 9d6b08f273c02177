-- Moments read for what they teach, the counts that are kept of it, and what was learned.

-- high --
-- What is sealed has come to be, all of it: no lower serial number appears any more.
SELECT coalesce(max(last), 0) FROM (SELECT last FROM seal ORDER BY number DESC LIMIT 1) AS newest;

-- begin --
-- A campaign begins with the first moment of leads from $2 on.
INSERT INTO learning (campaign, serial)
SELECT $1, coalesce((SELECT serial - 1 FROM moment WHERE lead_id >= $2
                      ORDER BY lead_id, number LIMIT 1), $3)
    ON CONFLICT DO NOTHING;

-- by_key --
-- Every row is found by its key: a planner that guesses too high would read whole tables each time.
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;

-- turn --
SELECT serial FROM learning WHERE campaign = $1 FOR UPDATE SKIP LOCKED;

-- moments --
-- Of campaign $1, above $2 up to $3, in their order; $4 at most.
WITH near AS MATERIALIZED (
    SELECT serial, lead_id, number, kind FROM moment WHERE serial > $2 AND serial <= $3
), own AS MATERIALIZED (
    SELECT near.*
      FROM near
      LEFT JOIN lead ON lead.lead_id = near.lead_id
      LEFT JOIN quote ON quote.lead_id = near.lead_id
     WHERE coalesce(lead.campaign, quote.campaign) = $1 AND NOT coalesce(lead.test, quote.test)
     ORDER BY serial
     LIMIT $4
)
SELECT own.serial, moment.events,
       CASE WHEN own.kind NOT IN ('quote', 'lead')
            THEN ARRAY(SELECT earlier.events FROM moment AS earlier
                        WHERE earlier.lead_id = own.lead_id AND earlier.number < own.number
                        ORDER BY earlier.number) END AS earlier,
       back.sales, back.amounts
  FROM own
  JOIN moment ON moment.lead_id = own.lead_id AND moment.number = own.number
  LEFT JOIN LATERAL (
      SELECT array_agg(sale_id::text) AS sales, array_agg(amount) AS amounts
        FROM (SELECT sale_id, (SELECT sum(amount)::bigint FROM transfer
                                WHERE transfer.sale_id = award.sale_id
                                  AND transfer.in_moment = own.number
                                  AND starts_with(transfer.credit, 'buyer/')) AS amount
                FROM award WHERE award.lead_id = own.lead_id) AS returned
       WHERE amount IS NOT NULL AND own.kind NOT IN ('quote', 'lead', 'award')
  ) AS back ON true
 ORDER BY own.serial;

-- learned_up_to --
UPDATE learning SET serial = $2 WHERE campaign = $1;

-- add_track --
INSERT INTO offer_track AS known (campaign, offer, day, posts, accepted, returned)
VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (campaign, offer, day) DO UPDATE
   SET posts = known.posts + excluded.posts, accepted = known.accepted + excluded.accepted,
       returned = known.returned + excluded.returned;

-- add_expected --
INSERT INTO expected_day AS known (campaign, changed, day, leads, expected, by_price, realized)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (campaign, day, changed) DO UPDATE
   SET leads = known.leads + excluded.leads, expected = known.expected + excluded.expected,
       by_price = known.by_price + excluded.by_price,
       realized = known.realized + excluded.realized;

-- add_floor --
INSERT INTO floor_day AS known (campaign, model, day, auctions, sold, revenue)
VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (campaign, day, model) DO UPDATE
   SET auctions = known.auctions + excluded.auctions, sold = known.sold + excluded.sold,
       revenue = known.revenue + excluded.revenue;

-- add_seen --
INSERT INTO bid_seen AS known (campaign, state, hours, period, floor, bid,
                               best, best_sum, second, second_sum)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (campaign, state, hours, period, floor, bid) DO UPDATE
   SET best = known.best + excluded.best, best_sum = known.best_sum + excluded.best_sum,
       second = known.second + excluded.second,
       second_sum = known.second_sum + excluded.second_sum;

-- seen --
-- Of one segment, in period $4 and the one before.
SELECT floor, bid, sum(best)::bigint AS best, sum(best_sum)::bigint AS best_sum,
       sum(second)::bigint AS second, sum(second_sum)::bigint AS second_sum
  FROM bid_seen
 WHERE campaign = $1 AND state = $2 AND hours = $3 AND period IN ($4 - 1, $4)
 GROUP BY floor, bid;

-- set_floor --
INSERT INTO learned_floor (campaign, state, hours, floor, auctions, at)
VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (campaign, state, hours) DO UPDATE
   SET floor = excluded.floor, auctions = excluded.auctions, at = excluded.at;

-- forget_floor --
DELETE FROM learned_floor WHERE campaign = $1 AND state = $2 AND hours = $3;

-- forget_seen --
DELETE FROM bid_seen WHERE campaign = $1 AND period NOT IN ($2 - 1, $2);

-- forget_floors --
DELETE FROM learned_floor WHERE campaign = $1 AND at < $2;

-- forget_tracks --
DELETE FROM offer_track WHERE campaign = $1 AND day < $2;

-- tracks --
-- By campaign: since which day it believes, and up to which its sales have had time to be returned.
SELECT campaign, offer, sum(posts)::bigint AS posts, sum(accepted)::bigint AS accepted,
       coalesce(sum(accepted) FILTER (WHERE day <= until), 0)::bigint AS matured,
       coalesce(sum(returned) FILTER (WHERE day <= until), 0)::bigint AS returned
  FROM offer_track
  JOIN unnest($1::text[], $2::integer[], $3::integer[]) AS asked (campaign, since, until)
       USING (campaign)
 WHERE day > since
 GROUP BY campaign, offer;

-- floors --
SELECT campaign, state, hours, floor, auctions, at
  FROM learned_floor WHERE campaign = ANY($1) ORDER BY campaign, state, hours;

-- expected_report --
SELECT campaign, changed, sum(leads)::bigint AS leads, sum(expected)::bigint AS expected,
       sum(by_price)::bigint AS by_price, sum(realized)::bigint AS realized
  FROM expected_day WHERE day >= $1 GROUP BY campaign, changed ORDER BY campaign, changed;

-- floor_report --
SELECT campaign, model, sum(auctions)::bigint AS auctions, sum(sold)::bigint AS sold,
       sum(revenue)::bigint AS revenue
  FROM floor_day WHERE day >= $1 GROUP BY campaign, model ORDER BY campaign, model;

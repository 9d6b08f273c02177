-- What must always hold, each as the query of what breaks it: (subject, detail) of every violation.

-- sold_too_often --
-- Nobody has a lead together with more than it was promised; who was promised to be alone is.
SELECT lead_id::text, count(*) || ' accepted sales of at most ' || min(buyers_max)
  FROM award JOIN sale_end USING (sale_id)
 WHERE state = 'accepted'
 GROUP BY lead_id
HAVING count(*) > min(buyers_max);

-- buyer_posted_twice --
SELECT lead_id::text, buyer || ' was awarded it ' || count(*) || ' times'
  FROM award
 GROUP BY lead_id, buyer
HAVING count(*) > 1;

-- charged_without_acceptance --
SELECT DISTINCT transfer.sale_id::text, coalesce(sale_end.state, 'no end')
  FROM transfer LEFT JOIN sale_end USING (sale_id)
 WHERE transfer.sale_id IS NOT NULL AND sale_end.state IS DISTINCT FROM 'accepted';

-- accepted_without_charge --
SELECT sale_id::text, 'buyer ' || buyer || ' owes ' || price
  FROM award JOIN sale_end USING (sale_id) JOIN lead USING (lead_id)
 WHERE sale_end.state = 'accepted' AND NOT test AND price > 0
   AND NOT EXISTS (SELECT FROM transfer WHERE transfer.sale_id = award.sale_id);

-- test_charged --
SELECT lead_id::text, kind FROM transfer JOIN lead USING (lead_id) WHERE test;

-- wrong_charge --
-- The buyer pays what its award asks, or less where the timeline says that less was accepted; the seller
-- gets its payout; the margin has the rest.
WITH booked AS (
    SELECT award.sale_id, price, payout, award.lead_id,
           coalesce(sum(amount) FILTER (WHERE debit = 'buyer/' || buyer), 0) AS paid,
           coalesce(sum(amount) FILTER (WHERE credit = 'seller/' || seller), 0) AS earned,
           coalesce(sum(amount) FILTER (WHERE credit = 'margin/' || campaign), 0)
           - coalesce(sum(amount) FILTER (WHERE debit = 'margin/' || campaign), 0) AS margin,
           count(*) FILTER (WHERE transfer.currency <> award.currency) AS foreign_entries
      FROM transfer
      JOIN award ON award.sale_id = transfer.sale_id
      JOIN lead ON lead.lead_id = award.lead_id
     WHERE kind IN ('payout', 'margin', 'loss')
     GROUP BY award.sale_id, lead.lead_id
)
SELECT sale_id::text,
       format('price %s, payout %s; paid %s, earned %s, margin %s',
              price, payout, paid, earned, margin)
  FROM booked
 WHERE earned <> payout OR margin <> paid - earned OR paid > price OR foreign_entries > 0
    OR (paid < price
        AND NOT EXISTS (
            SELECT FROM moment CROSS JOIN LATERAL json_array_elements(events) AS event
             WHERE moment.lead_id = booked.lead_id AND event ->> 'e' = 'accepted'
               AND event ->> 's' = booked.sale_id::text
               AND coalesce((event ->> 'p')::bigint, 0) = paid));

-- unbalanced --
SELECT currency, 'all postings together make ' || sum(amount)
  FROM posting
 GROUP BY currency
HAVING sum(amount) <> 0;

-- gap --
SELECT lead_id::text, count(*) || ' moments, the last is number ' || max(number)
  FROM moment
 GROUP BY lead_id
HAVING max(number) <> count(*);

-- without_moment --
SELECT lead_id::text, found.what
  FROM (SELECT lead_id, 'lead' AS what FROM lead
        UNION ALL SELECT lead_id, 'end' FROM lead_end
        UNION ALL SELECT lead_id, 'quote' FROM quote
        UNION ALL SELECT lead_id, 'award' FROM award
        UNION ALL SELECT lead_id, 'record' FROM record
        UNION ALL SELECT lead_id, 'capture' FROM capture
        UNION ALL SELECT lead_id, 'submission' FROM submission
        UNION ALL SELECT lead_id, 'transfer' FROM transfer WHERE lead_id IS NOT NULL) AS found
 WHERE NOT EXISTS (SELECT FROM moment WHERE moment.lead_id = found.lead_id);

-- without_lead --
SELECT lead_id::text, found.what
  FROM (SELECT lead_id, 'award' AS what FROM award UNION ALL SELECT lead_id, 'end' FROM lead_end)
       AS found
 WHERE NOT EXISTS (SELECT FROM lead WHERE lead.lead_id = found.lead_id);

-- part_of_no_lead --
-- What was merged is part of a lead, and is none itself.
SELECT lead_id::text, 'part of ' || first
  FROM submission
 WHERE NOT EXISTS (SELECT FROM lead WHERE lead.lead_id = submission.first)
    OR EXISTS (SELECT FROM lead WHERE lead.lead_id = submission.lead_id)
    OR EXISTS (SELECT FROM award WHERE award.lead_id = submission.lead_id);

-- sale_end_without_award --
SELECT sale_id::text, state
  FROM sale_end
 WHERE NOT EXISTS (SELECT FROM award WHERE award.sale_id = sale_end.sale_id);

-- open_award_of_ended_lead --
SELECT sale_id::text, 'lead ' || award.lead_id || ' ended ' || status
  FROM award JOIN lead_end USING (lead_id)
 WHERE NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id);

-- posted_before_award --
SELECT moment.lead_id::text, 'moment ' || number || ' posts sale ' || coalesce(event ->> 's', '?')
  FROM moment CROSS JOIN LATERAL json_array_elements(events) AS event
 WHERE events::text LIKE '%"posted"%' AND event ->> 'e' = 'posted'
   AND NOT EXISTS (SELECT FROM award
                    WHERE award.sale_id = (event ->> 's')::uuid
                      AND award.lead_id = moment.lead_id AND award.number <= moment.number);

-- told_otherwise --
-- What the seller hears agrees with what was sold.
SELECT lead_end.lead_id::text,
       format('%s at %s; accepted for %s', status, coalesce(price::text, 'nothing'), payout)
  FROM lead_end
  CROSS JOIN LATERAL (
      SELECT coalesce(sum(payout), 0) AS payout, count(*) AS sales
        FROM award JOIN sale_end USING (sale_id)
       WHERE award.lead_id = lead_end.lead_id AND state = 'accepted') AS sold
 WHERE (status = 'sold') <> (sales > 0) OR coalesce(price, 0) <> payout;

-- unfinished --
-- $1: leads that came before this should have an end, unless a sale is still in doubt.
SELECT lead_id::text, 'of seller ' || seller || ', worker ' || worker
  FROM lead
 WHERE received_at < $1
   AND NOT EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = lead.lead_id)
   AND NOT EXISTS (SELECT FROM award
                    WHERE award.lead_id = lead.lead_id
                      AND NOT EXISTS (SELECT FROM sale_end
                                       WHERE sale_end.sale_id = award.sale_id));

-- in_doubt_too_long --
-- $1: sales that were held before this should have an end.
SELECT sale_id::text, 'buyer ' || buyer || ', lead ' || lead_id
  FROM award
 WHERE held_at < $1
   AND NOT EXISTS (SELECT FROM sale_end WHERE sale_end.sale_id = award.sale_id);

-- over_cap --
-- $1…$5: scopes, kinds, windows, time zones and limits of the caps; $6, $7: offers, and the scope of
-- the account that each belongs to.
WITH cap AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
               AS cap (scope, kind, per, zone, most)
), counted AS (
    SELECT scope, cap.kind, per, most,
           CASE WHEN per <> 'total' THEN date_trunc(per, held_at, zone) END AS began,
           CASE cap.kind WHEN 'spend' THEN sum(charge.paid) ELSE count(*) END AS used
      FROM cap
      JOIN award ON scope IN ('offer/' || offer, 'buyer/' || buyer, 'pilot/' || buyer,
                              'offer-pilot/' || offer)
                 OR (offer, scope) IN (SELECT * FROM unnest($6::text[], $7::text[]))
      JOIN sale_end USING (sale_id)
      JOIN lead USING (lead_id)
      CROSS JOIN LATERAL (
          SELECT coalesce(sum(amount), 0) AS paid
            FROM transfer
           WHERE transfer.sale_id = award.sale_id AND debit = 'buyer/' || buyer) AS charge
     WHERE sale_end.state = 'accepted' AND NOT test
     GROUP BY scope, cap.kind, per, zone, most, began
)
SELECT scope, format('%s of %s %s per %s from %s', used, most, kind, per, coalesce(began::text, 'the first'))
  FROM counted
 WHERE used > most;

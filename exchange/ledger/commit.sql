-- One flush: all moments that gathered, each with its rows, where nobody wrote its number before.
-- $1 is the worker; its row is locked against a take-over, and without it nothing is written.

-- commit --
WITH lease AS MATERIALIZED (
    SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), given AS MATERIALIZED (
    SELECT write, lead_id, number, at, kind, events, announce
      FROM unnest($2::moment_row[])
     WHERE EXISTS (SELECT FROM lease)
), fresh AS (
    INSERT INTO moment (lead_id, number, at, kind, worker, write, events)
    SELECT lead_id, number, at, kind, $1, write, events
      FROM given
        ON CONFLICT (lead_id, number) DO NOTHING
    RETURNING write, lead_id, number, at
), new_lead AS (
    INSERT INTO lead (lead_id, received_at, worker, seller, campaign, source, channel,
                      source_declared, vertical, seller_ref, test, version, answer_by,
                      idempotency_key, claim, state, score)
    SELECT lead_id, received_at, $1, seller, campaign, source, channel,
           source_declared, vertical, seller_ref, test, version, answer_by,
           idempotency_key, claim, state, score
      FROM unnest($3::lead_row[]) JOIN fresh USING (write)
), new_lead_end AS (
    INSERT INTO lead_end (lead_id, at, status, reason, detail, price, original)
    SELECT lead_id, at, status, reason, detail, price, original
      FROM unnest($4::lead_end_row[]) JOIN fresh USING (write)
), new_quote AS (
    INSERT INTO quote (lead_id, at, seller, campaign, source, vertical, test, version, status,
                       reason, price, expires_at)
    SELECT lead_id, at, seller, campaign, source, vertical, test, version, status,
           reason, price, expires_at
      FROM unnest($5::quote_row[]) JOIN fresh USING (write)
), new_record AS (
    INSERT INTO record (lead_id, number, sealed, wrapped_key)
    SELECT lead_id, number, sealed, wrapped_key
      FROM unnest($6::record_row[]) JOIN fresh USING (write)
), new_award AS (
    INSERT INTO award (sale_id, lead_id, number, offer, buyer, price, payout, currency, held_at,
                       bid_id, ping_id, stage, post, wrapped_key)
    SELECT sale_id, lead_id, number, offer, buyer, price, payout, currency, held_at,
           bid_id, ping_id, stage, post, wrapped_key
      FROM unnest($7::award_row[]) JOIN fresh USING (write)
), new_sale_end AS (
    INSERT INTO sale_end (sale_id, at, state, reason, reference, redirect_url)
    SELECT sale_id, at, state, reason, reference, redirect_url
      FROM unnest($8::sale_end_row[]) JOIN fresh USING (write)
), new_transfer AS (
    INSERT INTO transfer (lead_id, sale_id, kind, debit, credit, amount, currency, at)
    SELECT lead_id, sale_id, kind, debit, credit, amount, currency, at
      FROM unnest($9::transfer_row[]) JOIN fresh USING (write)
), new_capture AS (
    INSERT INTO capture (lead_id, number, at, expires_at, sealed, wrapped_key)
    SELECT lead_id, number, at, expires_at, sealed, wrapped_key
      FROM unnest($10::capture_row[]) JOIN fresh USING (write)
), new_rejection AS (
    INSERT INTO rejection (id, seller, campaign, at, errors)
    SELECT id, seller, campaign, at, errors
      FROM unnest($11::rejection_row[])
     WHERE EXISTS (SELECT FROM lease)
        ON CONFLICT (id) DO NOTHING
)
SELECT EXISTS (SELECT FROM lease) AS leased,
       ARRAY(SELECT write FROM fresh) AS written,
       (SELECT count(pg_notify('lead', given.lead_id::text))
          FROM given JOIN fresh USING (write)
         WHERE announce) AS announced;

-- own --
-- Which of these an earlier flush of ours had written before its connection broke.
SELECT moment.write
  FROM moment JOIN unnest($2::uuid[], $3::integer[], $4::bigint[]) AS asked (lead_id, number, write)
    ON moment.lead_id = asked.lead_id
   AND moment.number = asked.number
   AND moment.write = asked.write
 WHERE worker = $1;

-- One flush: all moments that gathered, each with its rows, where nobody wrote its number before.
-- $1 is the worker; its row is locked against a take-over, and without it nothing is written.
-- $2 holds the moments, $3 to $5 beside each its sealed record, post and capture; $6 rejections.

-- commit --
WITH lease AS MATERIALIZED (
    SELECT id FROM worker WHERE id = $1 FOR KEY SHARE
), given AS MATERIALIZED (
    SELECT *
      FROM ROWS FROM (json_populate_recordset(NULL::moment_row, $2::json),
                      unnest($3::bytea[]), unnest($4::bytea[]), unnest($5::bytea[]))
        AS given (write, lead_id, number, at_us, kind, events, announce, wrapped_key,
                  capture_until_us, lead, quote, award, sale_end, lead_end, transfers, message,
                  record, post, capture)
     WHERE EXISTS (SELECT FROM lease)
), fresh AS (
    INSERT INTO moment (lead_id, number, at, kind, worker, write, events)
    SELECT lead_id, number, at(at_us), kind, $1, write, events
      FROM given
        ON CONFLICT (lead_id, number) DO NOTHING
    RETURNING write, at
), written AS MATERIALIZED (
    SELECT given.*, fresh.at, decode(wrapped_key, 'base64') AS key
      FROM given JOIN fresh USING (write)
), new_lead AS (
    INSERT INTO lead (lead_id, received_at, worker, seller, campaign, source, channel,
                      source_declared, vertical, seller_ref, test, version, answer_by,
                      idempotency_key, claim, state, score, in_moment)
    SELECT lead_id, at((lead).received_at_us), $1, (lead).seller_id, (lead).campaign_id,
           (lead).source_id, (lead).channel, (lead).source_declared, (lead).vertical_id,
           (lead).seller_ref, (lead).test, (lead).version, at((lead).answer_by_us),
           decode((lead).idempotency_key, 'base64'), decode((lead).claim, 'base64'),
           (lead).state, (lead).score, number
      FROM written WHERE lead IS DISTINCT FROM NULL AND kind <> 'merged'
), new_lead_end AS (
    INSERT INTO lead_end (lead_id, at, status, reason, detail, price, original, in_moment)
    SELECT lead_id, at, (lead_end).status, (lead_end).reason, (lead_end).detail,
           (lead_end).price, (lead_end).original, number
      FROM written WHERE lead_end IS DISTINCT FROM NULL AND kind <> 'merged'
), new_submission AS (
    -- What merges is no lead, and keeps nothing of the person.
    INSERT INTO submission (lead_id, first, received_at, at, worker, seller, campaign, source,
                            channel, source_declared, vertical, seller_ref, test, version,
                            answer_by, idempotency_key, in_moment)
    SELECT lead_id, (lead_end).original, at((lead).received_at_us), at, $1, (lead).seller_id,
           (lead).campaign_id, (lead).source_id, (lead).channel, (lead).source_declared,
           (lead).vertical_id, (lead).seller_ref, (lead).test, (lead).version,
           at((lead).answer_by_us), decode((lead).idempotency_key, 'base64'), number
      FROM written WHERE kind = 'merged'
), new_quote AS (
    INSERT INTO quote (lead_id, at, seller, campaign, source, vertical, test, version, status,
                       reason, price, expires_at)
    SELECT lead_id, at, (quote).seller_id, (quote).campaign_id, (quote).source_id,
           (quote).vertical_id, (quote).test, (quote).version, (quote).status, (quote).reason,
           (quote).price, at((quote).expires_at_us)
      FROM written WHERE quote IS DISTINCT FROM NULL
), new_record AS (
    INSERT INTO record (lead_id, number, sealed, wrapped_key)
    SELECT lead_id, number, record, key
      FROM written WHERE record IS NOT NULL
), new_award AS (
    INSERT INTO award (sale_id, lead_id, number, offer, buyer, price, payout, currency, held_at,
                       bid_id, ping_id, stage, buyers_max, post, wrapped_key)
    SELECT (award).sale_id, lead_id, number, (award).offer_id, (award).buyer_id, (award).price,
           (award).payout, (award).currency, at((award).held_at_us), (award).bid_id,
           (award).ping_id, (award).stage, (award).buyers_max, post, CASE WHEN post IS NOT NULL THEN key END
      FROM written WHERE award IS DISTINCT FROM NULL
), new_sale_end AS (
    INSERT INTO sale_end (sale_id, at, state, reason, reference, redirect_url,
                          wrapped_key, in_moment)
    SELECT (sale_end).sale_id, at, (sale_end).state, (sale_end).reason, (sale_end).reference,
           decode((sale_end).redirect_url, 'base64'),
           CASE WHEN (sale_end).redirect_url IS NOT NULL THEN key END, number
      FROM written WHERE sale_end IS DISTINCT FROM NULL
), new_transfer AS (
    INSERT INTO transfer (lead_id, sale_id, kind, debit, credit, amount, currency, at, in_moment)
    SELECT lead_id, moved.sale_id, moved.kind, debit, credit, amount, currency, at, number
      FROM written CROSS JOIN unnest(transfers) AS moved
), new_message AS (
    INSERT INTO message (id, at, recipient, topic, lead_id)
    SELECT (message).id, at, (message).recipient, (message).topic, lead_id
      FROM written WHERE message IS DISTINCT FROM NULL
        ON CONFLICT DO NOTHING
), new_capture AS (
    INSERT INTO capture (lead_id, number, at, expires_at, sealed, wrapped_key)
    -- What a buyer says after the person was erased is as unreadable as what was kept before: after
    -- a lead's end only notes come.
    SELECT lead_id, number, at, at(capture_until_us), capture,
           CASE WHEN kind <> 'note' THEN key WHEN NOT erased(lead_id) THEN key END
      FROM written WHERE capture IS NOT NULL
), new_rejection AS (
    INSERT INTO rejection (id, seller, campaign, at, errors)
    SELECT id, seller_id, campaign_id, at(at_us), errors
      FROM json_populate_recordset(NULL::rejection_row, $6::json)
     WHERE EXISTS (SELECT FROM lease)
        ON CONFLICT (id) DO NOTHING
)
SELECT EXISTS (SELECT FROM lease) AS leased,
       ARRAY(SELECT write FROM written) AS written,
       (SELECT count(pg_notify('lead', lead_id::text)) FROM written WHERE announce) AS announced,
       -- What is merged has a ping before it where it is not the first moment under its id.
       (SELECT count(*) FILTER (WHERE forgotten(lead_id, (lead_end).original))
          FROM written WHERE kind = 'merged' AND number > 1) AS forgotten;

-- own --
-- Which of these an earlier flush of ours had written before its connection broke.
SELECT moment.write
  FROM moment JOIN unnest($2::uuid[], $3::integer[], $4::bigint[]) AS asked (lead_id, number, write)
    ON moment.lead_id = asked.lead_id
   AND moment.number = asked.number
   AND moment.write = asked.write
 WHERE worker = $1;

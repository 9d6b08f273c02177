-- Who sells, and whose leads are left behind.

-- register --
INSERT INTO worker (id, lease_until, open_since, unheard_since, version, addresses)
VALUES ($1, now() + make_interval(secs => $2), $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE
   SET lease_until = excluded.lease_until, open_since = excluded.open_since,
       unheard_since = excluded.unheard_since,
       version = excluded.version, addresses = excluded.addresses;

-- renew --
UPDATE worker
   SET lease_until = now() + make_interval(secs => $2), open_since = $3, unheard_since = $4
 WHERE id = $1
RETURNING id;

-- leave --
DELETE FROM worker WHERE id = $1;

-- abandon --
UPDATE worker SET lease_until = now(), open_since = $2, unheard_since = $3 WHERE id = $1;

-- expire --
UPDATE worker SET lease_until = now() WHERE id = $1 AND lease_until > now();

-- workers --
SELECT id, started_at, lease_until, open_since, version, addresses, lease_until <= now() AS is_dead
  FROM worker
 ORDER BY started_at, id;

-- seize --
-- The row of a worker that is being taken over, or is writing this very moment, is left alone.
SELECT open_since FROM worker
 WHERE id = $1 AND lease_until <= now()
   FOR UPDATE SKIP LOCKED;

-- relabel --
UPDATE lead SET worker = $2
 WHERE worker = $1 AND received_at >= $3
   AND NOT EXISTS (SELECT FROM lead_end WHERE lead_end.lead_id = lead.lead_id)
RETURNING lead_id;

-- unheard --
-- Ends of which the worker may have died without having heard that it had written them.
SELECT lead.lead_id, lead.seller, lead_end.status, lead_end.reason, lead_end.detail,
       lead_end.price, lead_end.original
  FROM lead
  JOIN lead_end USING (lead_id)
  JOIN moment ON moment.lead_id = lead.lead_id AND moment.number = lead_end.in_moment
 WHERE lead.worker = $1 AND lead.received_at >= $2
   AND moment.worker = $1
   AND moment.write >= (SELECT unheard_since FROM worker WHERE id = $1)
   AND NOT EXISTS (SELECT FROM message
                    WHERE message.lead_id = lead.lead_id
                      AND topic IN ('lead.sold', 'lead.unsold', 'lead.resolved'));

-- tell --
-- Their messages; one that is there stays the only one.
INSERT INTO message (id, at, recipient, topic, lead_id)
SELECT told.id, lead_end.at, told.recipient, told.topic, lead_id
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[])
    AS told (id, recipient, topic, lead_id)
  JOIN lead_end USING (lead_id)
    ON CONFLICT DO NOTHING;

-- answer_for --
UPDATE worker SET open_since = least(open_since, $2) WHERE id = $1 RETURNING id;

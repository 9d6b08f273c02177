-- Who sells, and whose leads are left behind.

-- register --
INSERT INTO worker (id, lease_until, open_since, version, addresses)
VALUES ($1, now() + make_interval(secs => $2), $3, $4, $5)
ON CONFLICT (id) DO UPDATE
   SET lease_until = excluded.lease_until, open_since = excluded.open_since,
       version = excluded.version, addresses = excluded.addresses;

-- renew --
UPDATE worker SET lease_until = now() + make_interval(secs => $2), open_since = $3
 WHERE id = $1
RETURNING id;

-- leave --
DELETE FROM worker WHERE id = $1;

-- abandon --
UPDATE worker SET lease_until = now(), open_since = $2 WHERE id = $1;

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

-- answer_for --
UPDATE worker SET open_since = least(open_since, $2) WHERE id = $1 RETURNING id;

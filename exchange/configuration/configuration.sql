-- One writer at a time, until its transaction ends.

-- lock --
SELECT pg_advisory_xact_lock(7161677, 1);

-- present --
-- What there is of each object at a version: its latest row, without a body if it is retired.
SELECT DISTINCT ON (kind, id) kind, id, position, body
  FROM market_object
 WHERE version <= $1
 ORDER BY kind, id, version DESC;

-- last_bodies --
-- What retired objects were before.
SELECT DISTINCT ON (kind, id) kind, id, body
  FROM market_object
  JOIN unnest($1::text[], $2::text[]) AS wanted (kind, id) USING (kind, id)
 WHERE version <= $3 AND body IS NOT NULL
 ORDER BY kind, id, version DESC;

-- version --
SELECT coalesce(max(version), 0) FROM configuration;

-- market_version --
SELECT coalesce(max(version), 0) FROM configuration WHERE kind = 'market' AND version <= $1;

-- begin_version --
INSERT INTO configuration (version, by, kind, digest)
SELECT coalesce(max(version), 0) + 1, $1, $2, $3 FROM configuration
RETURNING version;

-- add_object --
INSERT INTO market_object (version, kind, id, position, body) VALUES ($1, $2, $3, $4, $5);

-- open_account --
-- A buyer's opening balance, once: whoever was paid in before keeps what is there.
INSERT INTO transfer (kind, debit, credit, amount, currency, at)
SELECT 'opening', 'cash', $1, $2, $3, now()
 WHERE NOT EXISTS (SELECT FROM transfer WHERE debit = 'cash' AND credit = $1 AND kind = 'opening');

-- opened --
-- Accounts that an opening balance was booked to.
SELECT credit AS account FROM transfer WHERE debit = 'cash' AND kind = 'opening';

-- paid_in --
SELECT credit AS account, sum(amount)::bigint AS amount
  FROM transfer
 WHERE debit = 'cash'
 GROUP BY credit;

-- announce --
SELECT pg_notify('configuration', $1);

-- keys --
SELECT digest, role, account FROM api_key WHERE revoked IS NULL;

-- secrets --
SELECT name, sealed, wrapped_key FROM secret;

-- add_key --
INSERT INTO api_key (digest, version, role, account, hint) VALUES ($1, $2, $3, $4, $5);

-- retire_keys --
-- All but the newest few of an account.
UPDATE api_key SET revoked = now()
 WHERE digest IN (
     SELECT digest FROM api_key
      WHERE role = $1 AND account = $2 AND revoked IS NULL
      ORDER BY version DESC
     OFFSET $3
 )
RETURNING hint;

-- keep_secret --
INSERT INTO secret (name, version, sealed, wrapped_key) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
   SET version = excluded.version, sealed = excluded.sealed,
       wrapped_key = excluded.wrapped_key, made = now();

-- secret_names --
SELECT name, made FROM secret WHERE starts_with(name, $1) ORDER BY name;

-- forget_secret --
DELETE FROM secret WHERE name = $1 RETURNING name;

-- acknowledge --
UPDATE worker SET configuration = $2 WHERE id = $1 AND configuration IS DISTINCT FROM $2
RETURNING pg_notify('swapped', id || ' ' || $2);

-- live_workers --
SELECT count(*) FROM worker WHERE lease_until > now();

-- lagging --
SELECT id::text, configuration, addresses
  FROM worker
 WHERE lease_until > now() AND coalesce(configuration, 0) < $1
 ORDER BY started_at, id;

-- Messages that wait, the tries to deliver them, and what operators see of both.

-- take --
-- Of each recipient ($1) as many as it has room for ($2) of those that are due, in all at most $4,
-- for so many seconds ($3): whoever took them and says nothing more is dead, and another one sends
-- them again.
WITH taken AS (
    SELECT due.id
      FROM unnest($1::text[], $2::integer[]) AS asked (recipient, room)
     CROSS JOIN LATERAL (
           SELECT id FROM message
            WHERE state = 'waiting' AND message.recipient = asked.recipient AND due <= now()
            ORDER BY due, id
            LIMIT asked.room
              FOR UPDATE SKIP LOCKED) AS due
     LIMIT $4
)
UPDATE message
   SET tries = tries + 1, due = now() + make_interval(secs => $3)
  FROM taken
 WHERE message.id = taken.id
RETURNING message.id::text, message.at, recipient, topic, lead_id::text, body, tries;

-- delivered --
WITH tried AS (
    INSERT INTO delivery (message_id, at, ms, status, detail)
    SELECT id, $2, $3, $4, '' FROM message WHERE id = $1
)
UPDATE message SET state = 'delivered', ended_at = now() WHERE id = $1;

-- again --
-- It waits for its next try, in so many seconds ($6).
WITH tried AS (
    INSERT INTO delivery (message_id, at, ms, status, detail)
    SELECT id, $2, $3, $4, $5 FROM message WHERE id = $1
)
UPDATE message SET due = now() + make_interval(secs => $6) WHERE id = $1 AND state = 'waiting';

-- failed --
WITH tried AS (
    INSERT INTO delivery (message_id, at, ms, status, detail)
    SELECT id, $2, $3, $4, $5 FROM message WHERE id = $1
)
UPDATE message SET state = 'failed', ended_at = now() WHERE id = $1 AND state = 'waiting';

-- hasten --
-- Its endpoint answers again: what failed before waits no longer.
UPDATE message SET due = now()
 WHERE recipient = $1 AND state = 'waiting' AND tries > 0 AND due > now() + interval '30 seconds';

-- put --
-- Of a recipient for whom so many ($6) wait already nothing is taken. Returned is what was taken, now
-- or before.
WITH given AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[])
        AS given (id, at, recipient, body)
), new AS (
    INSERT INTO message (id, at, recipient, topic, body)
    SELECT id, at, recipient, $5, body
      FROM given
     WHERE (SELECT count(*)
              FROM (SELECT FROM message
                     WHERE state = 'waiting' AND message.recipient = given.recipient
                     LIMIT $6) AS waits) < $6
        ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT id::text FROM new
UNION ALL
SELECT given.id::text FROM given JOIN message USING (id);

-- replay --
UPDATE message SET state = 'waiting', tries = 0, due = now(), ended_at = NULL
 WHERE id = $1 AND state <> 'waiting'
RETURNING id;

-- hurry --
-- One that waits anyway is tried at once.
UPDATE message SET due = now() WHERE id = $1 AND state = 'waiting' AND tries > 0 RETURNING id;

-- page --
SELECT id::text, at, recipient, topic, lead_id::text, state, tries, due, ended_at
  FROM message
 WHERE ($1::text IS NULL OR state = $1)
   AND ($2::text IS NULL OR recipient = $2)
   AND ($3::uuid IS NULL OR lead_id = $3)
   AND ($4::uuid IS NULL OR (at, id) < (SELECT at, id FROM message WHERE id = $4))
 ORDER BY at DESC, id DESC
 LIMIT $5;

-- one --
SELECT id::text, at, recipient, topic, lead_id::text, state, tries, due, ended_at
  FROM message WHERE id = $1;

-- deliveries --
SELECT message_id::text, at, ms, status, detail
  FROM delivery WHERE message_id = ANY($1::uuid[]) ORDER BY message_id, at;

-- waiting --
-- How many wait, counted up to $1, and since when the oldest does.
SELECT (SELECT count(*) FROM (SELECT FROM message WHERE state = 'waiting' LIMIT $1) AS counted)
           AS waiting,
       (SELECT at FROM message WHERE state = 'waiting' ORDER BY at LIMIT 1) AS since;

-- give_up --
-- Whose recipient is not in the market any more.
UPDATE message SET state = 'failed', ended_at = now()
 WHERE state = 'waiting' AND at < now() - make_interval(secs => $1) AND due < now();

-- expire --
-- What was delivered is kept for so many seconds ($1), what failed for as many as $2.
DELETE FROM message
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM message
                          WHERE ended_at < now() - make_interval(secs => $1)
                            AND (state = 'delivered'
                                 OR ended_at < now() - make_interval(secs => $2))
                          ORDER BY ended_at
                          LIMIT $3));

-- Under which master key this ledger was begun: the key's id, by which it is known without being
-- told. One row, written by the first who seals anything here, and compared by everyone after.
CREATE TABLE master_key (
    is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),  -- there is one row
    id    bytea NOT NULL,
    at    timestamptz NOT NULL DEFAULT now()
);

-- A ledger that holds something sealed already tells it: a wrapped key begins with the id.
INSERT INTO master_key (id)
SELECT substring(wrapped_key FROM 1 FOR 4)
  FROM (
      (SELECT wrapped_key FROM secret LIMIT 1)
      UNION ALL
      (SELECT wrapped_key FROM record WHERE wrapped_key IS NOT NULL ORDER BY lead_id DESC LIMIT 1)
  ) AS sealed
 LIMIT 1;

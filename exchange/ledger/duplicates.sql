-- How many of what sellers brought had come before, counted where it was written.

-- within --
-- For this transaction alone, in ms.
SELECT set_config('statement_timeout', $1, true);

-- by_source --
-- Of each source: $1 is the lowest id that counts, $2 the lowest of its sales. An id begins with its
-- time, a quote's post has that of its ping; everything is found by ids, so that a day costs what a
-- day brought. Test leads are left out.
WITH brought AS MATERIALIZED (
    SELECT lead_id, seller, source FROM lead WHERE lead_id >= $1::uuid AND NOT test
), posted AS (
    SELECT seller, source, count(*) AS posts, count(*) FILTER (WHERE is_repeated) AS repeated
      FROM (SELECT seller, source, ended.lead_id IS NOT NULL AS is_repeated
              FROM brought
              LEFT JOIN (SELECT lead_id FROM lead_end
                          WHERE lead_id >= $1::uuid AND status = 'duplicate') AS ended
                   USING (lead_id)
            UNION ALL
            SELECT seller, source, true FROM submission WHERE lead_id >= $1::uuid AND NOT test) AS one
     GROUP BY seller, source
), pinged AS (
    SELECT seller, source, count(*) AS pings,
           count(*) FILTER (WHERE status = 'duplicate') AS repeated
      FROM quote
     WHERE lead_id >= $1::uuid AND NOT test
     GROUP BY seller, source
), offered AS (
    -- Posts to buyers that took or refused them; who refused as it has the person already says 205.
    SELECT seller, source, count(*) AS offered, count(*) FILTER (WHERE reason = 205) AS known
      FROM brought
      JOIN (SELECT sale_id, lead_id FROM award WHERE lead_id >= $1::uuid) AS awarded USING (lead_id)
      JOIN (SELECT sale_id, state, reason FROM sale_end WHERE sale_id >= $2::uuid) AS decided
           USING (sale_id)
     WHERE state <> 'void'
     GROUP BY seller, source
)
SELECT seller, source, coalesce(posts, 0) AS posts, coalesce(posted.repeated, 0) AS repeated_posts,
       coalesce(pings, 0) AS pings, coalesce(pinged.repeated, 0) AS repeated_pings,
       coalesce(offered, 0) AS offered, coalesce(known, 0) AS known
  FROM posted
  FULL JOIN pinged USING (seller, source)
  LEFT JOIN offered USING (seller, source)
 ORDER BY seller, source;

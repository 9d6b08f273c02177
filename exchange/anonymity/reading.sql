-- Whom leads of a vertical were about: their sealed records, in the order in which they came.

-- page --
SELECT lead.lead_id, received_at, sealed, wrapped_key
  FROM lead JOIN record ON record.lead_id = lead.lead_id AND record.number = lead.in_moment
 WHERE lead.vertical = $1 AND NOT lead.test AND wrapped_key IS NOT NULL
   AND (received_at, lead.lead_id) > ($2, $3::uuid)
 ORDER BY received_at, lead.lead_id
 LIMIT $4;

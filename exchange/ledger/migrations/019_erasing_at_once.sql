-- Whoever writes of a lead whose person may be erased in this very moment asks here: what was erased
-- by now is seen, and what is being erased is waited for. Until the asking transaction is over nobody
-- else erases it (reading.sql, `alone`); each statement within sees what is committed by then.
CREATE FUNCTION erased(lead uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(lead::text, 0));
    RETURN EXISTS (SELECT FROM erasure WHERE erasure.lead_id = lead);
END
$$;

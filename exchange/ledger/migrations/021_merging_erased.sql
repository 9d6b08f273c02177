-- Makes unreadable what a ping kept of a person, where its post is merged into a lead whose person
-- was erased by now; waits for an erase that goes on. One that comes later sees that it is a part.
CREATE FUNCTION forgotten(part uuid, first uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT erased(first) THEN
        RETURN false;
    END IF;
    UPDATE record SET wrapped_key = NULL WHERE record.lead_id = part;
    UPDATE capture SET wrapped_key = NULL WHERE capture.lead_id = part;
    RETURN true;
END
$$;

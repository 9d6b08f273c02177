-- Tells whose a request is; changes nothing.
--
-- KEYS     1 the key's record
-- ARGV     none
-- Returns  the lead id, or nil

return redis.call('HGET', KEYS[1], 'lead')

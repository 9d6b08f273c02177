-- Reads all buyers who ever had a hold here; changes nothing.
--
-- KEYS     1 buyers
-- ARGV     none
-- Returns  buyer ids

return redis.call('SMEMBERS', KEYS[1])

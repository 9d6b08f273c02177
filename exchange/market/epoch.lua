-- Tells of which epoch something is; changes nothing.
--
-- KEYS     1 the epoch, of a part of market state or of all of it
-- ARGV     none
-- Returns  the epoch; nil where there is none

return redis.call('GET', KEYS[1])

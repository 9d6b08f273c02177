-- Tells what a seller was quoted for the same ping, while that holds.
--
-- KEYS     1 the ping's digest
-- ARGV     none
-- Returns  what was kept, or nil

return redis.call('GET', KEYS[1])

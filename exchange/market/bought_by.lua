-- Tells which buyers bought a person whose time has not run out; changes nothing.
--
-- KEYS     1 buyers of the person
-- ARGV     1 now in µs
-- Returns  buyer ids

return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')

-- Reads all counters of one buyer; changes nothing.
--
-- KEYS     1 counters
-- ARGV     none
-- Returns  {field, count…}, where a field is a counter with `|s` (settled) or `|h` (held)

return redis.call('HGETALL', KEYS[1])

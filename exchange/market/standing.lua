-- Reads all counters and holds of one buyer as of one moment; changes nothing.
--
-- KEYS     1 counters, 2 holds
-- ARGV     none
-- Returns  {{field, count…}, {sale id, record…}}, as counters.lua and holds.lua have them

return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}

-- Tells which lead has each of some claims; changes nothing.
--
-- KEYS     claims
-- ARGV     none
-- Returns  for each key the lead id that has it, or nil

return redis.call('MGET', unpack(KEYS))

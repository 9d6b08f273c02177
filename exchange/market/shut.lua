-- Closes a part of market state, or all of it, until it is opened by the name that it is closed with.
--
-- Idempotent. Whoever closes last may open; what nobody opened is lost, as it were, by time.
-- KEYS     1 the epoch of the part, or of all
-- ARGV     1 closed: and a name for this time, 2 for how long at most in ms, '' without an end
-- Returns  1

if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1

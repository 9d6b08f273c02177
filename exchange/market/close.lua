-- Closes a buyer: until it is restored, nothing of it is held, settled or released.
--
-- Idempotent. Whoever closes last may restore; a buyer that nobody restored opens by time.
-- KEYS     1 counters, 2 holds of the buyer, 3 its epoch
-- ARGV     1 closed: and a name for this time, 2 for how long at most in ms, '' without an end
-- Returns  {{field, count…}, {sale id, record…}}: counters and holds as they now stay

if ARGV[2] == '' then
  redis.call('SET', KEYS[3], ARGV[1])
else
  redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
end
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}

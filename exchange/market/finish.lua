-- Keeps the answer of a request for all that repeat it, and wakes up those who wait for it.
--
-- Idempotent. Whoever is not the one that began (any more) changes nothing.
-- KEYS     1 the key's record
-- ARGV     1 lead id, 2 the answer, or '' where the ledger knows it by the lead id, 3 channel
-- Returns  1 if the request is this lead's, else 0

if redis.call('HGET', KEYS[1], 'lead') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'answer', ARGV[2])
if redis.call('HDEL', KEYS[1], 'awaited') == 1 then
  redis.call('PUBLISH', ARGV[3], KEYS[1])
end
return 1

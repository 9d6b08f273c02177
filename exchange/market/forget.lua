-- Forgets a request whose answer is not kept; the next one begins anew, those who wait are woken up.
--
-- Idempotent. Whoever is not the one that began (any more) changes nothing.
-- KEYS     1 the key's record
-- ARGV     1 lead id, 2 channel
-- Returns  1 if it was forgotten, else 0

local known = redis.call('HMGET', KEYS[1], 'lead', 'awaited')
if known[1] ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
if known[2] then
  redis.call('PUBLISH', ARGV[2], KEYS[1])
end
return 1

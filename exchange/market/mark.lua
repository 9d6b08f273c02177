-- Says of which epoch a part of market state, or all of it, is: it is whole, and may be sold by.
--
-- Idempotent. What somebody closed to put it right stays closed until that is done, or given up.
-- KEYS     1 the part's epoch
-- ARGV     1 the epoch, 2 what it must say until now, where that matters
-- Returns  1 if it is of this epoch now, else 0

local epoch = redis.call('GET', KEYS[1])
if ARGV[2] and epoch ~= ARGV[2] then
  return 0
end
if epoch and string.sub(epoch, 1, 6) == 'closed' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1

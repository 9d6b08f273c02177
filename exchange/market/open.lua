-- Opens what was closed, if nothing came of it meanwhile: it is whole, and may be sold by.
--
-- Idempotent. What lost its data since has lost the name, too, and stays closed.
-- KEYS     1 the epoch of a part, or of all
-- ARGV     1 what it was closed with, 2 the epoch that it is of from now on
-- Returns  1 if it is of this epoch now, else 0

local epoch = redis.call('GET', KEYS[1])
if epoch == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return epoch == ARGV[2] and 1 or 0

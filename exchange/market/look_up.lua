-- Tells who came first, and claims nothing.
--
-- KEYS     every key by which the person may be recognized, and last, where ARGV has 2, the epoch
-- ARGV     1 lead id that asks, 2 the epoch that the caller knows
-- Returns  nil if no other lead has any of them, else the lead id that has the first such key; error
--          EPOCH where the claims are not of that epoch

local holders = redis.call('MGET', unpack(KEYS))
local wanted = #KEYS
if ARGV[2] then
  if holders[wanted] ~= ARGV[2] then
    return {err = 'EPOCH market state is being rebuilt'}
  end
  wanted = wanted - 1
end
for i = 1, wanted do
  if holders[i] and holders[i] ~= ARGV[1] then
    return holders[i]
  end
end
return false

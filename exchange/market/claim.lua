-- Whoever claims a person first has it: one lead id gets all the keys, or learns who was first.
--
-- Idempotent: a lead that already has the keys has them still, until the time they first had.
-- KEYS     every key by which the person may be recognized, and last, where ARGV has 3, the epoch
-- ARGV     1 lead id, 2 how long the claim holds in ms, 3 the epoch that the caller knows
-- Returns  nil if the keys are this lead's now, else the lead id that has one of them; error EPOCH
--          where the claims are not of that epoch

local holders = redis.call('MGET', unpack(KEYS))
local wanted = #KEYS
if ARGV[3] then
  if holders[wanted] ~= ARGV[3] then
    return {err = 'EPOCH market state is being rebuilt'}
  end
  wanted = wanted - 1
end
for i = 1, wanted do
  if holders[i] and holders[i] ~= ARGV[1] then
    return holders[i]
  end
end
for i = 1, wanted do
  if not holders[i] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
  end
end
return false

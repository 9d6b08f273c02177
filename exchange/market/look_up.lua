-- Tells who came first, and claims nothing.
--
-- KEYS     every key by which the person may be recognized
-- ARGV     1 lead id that asks
-- Returns  nil if no other lead has any of them, else the lead id that has the first such key

local holders = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if holders[i] and holders[i] ~= ARGV[1] then
    return holders[i]
  end
end
return false

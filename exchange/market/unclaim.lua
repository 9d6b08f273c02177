-- Gives back what this lead claimed, and nothing of any other lead's.
--
-- Idempotent: what is not this lead's (any more) is left alone.
-- KEYS     every key that the lead claimed
-- ARGV     1 lead id
-- Returns  how many keys were given back

local given = 0
local holders = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if holders[i] == ARGV[1] then
    redis.call('DEL', KEYS[i])
    given = given + 1
  end
end
return given

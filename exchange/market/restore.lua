-- Puts a closed buyer right, all at once, and opens it: settled as told, held as its holds say.
--
-- What was settled of counters that are not named stays. Of the holds those that are to go are
-- dropped; those to be are added unless they are there, or were released meanwhile.
-- KEYS     1 counters, 2 holds, 3 leases of the buyer, 4 its epoch, then for each hold to be how that
--          sale ended
-- ARGV     1 what it was closed with, 2 the epoch, 3 how many counters, 4 how many holds go, then for
--          each counter: name, settled; for each hold that goes its sale id; for each hold to be:
--          sale id, record, end of the lease in µs
-- Returns  1 if it was put right; 0 where somebody else closed or opened it since

if redis.call('GET', KEYS[4]) ~= ARGV[1] then
  return 0
end
local at = 5
for _ = 1, tonumber(ARGV[3]) do
  redis.call('HSET', KEYS[1], ARGV[at] .. '|s', ARGV[at + 1])
  at = at + 2
end
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HDEL', KEYS[2], ARGV[at])
  redis.call('ZREM', KEYS[3], ARGV[at])
  at = at + 1
end
local key = 5
while at <= #ARGV do
  local ended = redis.call('GET', KEYS[key])
  if not ended and redis.call('HEXISTS', KEYS[2], ARGV[at]) == 0 then
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
    redis.call('ZADD', KEYS[3], ARGV[at + 2], ARGV[at])
  end
  at = at + 3
  key = key + 1
end

local held = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], -2) == '|h' then
    held[string.sub(fields[i], 1, -3)] = 0
  end
end
local records = redis.call('HGETALL', KEYS[2])
for i = 2, #records, 2 do
  local parts = {}
  for part in string.gmatch(records[i] .. '\n', '([^\n]*)\n') do
    parts[#parts + 1] = part
  end
  for line = 4, #parts, 3 do
    held[parts[line]] = (held[parts[line]] or 0) + tonumber(parts[line + 1])
  end
end
for counter, amount in pairs(held) do
  redis.call('HSET', KEYS[1], counter .. '|h', string.format('%.0f', amount))
end
redis.call('SET', KEYS[4], ARGV[2])
return 1

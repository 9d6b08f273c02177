-- Remembers that a buyer bought a person, until some time; an earlier, longer memory stays.
--
-- Idempotent.
-- KEYS     1 buyers of the person
-- ARGV     1 buyer id, 2 until when in µs, 3 now in µs
-- Returns  how many buyers are remembered

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if tonumber(ARGV[2]) > tonumber(ARGV[3]) and (not known or tonumber(known) < tonumber(ARGV[2])) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] then
  -- A second more than it counts, so that clocks a little apart agree.
  local left_ms = math.ceil((tonumber(last[2]) - tonumber(ARGV[3])) / 1000) + 1000
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left_ms))
end
return redis.call('ZCARD', KEYS[1])

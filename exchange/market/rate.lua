-- Takes one turn of each of some rates, or tells that there were too many within the time.
--
-- Kept are the last so many moments: the oldest of them must be past before there is another turn,
-- so that no stretch of that length ever holds more. Asked twice it takes two turns: never too few.
-- KEYS     1… when each offer had its last turns, the latest first
-- ARGV     1 now in µs, then for each key: how many at most, within how many µs
-- Returns  for each key 1 where there was a turn, else 0

local answer = {}
for i = 1, #KEYS do
  local now, most, within = tonumber(ARGV[1]), tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local latest = tonumber(redis.call('LINDEX', KEYS[i], 0) or nil)
  if latest and latest > now + within then
    -- Of a clock that is far ahead of ours: nobody would have a turn until then.
    redis.call('DEL', KEYS[i])
  elseif latest and latest > now then
    now = latest
  end
  local oldest = tonumber(redis.call('LINDEX', KEYS[i], most - 1) or nil)
  if oldest and now - oldest < within then
    answer[i] = 0
  else
    redis.call('LPUSH', KEYS[i], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[i], 0, most - 1)
    redis.call('PEXPIRE', KEYS[i], math.ceil(within / 1000) * 2)
    answer[i] = 1
  end
end
return answer

-- Forgets counters whose window is long past, unless something is still held in them.
--
-- Idempotent.
-- KEYS     1 counters
-- ARGV     counters
-- Returns  how many were forgotten

local forgotten = 0
for i = 1, #ARGV do
  local counter = ARGV[i]
  local held = redis.call('HGET', KEYS[1], counter .. '|h')
  if not held or held == '0' then
    if redis.call('HDEL', KEYS[1], counter .. '|s', counter .. '|h') > 0 then
      forgotten = forgotten + 1
    end
  end
end
return forgotten

-- Makes a hold count, exactly once: what was held is settled, at the price that was paid in the end.
--
-- Of a concurrent line nothing remains. Idempotent: a sale that was settled stays so. A sale that
-- was released, or that is not known, is not settled by this.
-- KEYS     1 counters, 2 holds, 3 leases of the buyer, 4 how the sale ended,
--          5 the buyer's epoch
-- ARGV     1 sale id, 2 the price in micros, at most what was held, or '' for just that,
--          3 how long to remember the end in ms
-- Returns  {code, counter, used…}: 1 settled now, 2 settled before, 0 not known, -1 released before,
--          -2 the price is higher than what was held; error EPOCH while the buyer is closed.
--          used: settled plus held, as it now is

local epoch = redis.call('GET', KEYS[5])
if epoch and string.sub(epoch, 1, 6) == 'closed' then
  return {err = 'EPOCH market state is being rebuilt'}
end
local sale = ARGV[1]
local packed = redis.call('HGET', KEYS[2], sale)
if not packed then
  local ended = redis.call('GET', KEYS[4])
  if not ended then
    return {0}
  elseif ended == 'settled' or ended == 'returned' then
    return {2}
  end
  return {-1}
end

local record = {}
for part in string.gmatch(packed .. '\n', '([^\n]*)\n') do
  record[#record + 1] = part
end
local price = ARGV[2] ~= '' and tonumber(ARGV[2])
local fields, names, lines = {}, {}, {}
for at = 4, #record, 3 do
  local counter, amount, kind = record[at], tonumber(record[at + 1]), record[at + 2]
  if kind == 'm' and price and price > amount then
    return {-2}
  end
  names[#names + 1] = counter
  fields[#fields + 1] = counter .. '|s'
  fields[#fields + 1] = counter .. '|h'
  lines[#lines + 1] = {amount, kind}
end

local answer = {1}
if #names > 0 then
  local counts = redis.call('HMGET', KEYS[1], unpack(fields))
  local settled, held = {}, {}
  for i = 1, #names do
    local name, amount, kind = names[i], lines[i][1], lines[i][2]
    settled[name] = settled[name] or tonumber(counts[2 * i - 1] or 0)
    held[name] = math.max((held[name] or tonumber(counts[2 * i] or 0)) - amount, 0)
    if kind == 'm' then
      settled[name] = settled[name] + (price or amount)
    elseif kind == 'n' then
      settled[name] = settled[name] + amount
    end
  end
  local changes = {}
  for i = 1, #names do
    local name = names[i]
    changes[4 * i - 3] = name .. '|s'
    changes[4 * i - 2] = string.format('%.0f', settled[name])
    changes[4 * i - 1] = name .. '|h'
    changes[4 * i] = string.format('%.0f', held[name])
    answer[2 * i] = name
    answer[2 * i + 1] = settled[name] + held[name]
  end
  redis.call('HSET', KEYS[1], unpack(changes))
end
redis.call('HDEL', KEYS[2], sale)
redis.call('ZREM', KEYS[3], sale)
redis.call('SET', KEYS[4], 'settled', 'PX', ARGV[3])
return answer

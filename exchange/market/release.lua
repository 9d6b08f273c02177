-- Gives a hold back, exactly once: nothing of it counts any more.
--
-- Idempotent: a sale that was released stays so. A sale that was settled is not released by this. A
-- sale that is not known is remembered as void, so that a hold still under way cannot take hold.
-- A lead's own place on which other posts of its quote rely stays held for them.
-- KEYS     1 counters, 2 holds, 3 leases of the buyer, 4 how the sale ended,
--          5 the buyer's epoch
-- ARGV     1 sale id, 2 how long to remember the end in ms, 3 who gives it back, as it asked for it;
--          '' whoever relies on it
-- Returns  {code, counter, used…}: 1 released now, 2 released before, 3 others rely on it still, 0 not
--          known, -1 settled before; error EPOCH while the buyer is closed.
--          used: settled plus held, as it now is

local epoch = redis.call('GET', KEYS[5])
if epoch and string.sub(epoch, 1, 6) == 'closed' then
  return {err = 'EPOCH market state is being rebuilt'}
end
local sale = ARGV[1]
local packed = redis.call('HGET', KEYS[2], sale)
if not packed then
  local ended = redis.call('GET', KEYS[4])
  if not ended or ended == 'void' then
    redis.call('SET', KEYS[4], 'void', 'PX', ARGV[2])
    return {0}
  elseif ended == 'released' then
    return {2}
  end
  return {-1}
end

if ARGV[3] ~= '' then
  local lead, who, rest = string.match(packed, '^([^\n]*)\n([^\n]*)(.*)$')
  local others = {}
  for one in string.gmatch(who, '[^ ]+') do
    if one ~= ARGV[3] then
      others[#others + 1] = one
    end
  end
  if #others > 0 then
    redis.call('HSET', KEYS[2], sale, lead .. '\n' .. table.concat(others, ' ') .. rest)
    return {3}
  end
end

local record = {}
for part in string.gmatch(packed .. '\n', '([^\n]*)\n') do
  record[#record + 1] = part
end
local fields, names, amounts = {}, {}, {}
for at = 4, #record, 3 do
  names[#names + 1] = record[at]
  amounts[#amounts + 1] = tonumber(record[at + 1])
  fields[#fields + 1] = record[at] .. '|s'
  fields[#fields + 1] = record[at] .. '|h'
end

local answer = {1}
if #names > 0 then
  local counts = redis.call('HMGET', KEYS[1], unpack(fields))
  local held = {}
  for i = 1, #names do
    local name = names[i]
    held[name] = math.max((held[name] or tonumber(counts[2 * i] or 0)) - amounts[i], 0)
  end
  local changes = {}
  for i = 1, #names do
    local name = names[i]
    changes[2 * i - 1] = name .. '|h'
    changes[2 * i] = string.format('%.0f', held[name])
    answer[2 * i] = name
    answer[2 * i + 1] = tonumber(counts[2 * i - 1] or 0) + held[name]
  end
  redis.call('HSET', KEYS[1], unpack(changes))
end
redis.call('HDEL', KEYS[2], sale)
redis.call('ZREM', KEYS[3], sale)
redis.call('SET', KEYS[4], 'released', 'PX', ARGV[2])
return answer

-- Takes a returned sale off what was settled, once; no counter falls below zero.
--
-- Idempotent for as long as the end is remembered; beyond that the ledger knows what was returned.
-- What was pruned with its window is not brought back. A sale that is still held is left alone.
-- KEYS     1 counters, 2 holds of the buyer, 3 how the sale ended, 4 the
--          buyer's epoch
-- ARGV     1 sale id, 2 how long to remember the end in ms, then for each line: counter, amount
-- Returns  {code, counter, used…}: 1 given back now, 2 given back before, 0 it does not count: still
--          held, or released; error EPOCH while the buyer is closed.
--          used: settled plus held, as it now is

local epoch = redis.call('GET', KEYS[4])
if epoch and string.sub(epoch, 1, 6) == 'closed' then
  return {err = 'EPOCH market state is being rebuilt'}
end
local sale = ARGV[1]
if redis.call('HEXISTS', KEYS[2], sale) == 1 then
  return {0}
end
local ended = redis.call('GET', KEYS[3])
if ended == 'returned' then
  return {2}
elseif ended == 'released' or ended == 'void' then
  return {0}
end
local answer = {1}
for at = 3, #ARGV, 2 do
  local counter = ARGV[at]
  local settled = redis.call('HGET', KEYS[1], counter .. '|s')
  if settled then
    local left = math.max(tonumber(settled) - tonumber(ARGV[at + 1]), 0)
    redis.call('HSET', KEYS[1], counter .. '|s', string.format('%.0f', left))
    answer[#answer + 1] = counter
    answer[#answer + 1] = left + tonumber(redis.call('HGET', KEYS[1], counter .. '|h') or 0)
  end
end
redis.call('SET', KEYS[3], 'returned', 'PX', ARGV[2])
return answer

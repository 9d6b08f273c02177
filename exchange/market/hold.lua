-- Holds every line of one sale, or none: settled plus held never passes a limit.
--
-- Idempotent by sale id: a sale that is or was held gets the first answer and changes nothing. A
-- refusal leaves nothing behind, so asking again is a new question. A sale that was released before
-- it was ever held (its caller gave up, and the release overtook the hold) is never held any more.
-- A lead's own place, whose sale id is the lead's, is held anew where it was given back: its quote
-- may be posted again. Posts of one quote at once rely on one place, and it knows all of them.
-- KEYS     1 counters, 2 holds, 3 leases of the buyer, 4 how the sale ended, 5 the buyer's epoch
-- ARGV     1 sale id, 2 lead id, 3 who asks: a worker, or one of its posts, 4 end of the lease in µs, 5 the epoch that the caller
--          knows, '' for any, then for each line: counter, amount, limit, kind (n: a number,
--          m: money, c: concurrent, of which nothing settles)
-- Returns  {0, used…} held; {i, used…} line i has no room; {-1} released before it was held; error
--          EPOCH where these counters are not of that epoch.
--          used: settled plus held of each line's counter, as it now is

if ARGV[5] ~= '' and redis.call('GET', KEYS[5]) ~= ARGV[5] then
  return {err = 'EPOCH market state is being rebuilt'}
end
local sale = ARGV[1]
local first, width = 6, 4
local lines = (#ARGV - first + 1) / width
local ended = redis.call('GET', KEYS[4])
if ended == 'void' then
  return {-1}
end

local fields = {}
for i = 1, lines do
  local counter = ARGV[first + (i - 1) * width]
  fields[2 * i - 1] = counter .. '|s'
  fields[2 * i] = counter .. '|h'
end
local counts = {}
if lines > 0 then
  counts = redis.call('HMGET', KEYS[1], unpack(fields))
end

local answer = {0}
for i = 1, lines do
  answer[i + 1] = tonumber(counts[2 * i - 1] or 0) + tonumber(counts[2 * i] or 0)
end
local again = ended == 'released' and sale == ARGV[2]
local packed = redis.call('HGET', KEYS[2], sale)
if packed and sale == ARGV[2] then
  local lead, who, rest = string.match(packed, '^([^\n]*)\n([^\n]*)(.*)$')
  if not string.find(' ' .. who .. ' ', ' ' .. ARGV[3] .. ' ', 1, true) then
    redis.call('HSET', KEYS[2], sale, lead .. '\n' .. who .. ' ' .. ARGV[3] .. rest)
  end
end
if packed or (ended and not again) then
  return answer
end

-- Two lines may move one counter; each sees what those before it took.
local held, taken = {}, {}
for i = 1, lines do
  local at = first + (i - 1) * width
  local counter, amount, limit = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  taken[counter] = (taken[counter] or 0) + amount
  if answer[i + 1] + taken[counter] > limit then
    answer[1] = i
    return answer
  end
  held[counter] = tonumber(counts[2 * i] or 0) + taken[counter]
end

local record = {ARGV[2], ARGV[3], ARGV[4]}
local changes = {}
for i = 1, lines do
  local at = first + (i - 1) * width
  local counter = ARGV[at]
  answer[i + 1] = answer[i + 1] + taken[counter]
  changes[2 * i - 1] = counter .. '|h'
  changes[2 * i] = string.format('%.0f', held[counter])
  record[3 * i + 1] = counter
  record[3 * i + 2] = ARGV[at + 1]
  record[3 * i + 3] = ARGV[at + 3]
end
if lines > 0 then
  redis.call('HSET', KEYS[1], unpack(changes))
end
redis.call('HSET', KEYS[2], sale, table.concat(record, '\n'))
redis.call('ZADD', KEYS[3], ARGV[4], sale)
if again then
  redis.call('DEL', KEYS[4])
end
return answer

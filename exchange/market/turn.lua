-- Says whose turn it is, and gives it: smooth weighted round robin, fair across all workers.
--
-- Each turn every candidate earns its weight; the richest has the turn and pays what all earned.
-- Who is no candidate earns nothing: there is no rush after a pause. Where a weight was changed, all
-- turns begin anew. Idempotent by lead and step: asked again, the same turn gets the same answer.
-- KEYS     1 the stage's turns: of each offer weight, credit, turns had, turns refused; 2 what this
--          lead was answered last in this stage
-- ARGV     1 step: 1 for a lead's first turn, 2 where that came to nothing …, 0: only look; 2 'a'
--          where weights follow acceptance, else 'w'; 3 whose turn before was refused, or '';
--          4 who has the turn in any case, or ''; 5, 6 how long to keep KEYS 1 and 2, in ms; then
--          offer id and weight of each candidate, in the order that decides among equals; where
--          there is none, the refusal is taken note of, and nobody has a turn
-- Returns  the offer ids in the order in which it is their turn

local SCALE, DOUBT, MANY = 1000, 10, 400
local step, follows, refused, chosen = ARGV[1], ARGV[2] == 'a', ARGV[3], ARGV[4]
local first = 7

if step ~= '0' then
  local before = redis.call('GET', KEYS[2])
  if before and string.sub(before, 1, #step + 1) == step .. '\n' then
    local answer = {}
    for id in string.gmatch(string.sub(before, #step + 2), '[^\n]+') do
      answer[#answer + 1] = id
    end
    return answer
  end
end

local names, places = {}, {}
for at = first, #ARGV, 2 do
  names[#names + 1] = ARGV[at]
  places[ARGV[at]] = #names
end
local others = #names
if refused ~= '' and not places[refused] then
  names[#names + 1] = refused
end

local known = redis.call('HMGET', KEYS[1], unpack(names))
local seats, total = {}, 0
for i = 1, #names do
  local weight, credit, had, not_taken = string.match(known[i] or '', '^(%d+) (-?%d+) (%d+) (%d+)$')
  local seat = {
    name = names[i], at = i, weight = tonumber(weight or 0), credit = tonumber(credit or 0),
    had = tonumber(had or 0), refused = tonumber(not_taken or 0),
  }
  if seat.name == refused then
    seat.refused = math.min(seat.refused + 1, seat.had)
  end
  seats[i] = seat
end
local is_other = false
for i = 1, others do
  local seat, weight = seats[i], tonumber(ARGV[first + 2 * i - 1])
  is_other = is_other or (known[i] and seat.weight ~= weight)
  seat.weight = weight
end
if is_other then
  if step ~= '0' then redis.call('DEL', KEYS[1]) end
  for i = 1, #seats do seats[i].credit = 0 end
end
for i = 1, others do
  local seat = seats[i]
  local earns = seat.weight * SCALE
  if follows then
    -- Nobody is judged by a few turns: at first as if all had been taken.
    local share = (seat.had - seat.refused + DOUBT) / (seat.had + DOUBT)
    earns = math.max(1, math.floor(earns * share))
  end
  seat.credit = seat.credit + earns
  total = total + earns
end

local order = {}
for i = 1, others do order[i] = seats[i] end
table.sort(order, function(a, b)
  if (a.name == chosen) ~= (b.name == chosen) then return a.name == chosen end
  if a.credit ~= b.credit then return a.credit > b.credit end
  return a.at < b.at
end)
local answer = {}
for i = 1, others do answer[i] = order[i].name end
if step == '0' then
  return answer
end

local winner = order[1]
if winner then
  winner.credit = winner.credit - total
  winner.had = winner.had + 1
  if winner.had >= MANY then
    -- What was long ago counts less and less.
    winner.had, winner.refused = math.floor(winner.had / 2), math.floor(winner.refused / 2)
  end
end
local changes = {}
for i = 1, #seats do
  local seat = seats[i]
  changes[#changes + 1] = seat.name
  changes[#changes + 1] =
    string.format('%d %.0f %d %d', seat.weight, seat.credit, seat.had, seat.refused)
end
redis.call('HSET', KEYS[1], unpack(changes))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], step .. '\n' .. table.concat(answer, '\n'), 'PX', ARGV[6])
return answer

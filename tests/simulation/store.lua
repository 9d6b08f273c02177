-- A small Valkey: the commands that the exchange's functions call, over plain Lua tables.
--
-- It is loaded once and returns a table of functions for Python: `load`, `call`, `clear`, `copy`,
-- `restore`, `dump`. Values are strings, hashes are tables of strings, sets are tables of true,
-- sorted sets are tables of numbers. A key is looked at with its end: what is over is not there.

if jit then jit.off() end

local data, ends = {}, {}
local now_ms = 0
local published = {}
local functions = {}

local function alive(key)
  local at = ends[key]
  if at and at <= now_ms then
    data[key], ends[key] = nil, nil
  end
  return data[key]
end

local function made(key)
  local value = alive(key)
  if not value then
    value = {}
    data[key] = value
  end
  return value
end

local function text(value)
  if type(value) == 'number' then
    return string.format('%.17g', value)
  end
  return value
end

local function gone_if_empty(key, value)
  if next(value) == nil then
    data[key], ends[key] = nil, nil
  end
end

-- Bounds of a range: `-inf`, `+inf`, a number, or `(` and a number that is itself left out.
local function bound(word)
  word = text(word)
  if word == '-inf' then return -math.huge, false end
  if word == '+inf' then return math.huge, false end
  if string.sub(word, 1, 1) == '(' then return tonumber(string.sub(word, 2)), true end
  return tonumber(word), false
end

local function by_score(key)
  local members = {}
  local scores = alive(key) or {}
  for member in pairs(scores) do members[#members + 1] = member end
  table.sort(members, function(a, b)
    if scores[a] ~= scores[b] then return scores[a] < scores[b] end
    return a < b
  end)
  return members, scores
end

local function in_range(key, least, most)
  local from, not_from = bound(least)
  local to, not_to = bound(most)
  local found = {}
  local members, scores = by_score(key)
  for _, member in ipairs(members) do
    local score = scores[member]
    if (score > from or (score == from and not not_from))
      and (score < to or (score == to and not not_to)) then
      found[#found + 1] = member
    end
  end
  return found
end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local commands = {}

function commands.GET(key) return alive(key) or false end

function commands.SET(key, value, option, ms)
  data[key] = text(value)
  ends[key] = nil
  if option then
    assert(option == 'PX', 'a SET of the simulation knows PX alone')
    ends[key] = now_ms + tonumber(ms)
  end
  return {ok = 'OK'}
end

function commands.DEL(...)
  local gone = 0
  for _, key in ipairs({...}) do
    if alive(key) then gone = gone + 1 end
    data[key], ends[key] = nil, nil
  end
  return gone
end

function commands.EXISTS(key) return alive(key) and 1 or 0 end

function commands.MGET(...)
  local found = {}
  for i, key in ipairs({...}) do found[i] = alive(key) or false end
  return found
end

function commands.PEXPIRE(key, ms)
  if not alive(key) then return 0 end
  ends[key] = now_ms + tonumber(ms)
  return 1
end

function commands.PTTL(key)
  if not alive(key) then return -2 end
  return ends[key] and ends[key] - now_ms or -1
end

function commands.INCR(key)
  local value = tonumber(alive(key) or 0) + 1
  data[key] = text(value)
  return value
end

function commands.HGET(key, field) return (alive(key) or {})[field] or false end

function commands.HMGET(key, ...)
  local value, found = alive(key) or {}, {...}
  for i = 1, #found do found[i] = value[found[i]] or false end
  return found
end

function commands.HSET(key, ...)
  local value, parts, new = made(key), {...}, 0
  for i = 1, #parts, 2 do
    if value[parts[i]] == nil then new = new + 1 end
    value[parts[i]] = text(parts[i + 1])
  end
  return new
end

function commands.HDEL(key, ...)
  local value, gone = alive(key), 0
  if not value then return 0 end
  for _, field in ipairs({...}) do
    if value[field] ~= nil then
      value[field] = nil
      gone = gone + 1
    end
  end
  gone_if_empty(key, value)
  return gone
end

function commands.HEXISTS(key, field) return (alive(key) or {})[field] and 1 or 0 end

function commands.HLEN(key) return #sorted_keys(alive(key) or {}) end

function commands.HGETALL(key)
  local value, found = alive(key) or {}, {}
  for _, field in ipairs(sorted_keys(value)) do
    found[#found + 1] = field
    found[#found + 1] = value[field]
  end
  return found
end

function commands.LINDEX(key, index) return (alive(key) or {})[tonumber(index) + 1] or false end

function commands.LPUSH(key, value)
  local list = made(key)
  table.insert(list, 1, text(value))
  return #list
end

function commands.LTRIM(key, _, last)
  local list = alive(key) or {}
  for i = #list, tonumber(last) + 2, -1 do list[i] = nil end
  return true
end

function commands.SADD(key, ...)
  local value, new = made(key), 0
  for _, member in ipairs({...}) do
    if not value[member] then new = new + 1 end
    value[member] = true
  end
  return new
end

function commands.SMEMBERS(key) return sorted_keys(alive(key) or {}) end

function commands.ZADD(key, score, member)
  local value = made(key)
  local new = value[member] == nil and 1 or 0
  value[member] = tonumber(score)
  return new
end

function commands.ZREM(key, ...)
  local value, gone = alive(key), 0
  if not value then return 0 end
  for _, member in ipairs({...}) do
    if value[member] then gone = gone + 1 end
    value[member] = nil
  end
  gone_if_empty(key, value)
  return gone
end

function commands.ZSCORE(key, member)
  local score = (alive(key) or {})[member]
  return score and text(score) or false
end

function commands.ZCARD(key) return #sorted_keys(alive(key) or {}) end

function commands.ZRANGEBYSCORE(key, least, most, limit, offset, count)
  local found = in_range(key, least, most)
  if not limit then return found end
  assert(limit == 'LIMIT' and tonumber(offset) == 0, 'a range of the simulation begins at 0')
  local some = {}
  for i = 1, math.min(#found, tonumber(count)) do some[i] = found[i] end
  return some
end

function commands.ZREMRANGEBYSCORE(key, least, most)
  local found = in_range(key, least, most)
  if #found == 0 then return 0 end
  return commands.ZREM(key, unpack(found))
end

function commands.ZREVRANGE(key, first, last, with)
  assert(first == 0 and last == 0 and with == 'WITHSCORES', 'the simulation knows the last alone')
  local members, scores = by_score(key)
  local member = members[#members]
  if not member then return {} end
  return {member, text(scores[member])}
end

function commands.PUBLISH(channel, message)
  published[#published + 1] = {channel, message}
  return 0
end

function commands.TIME()
  local micros = now_ms * 1000
  return {text(math.floor(micros / 1000000)), text(micros % 1000000)}
end

redis = {}

function redis.call(name, ...)
  local command = commands[name]
  if not command then error('the simulation does not know ' .. name) end
  return command(...)
end

function redis.status_reply(word) return {ok = word} end
function redis.error_reply(word) return {err = word} end

-- Replies, as RESP3 says them

-- Heads of short texts and small numbers, written once.
local head_of_text, small_number = {}, {}
for i = 0, 255 do
  head_of_text[i] = '$' .. i .. '\r\n'
  small_number[i] = ':' .. i .. '\r\n'
end

local function reply(value)
  local kind = type(value)
  if kind == 'string' then
    return (head_of_text[#value] or '$' .. #value .. '\r\n') .. value .. '\r\n'
  elseif kind == 'number' then
    return small_number[value]
      or string.format(':%.0f\r\n', value < 0 and math.ceil(value) or math.floor(value))
  elseif kind == 'table' then
    if value.ok then return '+' .. value.ok .. '\r\n' end
    if value.err then return '-' .. value.err .. '\r\n' end
    local parts = {}
    for i = 1, #value do
      if value[i] == nil then break end
      parts[i] = reply(value[i])
    end
    return '*' .. #parts .. '\r\n' .. table.concat(parts)
  elseif value == true then
    return ':1\r\n'
  end
  return '_\r\n'
end

local store = {}
local compiled = {}

-- Make a function known under its digest; what is forgotten is not compiled a second time.
function store.load(digest, source)
  if not compiled[digest] then
    local made, problem = loadstring('local KEYS, ARGV = ... ' .. source)
    if not made then error(problem) end
    compiled[digest] = made
  end
  functions[digest] = compiled[digest]
end

function store.forget_functions() functions = {} end

local function with_published(answer)
  if #published == 0 then return answer end
  local taken = published
  published = {}
  return answer, taken
end

-- Call a function; return its reply, or nil if it is not known, and what it published, if
-- anything: pairs of channel and message.
function store.call(at_ms, digest, keys, ...)
  local called = functions[digest]
  if not called then return nil end
  now_ms = at_ms
  return with_published(reply(called({unpack({...}, 1, keys)}, {select(keys + 1, ...)})))
end

-- One command by itself, as a client sends it.
function store.command(at_ms, name, ...)
  now_ms = at_ms
  return with_published(reply(redis.call(name, ...)))
end

local function copied(tables)
  local copies = {}
  for key, value in pairs(tables) do
    if type(value) == 'table' then
      local copy = {}
      for name, part in pairs(value) do copy[name] = part end
      copies[key] = copy
    else
      copies[key] = value
    end
  end
  return copies
end

-- All data as it is now, for `restore`.
function store.copy() return {copied(data), copied(ends)} end
function store.restore(kept) data, ends = copied(kept[1]), copied(kept[2]) end
function store.clear() data, ends = {}, {} end
function store.size() return #sorted_keys(data) end

-- {key, {field, value…} …} of all hashes whose key ends so.
function store.dump(at_ms, ending)
  now_ms = at_ms
  local found = {}
  for _, key in ipairs(sorted_keys(data)) do
    if string.sub(key, -#ending) == ending then
      found[#found + 1] = key
      found[#found + 1] = commands.HGETALL(key)
    end
  end
  return found
end

return store

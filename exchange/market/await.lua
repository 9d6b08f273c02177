-- Tells what became of a request, and has its end announced where it is still under way.
--
-- Idempotent.
-- KEYS     1 the key's record
-- ARGV     none
-- Returns  {'running', lead id, worker}; {'done', lead id, answer}; {'gone'} if it was forgotten

local known = redis.call('HMGET', KEYS[1], 'lead', 'worker', 'answer')
if not known[1] then
  return {'gone'}
elseif known[3] then
  return {'done', known[1], known[3]}
end
redis.call('HSET', KEYS[1], 'awaited', '1')
return {'running', known[1], known[2]}

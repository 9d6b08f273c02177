-- Lets exactly one request of an Idempotency-Key begin; all others learn what became of it.
--
-- Idempotent by lead id: the one that began, asking again, has begun. A record without a body's
-- digest was rebuilt from the ledger, which does not know it: any body is taken for the first one's.
-- KEYS     1 the key's record, 2 the account's epoch
-- ARGV     1 digest of the body, 2 lead id, 3 worker, 4 how long to remember in ms, 5 the epoch that
--          the caller knows, '' for any
-- Returns  {'new'}; {'running', lead id, worker}; {'done', lead id, answer}; {'other_body'}; error
--          EPOCH where the records are not of that epoch

if ARGV[5] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then
  return {err = 'EPOCH market state is being rebuilt'}
end
local known = redis.call('HMGET', KEYS[1], 'body', 'lead', 'worker', 'answer')
if not known[1] then
  redis.call('HSET', KEYS[1], 'body', ARGV[1], 'lead', ARGV[2], 'worker', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'new'}
elseif known[1] ~= ARGV[1] and known[1] ~= '' then
  return {'other_body'}
elseif known[4] then
  return {'done', known[2], known[4]}
elseif known[2] == ARGV[2] then
  return {'new'}
end
return {'running', known[2], known[3]}

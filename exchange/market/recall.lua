-- Remembers a request of which the ledger knows the lead, where its key's record was lost.
--
-- Idempotent; a record of this lead stays as it is. One of another lead may be older than what the
-- ledger knows, that of a request that came to nothing; whether it stays, the caller says.
-- KEYS     1 the key's record
-- ARGV     1 lead id, 2 worker, 3 how long to remember in ms, 4 'done' where the lead has ended,
--          5 'all' where another lead's record goes
-- Returns  1 if it was lost, or another's, else 0

local known = redis.call('HGET', KEYS[1], 'lead')
if known and (known == ARGV[1] or ARGV[5] ~= 'all') then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'body', '', 'lead', ARGV[1], 'worker', ARGV[2])
if ARGV[4] == 'done' then
  redis.call('HSET', KEYS[1], 'answer', '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1

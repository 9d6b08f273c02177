-- Remembers a request of which the ledger knows the lead, where its key's record was lost.
--
-- Idempotent; a record that is there stays as it is.
-- KEYS     1 the key's record
-- ARGV     1 lead id, 2 worker, 3 how long to remember in ms, 4 'done' where the lead has ended
-- Returns  1 if it was lost, else 0

if redis.call('HEXISTS', KEYS[1], 'lead') == 1 then
  return 0
end
redis.call('HSET', KEYS[1], 'body', '', 'lead', ARGV[1], 'worker', ARGV[2])
if ARGV[4] == 'done' then
  redis.call('HSET', KEYS[1], 'answer', '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1

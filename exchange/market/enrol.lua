-- Remembers a buyer who has holds and counters here, so that sweeper and janitor find it.
--
-- Idempotent.
-- KEYS     1 buyers
-- ARGV     1 buyer id
-- Returns  1 if it was new, else 0

return redis.call('SADD', KEYS[1], ARGV[1])

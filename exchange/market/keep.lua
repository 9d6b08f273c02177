-- Takes the lease off a hold whose award is written: no time makes it lapse any more.
--
-- Idempotent.
-- KEYS     1 holds, 2 leases of the buyer
-- ARGV     1 sale id
-- Returns  1 if the sale is held, else 0

redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HEXISTS', KEYS[1], ARGV[1])

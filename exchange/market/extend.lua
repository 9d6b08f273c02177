-- Gives a hold another lease: its sale is still under way, or in doubt.
--
-- Idempotent; a lease that runs longer already stays.
-- KEYS     1 holds, 2 leases of the buyer
-- ARGV     1 sale id, 2 end of the lease in µs
-- Returns  1 if the sale is held, else 0

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not lease or tonumber(lease) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
return 1
